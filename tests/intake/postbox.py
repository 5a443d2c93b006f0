"""What the other services ask for, and what arrives in the customers' boxes."""

from __future__ import annotations

from datetime import timedelta
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from services.intake.consumer import handle
from services.intake.sending.kinds import SETTLING
from shared import clock
from shared.consumer import Received
from shared.database import Database
from shared.events.envelope import Event
from shared.events.notification import FeedbackNotificationRequested, TicketNotificationRequested
from tests.intake.builders import events

NUMBER = "AS-20261125EEA182H"
LINK = "https://feedback.example.com/s/token"


def invitation(customer_id: UUID, **fields: Any) -> FeedbackNotificationRequested:
    values: dict[str, Any] = {
        "occurred_at": clock.now(),
        "notification_id": uuid4(),
        "customer_id": customer_id,
        "kind": "survey_invitation",
        "locale": "zh-CN",
        "ticket_number": NUMBER,
        "link": LINK,
        "expires_at": clock.now() + timedelta(days=14),
    }
    return FeedbackNotificationRequested(**{**values, **fields})


def reply(customer_id: UUID, **fields: Any) -> TicketNotificationRequested:
    values: dict[str, Any] = {
        "occurred_at": clock.now(),
        "notification_id": uuid4(),
        "customer_id": customer_id,
        "kind": "ticket_reply",
        "locale": "en",
        "ticket_number": NUMBER,
        "text": "Please send us a photo.",
    }
    return TicketNotificationRequested(**{**values, **fields})


def received(event: Event, event_id: UUID | None = None) -> Received:
    return Received(event.TOPIC.name, 0, 1, event_id or uuid4(), event.TYPE, event.key, event.occurred_at, event, 0)


async def ask(database: Database, *asked: Event) -> list[UUID]:
    """The bus brings these; their event ids."""
    records = [received(event) for event in asked]
    async with database.transaction() as tx:
        await handle(tx, records)
    return [record.event_id for record in records]


async def make_due(database: Database) -> None:
    """Let the time until the next attempt pass."""
    async with database.transaction() as tx:
        await tx.execute("UPDATE notification SET next_attempt_at = now() WHERE status = 'pending'")


def mails(folder: Path) -> list[Any]:
    return [message_from_bytes(file.read_bytes(), policy=default) for file in sorted((folder / "mail/new").iterdir())]


async def ended(database: Database) -> list[dict[str, Any]]:
    return await events(database, "notification.delivered.v1", "notification.failed.v1")


def status(customer_id: UUID, now: str = "in_progress", **fields: Any) -> TicketNotificationRequested:
    """Asked for so long ago that nothing newer is waited for."""
    asked_at = clock.now() - SETTLING
    return reply(customer_id, **{"kind": "ticket_status", "text": None, "data": {"status": now}, "occurred_at": asked_at, **fields})
