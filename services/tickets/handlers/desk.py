"""What people ask for by REST: one action on one ticket, as they saw it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid4

from services.tickets.store import loading, saving, words
from services.tickets.store.policy import policy_in_force
from services.tickets.workflow.actions import advance
from services.tickets.workflow.commands import Actor, Command, Letter, Reply
from services.tickets.workflow.docket import Docket
from services.tickets.workflow.ticket import Ticket
from shared import outbox, telemetry
from shared.database import Transaction
from shared.errors import NotFound, Stale
from shared.events.envelope import Event
from shared.events.notification import TicketNotificationRequested

log = telemetry.logger()


async def ticket_number(tx: Transaction, reference: str) -> str:
    """The number of the ticket that a reference answers as.

    Raises:
        NotFound: nobody was given this reference.
    """
    found = await loading.resolve(tx, [reference])
    if reference not in found:
        raise NotFound(f"no ticket {reference}")
    return found[reference]


async def act(tx: Transaction, number: str, asked: Command | Letter, *, by: Actor, version: int, at: datetime) -> Ticket:
    """Carry out an action on the ticket, which the caller saw at ``version``.

    Raises:
        NotFound: no such ticket.
        Stale: it has changed since.
        TransitionRefused: the workflow does not allow it.
    """
    await loading.lock(tx, [number])
    tickets = await loading.load(tx, [number])
    if number not in tickets:
        raise NotFound(f"no ticket {number}")
    ticket = tickets[number]
    if ticket.version != version:
        raise Stale(f"ticket {number} is at version {ticket.version}", facts={"current_version": ticket.version})
    return await _carry_out(tx, Docket(tickets), ticket, asked, by, at)


async def _carry_out(tx: Transaction, docket: Docket, ticket: Ticket, asked: Command | Letter, by: Actor, at: datetime) -> Ticket:
    message_id, sealed, command = uuid4(), None, asked
    if isinstance(asked, Letter):
        sealed = words.seal(asked.text)
        command = Reply(message_id, sealed.digest, asked.public)
    assert not isinstance(command, Letter)
    policy = await policy_in_force(tx, at)
    after, changes = advance(ticket, command, by=by, at=at, policy=policy)
    docket.record(after, changes)
    events: Sequence[Event] = docket.events
    await saving.save(tx, docket, {})
    if isinstance(asked, Letter) and sealed is not None:
        at = changes[-1].at
        await words.insert_messages(tx, [_message(message_id, after, asked, sealed, by, at)])
        events = [*events, *_notification(message_id, after, asked, at)]
    await outbox.append(tx, events)
    log.info("ticket_acted_on", number=after.number, action=str(command.ACTION), version=after.version, status=str(after.status))
    return after


def _message(id: UUID, ticket: Ticket, letter: Letter, sealed: words.Seal, by: Actor, at: datetime) -> words.Message:
    return words.Message(
        id=id, number=ticket.number, version=ticket.version, author=by.id, public=letter.public, at=at, text=letter.text, salt=sealed.salt
    )


def _notification(id: UUID, ticket: Ticket, letter: Letter, at: datetime) -> list[TicketNotificationRequested]:
    """The customer should read what staff wrote; intake knows how to reach him."""
    if not letter.public:
        return []
    return [
        TicketNotificationRequested(
            occurred_at=at,
            notification_id=id,
            customer_id=ticket.customer_id,
            kind="ticket_reply",
            locale=ticket.locale,
            ticket_number=ticket.number,
            text=letter.text,
        )
    ]
