"""Load, decide, save, tell. A handler works inside the transaction of the door that called it; it never commits.

A token is drawn in the transaction that stores its hash and requests the mail with its link: whatever is rolled back takes all three
with it, so a link that reaches a customer always opens something.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final, Literal
from uuid import UUID, uuid5

from services.feedback import store
from services.feedback.settings import FeedbackSettings
from services.feedback.survey import invitations
from services.feedback.survey.answers import Answers, check
from services.feedback.survey.forms import FORMS
from services.feedback.survey.invitations import EpisodeKey, Invitation, State, Timing
from services.feedback.survey.language import closest
from shared import outbox, timers
from shared.database import Transaction
from shared.errors import NotFound
from shared.events.codes import DEFAULT_LOCALE, Locale
from shared.events.envelope import Event
from shared.events.intake import CustomerRegistered
from shared.events.notification import FeedbackNotificationRequested
from shared.events.tickets import TicketMessageAdded, TicketReopened, TicketResolved
from shared.timers import Timer

SEND: Final = "survey_invitation"
"""Kind of the timer that sends a planned invitation, and of the notification that carries its link."""

Door = Literal["rest", "page"]


class UnknownSurvey(NotFound):
    """No invitation has this token: forged, or mistyped."""

    code: ClassVar[str] = "survey_unknown"

    def __init__(self) -> None:
        super().__init__("there is no survey with this token")


@dataclass(frozen=True, slots=True)
class Inviting:
    """How customers are asked: when, and at which address the page is. ``page_url`` ends without a slash."""

    timing: Timing
    page_url: str

    @classmethod
    def told_by(cls, settings: FeedbackSettings) -> Inviting:
        """As the environment says."""
        return cls(Timing(delay=settings.delay, lifetime=settings.survey_lifetime), settings.public_url)

    def link(self, token: str) -> str:
        """What the customer opens."""
        return f"{self.page_url}/s/{token}"


async def follow(tx: Transaction, facts: Sequence[Event], *, inviting: Inviting, at: datetime) -> None:
    """What other services tell, in order: customers' languages, aliases of tickets, resolutions that call for a survey or void one."""
    await store.save_customers(tx, _languages(facts))
    await store.save_aliases(tx, {fact.reference: fact.ticket_number for fact in facts if isinstance(fact, TicketMessageAdded)})
    episodes = [fact for fact in facts if isinstance(fact, TicketResolved | TicketReopened)]
    if episodes:
        await _follow_episodes(tx, episodes, inviting=inviting, at=at)


async def _follow_episodes(tx: Transaction, facts: Sequence[TicketResolved | TicketReopened], *, inviting: Inviting, at: datetime) -> None:
    known = await store.invitations_for_update(tx, {(fact.ticket_number, fact.episode) for fact in facts})
    customers = await store.customer_locales(tx, {fact.customer_id for fact in facts})

    def locale_of(fact: TicketResolved) -> Locale:
        # the language of this very request; where we do not speak it, the customer's usual one
        return closest(fact.locale) or customers.get(fact.customer_id) or DEFAULT_LOCALE

    after = invitations.follow(known, facts, locale_of=locale_of, timing=inviting.timing, at=at)
    await _save_and_tell(tx, known, after, inviting=inviting, at=at)


async def send_due(tx: Transaction, ids: Collection[UUID], *, inviting: Inviting, at: datetime) -> None:
    """The time of these planned invitations has come; the caller has locked them."""
    known = {invitation.key: invitation for invitation in await store.invitations(tx, ids)}
    after = {key: invitations.send(invitation, at=at, timing=inviting.timing) for key, invitation in known.items()}
    await _save_and_tell(tx, known, after, inviting=inviting, at=at)


async def find(tx: Transaction, token: str) -> Invitation:
    """The invitation of this token, whatever became of it. Looking changes nothing: mail scanners open every link.

    Raises:
        UnknownSurvey: no such token.
    """
    invitation = await store.invitation_by_token(tx, token)
    if invitation is None:
        raise UnknownSurvey
    return invitation


async def answer(
    tx: Transaction,
    token: str,
    given: Mapping[str, object],
    comment: object = None,
    *,
    locale: Locale | None,
    door: Door,
    at: datetime,
) -> tuple[Invitation, Answers]:
    """Take the first answer; it is final. ``locale`` is the language in which it was asked, by default the invitation's.

    Raises:
        UnknownSurvey: no such token.
        AlreadyAnswered: it has its answer; of any number of answers at the same time one is taken.
        SurveyEnded: cancelled or expired.
        Invalid: the answers do not fit the form; nothing was recorded.
    """
    invitation = await store.invitation_by_token(tx, token, lock=True)
    if invitation is None:
        raise UnknownSurvey
    invitation = invitations.answer(invitation, at=at)
    answers = check(FORMS[invitation.form], given, comment)
    read_in = locale or invitation.locale
    await store.change(tx, [invitation], {})
    await store.add_answer(tx, invitation.id, answers, locale=read_in, door=door)
    await outbox.append(tx, [invitations.answered(invitation, answers, locale=read_in)])
    return invitation, answers


async def _save_and_tell(
    tx: Transaction,
    before: Mapping[EpisodeKey, Invitation],
    after: Mapping[EpisodeKey, Invitation],
    *,
    inviting: Inviting,
    at: datetime,
) -> None:
    changed = [invitation for key, invitation in after.items() if before.get(key) != invitation]
    sent = [invitation for invitation in changed if invitation.state(at) is State.OPEN]
    planned = [invitation for invitation in changed if invitation.state(at) is State.SCHEDULED]
    cancelled = [invitation for invitation in changed if invitation.state(at) is State.CANCELLED]
    tokens = {invitation.id: secrets.token_urlsafe(store.TOKEN_BYTES) for invitation in sent}
    hashes = {id_: store.token_hash(token) for id_, token in tokens.items()}
    await store.add(tx, [invitation for invitation in changed if invitation.key not in before], hashes)
    await store.change(tx, [invitation for invitation in changed if invitation.key in before], hashes)
    await timers.arm(tx, [Timer(SEND, str(invitation.id), 1, invitation.send_at) for invitation in planned])
    await timers.cancel(tx, [(SEND, str(invitation.id)) for invitation in cancelled if invitation.invited_at is None])
    events: list[Event] = []
    for invitation in sent:
        events += [invitations.invited(invitation), _request_mail(invitation, inviting.link(tokens[invitation.id]))]
    # an invitation that nobody received is not called off
    events += [invitations.cancelled(invitation) for invitation in cancelled if invitation.invited_at is not None]
    await outbox.append(tx, events)


def _request_mail(invitation: Invitation, link: str) -> FeedbackNotificationRequested:
    assert invitation.invited_at is not None
    return FeedbackNotificationRequested(
        occurred_at=invitation.invited_at,
        notification_id=uuid5(invitation.id, SEND),
        customer_id=invitation.customer_id,
        kind=SEND,
        locale=invitation.locale,
        ticket_number=invitation.ticket_number,
        link=link,
        expires_at=invitation.expires_at,
    )


def _languages(facts: Sequence[Event]) -> dict[UUID, Locale]:
    told = [fact for fact in facts if isinstance(fact, CustomerRegistered)]
    return {fact.customer_id: closest(fact.locale) or DEFAULT_LOCALE for fact in told}
