"""What people ask for by REST: one action on one ticket, as they saw it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from services.tickets.handlers import assigning, cases, delegation
from services.tickets.handlers.assigning import Assigning
from services.tickets.handlers.versions import seen
from services.tickets.proof import Tracking
from services.tickets.store import loading, words
from services.tickets.store.levels import held_service_levels
from services.tickets.workflow.actions import advance
from services.tickets.workflow.changes import Replied
from services.tickets.workflow.commands import Actor, Command, Delegation, Letter, Merging, Note, Parting, Reply
from services.tickets.workflow.docket import Docket
from services.tickets.workflow.ticket import Ticket
from shared import outbox, telemetry
from shared.database import Transaction
from shared.errors import NotFound
from shared.events.envelope import Event, Written
from shared.events.notification import TicketNotificationRequested

log = telemetry.logger()

Asked = Command | Letter | Delegation | Merging | Parting


async def ticket_number(tx: Transaction, reference: str) -> str:
    """The number of the ticket that a reference answers as.

    Raises:
        NotFound: nobody was given this reference.
    """
    found = await loading.resolve(tx, [reference])
    if reference not in found:
        raise NotFound(f"no ticket {reference}")
    return found[reference]


async def act(
    tx: Transaction, number: str, asked: Asked, *, by: Actor, version: int, at: datetime, tracking: Tracking | None = None
) -> Ticket:
    """Carry out an action on the ticket, which the caller saw at ``version``. ``tracking`` makes the links of messages to the customer.

    Raises:
        NotFound: no such ticket.
        Stale: it has changed since.
        TransitionRefused: the workflow does not allow it.
    """
    if isinstance(asked, cases.Asked):
        return await cases.act(tx, number, asked, Docket(tracking=tracking), by=by, version=version, at=at)
    await loading.lock(tx, [number])
    tickets = await loading.load(tx, [number])
    ticket = seen(tickets, number, version)
    return await _carry_out(tx, Docket(tickets, tracking), ticket, asked, by, at)


async def _carry_out(
    tx: Transaction, docket: Docket, ticket: Ticket, asked: Command | Letter | Delegation, by: Actor, at: datetime
) -> Ticket:
    policy = await held_service_levels(tx)
    letter = asked if isinstance(asked, Letter) else asked.note if isinstance(asked, Delegation) else None
    written = None
    if letter is not None:
        written = _Written(uuid4(), letter, words.seal(letter.text))
        ticket = docket.record(*advance(ticket, written.reply, by=by, at=at, policy=policy))
    given = Assigning()
    if not isinstance(asked, Letter):
        command = await delegation.complete(tx, given, ticket, asked, by=by, at=at)
        ticket = docket.record(*advance(ticket, command, by=by, at=at, policy=policy))
    await assigning.save(tx, docket, {}, given)
    ticket = docket[ticket.number]
    events: Sequence[Event | Written] = docket.events
    if written is not None:
        await words.insert_messages(tx, [_message(docket, written)])
        events = [*events, *_notification(ticket, written, docket.link(ticket.number, ticket.changed_at))]
    await outbox.append(tx, events)
    log.info("ticket_acted_on", number=ticket.number, action=str(asked.ACTION), version=ticket.version, status=str(ticket.status))
    return ticket


@dataclass(frozen=True, slots=True)
class _Written:
    """What staff wrote, put away under its id."""

    id: UUID
    letter: Letter
    sealed: words.Seal

    @property
    def reply(self) -> Reply | Note:
        """In the workflow's terms."""
        if self.letter.is_note:
            return Note(self.id, self.sealed.digest)
        return Reply(self.id, self.sealed.digest, self.letter.public)


def _message(docket: Docket, written: _Written) -> words.Message:
    number, change = next((number, change) for number, change in docket.history if isinstance(change.fact, Replied))
    return words.Message(
        id=written.id,
        number=number,
        version=change.version,
        author=change.actor,
        public=written.letter.public,
        at=change.at,
        text=written.letter.text,
        salt=written.sealed.salt,
    )


def _notification(ticket: Ticket, written: _Written, link: str | None) -> list[TicketNotificationRequested]:
    """The customer should read what staff wrote; intake knows how to reach him."""
    if not written.letter.public:
        return []
    return [
        TicketNotificationRequested(
            occurred_at=ticket.changed_at,
            notification_id=written.id,
            customer_id=ticket.customer_id,
            kind="ticket_reply",
            locale=ticket.locale,
            ticket_number=ticket.number,
            text=written.letter.text,
            link=link,
        )
    ]
