"""What the bus brings: requests become tickets or join one, survey answers confirm or reopen, what was no request ends its ticket.
One batch, each table written once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from typing import Final
from uuid import UUID

from services.tickets.assignment.staff import Work
from services.tickets.handlers import acquaintance, assigning
from services.tickets.handlers.assigning import Assigning, work_of
from services.tickets.handlers.surroundings import Surroundings, survey
from services.tickets.proof import Tracking
from services.tickets.sla import ServiceLevels
from services.tickets.store import candidates, learning, loading, words
from services.tickets.store.levels import held_service_levels
from services.tickets.store.saving import Particulars
from services.tickets.workflow import messages, opening
from services.tickets.workflow.changes import MessageAdded
from services.tickets.workflow.dismissal import Dismissal, dismiss
from services.tickets.workflow.docket import Docket
from services.tickets.workflow.gratitude import is_only_thanks
from services.tickets.workflow.messages import Answer
from services.tickets.workflow.opening import Request
from services.tickets.workflow.ticket import Ticket
from shared import clock, outbox, telemetry
from shared.database import Transaction
from shared.errors import NotFound
from shared.events.envelope import Event
from shared.events.feedback import SurveyAnswered
from shared.events.intake import Product, RequestDismissed, RequestReceived

log = telemetry.logger()


async def receive(tx: Transaction, events: Sequence[Event], tracking: Tracking | None = None) -> None:
    """Take in a batch, in order. Types that tickets does not need pass by. ``tracking`` makes the links of messages to customers.

    Raises:
        NotFound: an answer is about a ticket that does not exist.
    """
    requests = [event for event in events if isinstance(event, RequestReceived)]
    others = [event for event in events if not isinstance(event, RequestReceived)] if len(requests) < len(events) else []
    answers = [event for event in others if isinstance(event, SurveyAnswered)]
    dismissals = [event for event in others if isinstance(event, RequestDismissed)]
    await acquaintance.keep(tx, others)
    if not requests and not answers and not dismissals:
        await acquaintance.look_again(tx, others)
        return
    batch = await _prepare(tx, requests, answers, dismissals, tracking)
    for event in events:
        match event:
            case RequestReceived():
                await _take_request(tx, batch, event)
            case SurveyAnswered():
                await _take_answer(tx, batch, event)
            case RequestDismissed():
                _take_dismissal(batch, event)
            case _:
                continue
    await assigning.save(tx, batch.docket, batch.particulars, batch.assigning)
    await learning.complete(tx, batch.learned)
    await words.insert_messages(tx, batch.messages)
    await candidates.keep_conversations(tx, batch.around.newest)
    await candidates.keep_proofs(tx, batch.around.proofs)
    await acquaintance.look_again(tx, others)
    await outbox.append(tx, batch.docket.events)
    log.info("requests_received", count=len(requests), records=len(events), total=len(batch.docket.history))


@dataclass
class _Batch:
    """What the decisions of one batch work on."""

    policy: ServiceLevels
    docket: Docket
    around: Surroundings
    known: set[UUID]
    """Requests that already had their effect."""
    tiers: dict[UUID, str]
    assigning: Assigning
    now: datetime
    particulars: dict[str, Particulars] = field(default_factory=dict)
    learned: dict[str, Particulars] = field(default_factory=dict)
    """What further messages told, by ticket."""
    messages: list[words.Message] = field(default_factory=list)
    requests: dict[str, dict[UUID, int]] = field(default_factory=dict)
    """What stood already on the tickets of dismissed requests, with the version that each made."""

    def series(self, ticket: Ticket) -> list[Ticket]:
        """All tickets on the same matter, newest first."""
        return [self.docket[number] for number in reversed(self.around.series[ticket.series])]


async def _prepare(
    tx: Transaction,
    requests: Sequence[RequestReceived],
    answers: Sequence[SurveyAnswered],
    dismissals: Sequence[RequestDismissed],
    tracking: Tracking | None,
) -> _Batch:
    around = await survey(tx, requests, answers, dismissals)
    tiers = await words.tiers_under(tx, {id: top for id, (top, _) in around.families.items()})
    expected = chain((_work(event, _tier(event, tiers)) for event in requests), (work_of(ticket) for ticket in around.tickets.values()))
    dismissed = [number for event in dismissals if (number := around.numbers.get(event.reference)) is not None]
    return _Batch(
        policy=await held_service_levels(tx),
        docket=Docket(around.tickets, tracking),
        around=around,
        known=await words.known_messages(tx, [event.request_id for event in requests]),
        tiers=tiers,
        assigning=await assigning.prepare(tx, expected),
        requests=await words.requests_on(tx, dismissed) if dismissed else {},
        now=clock.now(),
    )


def _work(event: RequestReceived, tier: str, after: Ticket | None = None) -> Work:
    """What assignment looks at of the ticket that the request would open."""
    known = after.type if after else None
    return Work(event.type or known, event.channel, tier)


def _tier(event: RequestReceived, tiers: Mapping[UUID, str]) -> str:
    return tiers.get(event.customer_id, words.DEFAULT_TIER)


# ------------------------------------------------------------------ requests


async def _take_request(tx: Transaction, batch: _Batch, event: RequestReceived) -> None:
    if event.request_id in batch.known:
        return
    batch.known.add(event.request_id)
    sealed = words.seal(event.text)
    found = batch.around.match(event, batch.docket)
    if found is None:
        _open(batch, event, sealed)
        return
    named = batch.docket[found.number]
    message = messages.Message(event.request_id, event.reference, sealed.digest, is_only_thanks(event.text), found.reason)
    # an answer to an old mail belongs to the newest ticket on the matter that still takes it
    for candidate in [named, *(batch.series(named) if found.is_answer else [])]:
        if messages.joins(candidate, message, event.occurred_at):
            _join(batch, candidate, message, event, sealed)
            return
    number = opening.linked_number(named.series, await loading.next_ordinal(tx, named.series))
    _open(batch, event, sealed, after=named, number=number)


def _open(batch: _Batch, event: RequestReceived, sealed: words.Seal, *, after: Ticket | None = None, number: str | None = None) -> None:
    tier = _tier(event, batch.tiers)
    request = Request(
        request_id=event.request_id,
        reference=event.reference,
        customer_id=event.customer_id,
        channel=event.channel,
        locale=event.locale,
        tier=tier,
        type=event.type,
        product_model=opening.model_code(event.product.model if event.product else None),
        digest=sealed.digest,
        entered_by=event.entered_by,
    )
    place = batch.assigning.place(number or event.reference, _work(event, tier, after), batch.now)
    ticket = batch.docket.open(
        opening.open_request(request, event.occurred_at.astimezone(UTC), batch.policy, after=after, number=number, place=place)
    )
    batch.particulars[ticket.number] = _particulars(event)
    batch.around.opened(ticket, event)
    _keep(batch, ticket.number, ticket.version, event, sealed)


def _join(batch: _Batch, ticket: Ticket, message: messages.Message, event: RequestReceived, sealed: words.Seal) -> None:
    after, changes = messages.add(ticket, message, event.occurred_at, batch.policy)
    batch.docket.record(after, changes)
    told = _particulars(event)
    if told != Particulars():
        batch.learned[ticket.number] = batch.learned.get(ticket.number, Particulars()).then(told)
    added = next(change for change in changes if isinstance(change.fact, MessageAdded))
    _keep(batch, ticket.number, added.version, event, sealed)


def _particulars(event: RequestReceived) -> Particulars:
    product = event.product or _NO_PRODUCT
    return Particulars(
        event.subject, product.model, product.serial_number, product.order_number, product.purchase_date, event.expected_resolution_at
    )


_NO_PRODUCT: Final = Product()


def _keep(batch: _Batch, number: str, version: int, event: RequestReceived, sealed: words.Seal) -> None:
    """Note the message's words, and that its own service number answers as the ticket from now on."""
    batch.around.took(event, number)
    batch.messages.append(
        words.Message(
            id=event.request_id,
            number=number,
            version=version,
            author="customer",
            public=True,
            at=event.occurred_at,
            text=event.text,
            salt=sealed.salt,
            channel=event.channel,
            reference=event.reference,
            truncated=event.truncated,
            received_at=event.received_at,
            entered_by=None if event.entered_by == "customer" else event.entered_by,
        )
    )


