"""Messages to customers as staff look at them: without text or link, the address masked by whoever shows them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg

from services.intake.sending import Notification
from services.intake.store.notifications import COLUMNS, notification_of
from shared.database import Transaction

Position = tuple[datetime, UUID]
"""Where a page ends: requested_at and event_id of its last message."""


@dataclass(frozen=True)
class Filter:
    """Which messages; ``customer_id`` means all files that were merged into that one, ``ticket`` all references that answer as it."""

    customer_id: UUID | None = None
    ticket: str | None = None
    state: str | None = None


@dataclass(frozen=True)
class Seen:
    """A message and what became of it. ``resend_of`` and ``resent_as`` are notification ids."""

    notification: Notification
    state: str
    channel: str | None
    address: str | None
    failure: str | None
    finished_at: datetime | None
    next_attempt_at: datetime
    requested_by: str | None
    resend_of: UUID | None
    resent_as: UUID | None

    @property
    def position(self) -> Position:
        """Its place in lists."""
        return self.notification.requested_at, self.notification.event_id


async def newest(tx: Transaction, chosen: Filter, *, before: Position | None, limit: int) -> list[Seen]:
    """Messages, the latest first, from that position on."""
    conditions, values = _conditions(chosen)
    if before is not None:
        values += before
        conditions.append(f"(n.requested_at, n.event_id) < (${len(values) - 1}, ${len(values)})")
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    rows = await tx.fetch(
        f"{_SELECT} {where} ORDER BY n.requested_at DESC, n.event_id DESC LIMIT ${len(values) + 1}",
        *values,
        limit,
    )
    return [_seen(row) for row in rows]


async def find(tx: Transaction, notification_id: UUID) -> Seen | None:
    """One message."""
    row = await tx.fetchrow(f"{_SELECT} WHERE n.notification_id = $1", notification_id)
    return None if row is None else _seen(row)


async def lock(tx: Transaction, notification_id: UUID) -> None:
    """Nobody else has this message sent again until COMMIT."""
    await tx.execute("SELECT FROM notification WHERE notification_id = $1 FOR UPDATE", notification_id)


_SELECT: Final = f"""
    SELECT {COLUMNS}, n.status, n.channel, n.address, n.failure, n.finished_at, n.next_attempt_at, n.requested_by,
           o.notification_id AS resend_of, r.notification_id AS resent_as
      FROM notification n LEFT JOIN notification o ON o.event_id = n.resend_of LEFT JOIN notification r ON r.resend_of = n.event_id
    """


def _conditions(chosen: Filter) -> tuple[list[str], list[Any]]:
    conditions: list[str] = []
    values: list[Any] = []
    for value, condition in (
        (chosen.customer_id, _OF_CUSTOMER),
        (chosen.ticket, _OF_TICKET),
        (chosen.state, "n.status = $"),
    ):
        if value is not None:
            values.append(value)
            conditions.append(condition.replace("$", f"${len(values)}"))
    return conditions, values


_OF_CUSTOMER: Final = "n.customer_id IN (SELECT $ UNION SELECT customer_id FROM customer WHERE survivor_id = $ AND merged_into IS NOT NULL)"
_OF_TICKET: Final = """
    n.ticket_number IN (WITH ticket AS (SELECT coalesce((SELECT number FROM ticket_alias WHERE reference = $), $) AS number)
                        SELECT number FROM ticket UNION SELECT reference FROM ticket_alias JOIN ticket USING (number))
    """


def _seen(row: asyncpg.Record) -> Seen:
    fields = dict(row)
    own = ("status", "channel", "address", "failure", "finished_at", "next_attempt_at", "requested_by", "resend_of", "resent_as")
    rest = {name: fields.pop(name) for name in own}
    return Seen(notification_of(fields), rest.pop("status"), **rest)
