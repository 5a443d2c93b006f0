"""Customers who look how their request stands: with their own key, with a signed link, or with something that they told with the request.

Ten wrong tries lock a reference for an hour. Tries are counted before they are judged, in rows, also for references that nobody was given,
so that unknown and forbidden look the same and take the same work, and no restart gives new tries. A lock shuts nobody out who has his key
or our link: both are beyond guessing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from services.tickets.proof import VISIT_HOLDS, Tracking
from services.tickets.store import customers, loading, merges, views, visits
from services.tickets.store.views import MessageView
from services.tickets.workflow.ticket import Ticket
from shared.database import Transaction
from shared.errors import NotFound, Overloaded
from shared.settings import ServiceSettings

WRONG_TRIES: Final = 10
LOCK: Final = timedelta(hours=1)
SHOWN: Final = 100
"""Messages that the view holds; the newest."""

_WEAK: Final = "told:"
"""Before the reference in the token of a visit that began with something told rather than held."""


class TrackingUnknown(NotFound):
    """Nobody was given this number, or the caller did not prove that it is his."""

    code = "request_unknown"

    def __init__(self) -> None:
        super().__init__(
            "There is no request of yours with this number. Open the link in our message, use your own key, or give the last 4 digits of"
            " your phone number or your e-mail address."
        )


class TrackingLocked(Overloaded):
    """Too many wrong tries for this number."""

    code = "tracking_locked"

    def __init__(self, ends_at: datetime, at: datetime) -> None:
        seconds = max(1, int((ends_at - at).total_seconds()) + 1)
        super().__init__("There were too many wrong tries for this number. Try again later.", retry_after=seconds)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a customer gets to see. Who only told something sees no message of the customer: four digits can be guessed."""

    reference: str
    ticket: Ticket
    messages: list[MessageView]
    own_words: bool


def tracking_of(settings: ServiceSettings) -> Tracking:
    """What makes and checks this platform's tracking links."""
    return Tracking(settings.signing_key.get_secret_value().encode(), settings.public_url)


def normalised(reference: str) -> str:
    """A reference as it is stored; people type small letters."""
    return reference.strip().upper()


async def with_key(tx: Transaction, reference: str, customer_id: str) -> Seen | None:
    """The request, for the customer whose key it is; None: not his, or nobody's."""
    seen = await _look(tx, reference, own_words=True)
    try:
        visitor = UUID(customer_id)
    except ValueError:
        return None
    if seen is None:
        return None
    return seen if seen.ticket.customer_id in await customers.same_person(tx, visitor) else None


async def with_token(tx: Transaction, reference: str, token: str, tracking: Tracking, at: datetime) -> Seen | None:
    """The request, for whoever has our link or visits again; None: the token does not hold."""
    if tracking.opens(token, reference, at):
        return await _look(tx, reference, own_words=True)
    if tracking.opens(token, _WEAK + reference, at):
        return await _look(tx, reference, own_words=False)
    return None


async def with_something_told(
    tx: Transaction, reference: str, given: str, tracking: Tracking, at: datetime
) -> Seen | TrackingLocked | None:
    """The request, for whoever knows what its customer told; None: a wrong try, which is counted: commit it."""
    tries = await visits.count(tx, reference, at, limit=WRONG_TRIES, lock=LOCK)
    kept = await visits.kept_proofs(tx, reference)
    held = tracking.proves(given, kept or [(reference, "")])
    if tries.wrong > WRONG_TRIES:
        return TrackingLocked(tries.last_at + LOCK, at)
    if not held:
        return None
    await visits.forgive(tx, reference)
    return await _look(tx, reference, own_words=False)


def visit_token(reference: str, tracking: Tracking, at: datetime) -> str:
    """Opens the page again for a while, for whoever told the right thing."""
    return tracking.token(_WEAK + reference, at + VISIT_HOLDS)


async def _look(tx: Transaction, reference: str, *, own_words: bool) -> Seen | None:
    number = (await loading.resolve(tx, [reference])).get(reference)
    if number is None:
        return None
    root = (await merges.roots(tx, [number]))[number]
    ticket = (await loading.load(tx, [root]))[root]
    messages = await views.newest_public_messages(tx, root, limit=SHOWN)
    return Seen(reference, ticket, [message for message in messages if own_words or message.author != "customer"], own_words)