# ------------------------------------------------------------------ answers


async def _take_answer(tx: Transaction, batch: _Batch, event: SurveyAnswered) -> None:
    ticket = batch.around.ticket(event.ticket_number, batch.docket)
    if ticket is None:
        raise NotFound(f"no ticket {event.ticket_number} for the answer to invitation {event.invitation_id}")
    answer = Answer(event.episode, event.overall, event.solved)
    if messages.opens_linked(ticket, answer, event.occurred_at, batch.series(ticket)):
        number = opening.linked_number(ticket.series, await loading.next_ordinal(tx, ticket.series))
        place = batch.assigning.place(number, work_of(ticket), batch.now)
        linked = batch.docket.open(opening.open_after_low_answer(ticket, number, event.occurred_at, batch.policy, place=place))
        batch.around.opened(linked, None)
    else:
        batch.docket.record(*messages.answer(ticket, answer, event.occurred_at))


# ------------------------------------------------------------------ dismissals


def _take_dismissal(batch: _Batch, event: RequestDismissed) -> None:
    """A ticket that somebody works on already stays; whether it goes on is for him to say."""
    ticket = batch.around.ticket(event.reference, batch.docket)
    if ticket is not None:
        fresh = {message.id: message.version for message in batch.messages if message.number == ticket.number}
        requests = batch.requests.get(ticket.number, {}) | fresh
        batch.docket.record(*dismiss(ticket, Dismissal(event.request_id, event.actor), requests, event.occurred_at))
