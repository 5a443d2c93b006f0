"""What the bus brings to intake: the life of tickets, for the read copy, what customers should know, and which surveys are over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from services.intake.handlers import surveys
from services.intake.sending import Notification
from services.intake.store import notifications, tickets
from services.intake.store.tickets import TicketCopy
from shared.database import Transaction
from shared.events.envelope import Event
from shared.events.notification import NotificationRequested
from shared.events.tickets import TicketEvent, TicketMerged, TicketMessageAdded


async def learn(tx: Transaction, events: Sequence[tuple[UUID, Event]], *, due_at: datetime) -> None:
    """Take in a batch of (event id, event); types that intake does not need pass by. Repeating it changes nothing.

    ``due_at``: when (real time) new notifications are to be delivered.
    """
    await _learn_tickets(tx, [event for _, event in events if isinstance(event, TicketEvent)])
    asked = [_notification(event_id, event) for event_id, event in events if isinstance(event, NotificationRequested)]
    if asked:
        await notifications.request(tx, asked, due_at)
    await surveys.learn(tx, [event for _, event in events], due_at=due_at)


async def _learn_tickets(tx: Transaction, events: Sequence[TicketEvent]) -> None:
    if events:
        await tickets.save(tx, [_copy(event) for event in events])
    joined = [event for event in events if isinstance(event, TicketMessageAdded) and event.reference != event.ticket_number]
    if joined:
        await tickets.save_aliases(tx, [(event.reference, event.ticket_number) for event in joined])


def _copy(event: TicketEvent) -> TicketCopy:
    into = event.into_number if isinstance(event, TicketMerged) else None
    return TicketCopy(event.ticket_number, event.customer_id, event.dimensions.status, event.ticket_version, into)


def _notification(event_id: UUID, event: NotificationRequested) -> Notification:
    return Notification(
        event_id=event_id,
        notification_id=event.notification_id,
        customer_id=event.customer_id,
        kind=event.kind,
        locale=event.locale,
        requested_at=event.occurred_at,
        ticket_number=event.ticket_number,
        text=event.text,
        link=event.link,
        data=event.data,
        expires_at=event.expires_at,
    )
