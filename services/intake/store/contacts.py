"""What we had to do with a customer: his requests, what he was told, his tickets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shared.database import Transaction


@dataclass(frozen=True)
class ContactMade:
    """He wrote, or was written to. ``status`` is that of a notification, ``type`` the request's type or the notification's kind."""

    kind: str
    id: UUID
    at: datetime
    type: str | None
    channel: str | None
    number: str | None
    status: str | None
    failure: str | None
    entered_by: str | None


@dataclass(frozen=True)
class TicketOf:
    """A ticket as far as intake knows it."""

    number: str
    status: str


async def contacts(tx: Transaction, family: Sequence[UUID], *, before: tuple[datetime, UUID] | None, limit: int) -> list[ContactMade]:
    """The contacts of a customer and of those merged into him, newest first."""
    rows = await tx.fetch(
        """
        (SELECT 'request' AS kind, request_id AS id, received_at AS at, type, channel, reference AS number,
                CASE WHEN dismissed_at IS NULL THEN NULL ELSE 'dismissed' END AS status, NULL AS failure, entered_by
           FROM request WHERE customer_id = ANY($1::uuid[]) AND ($2::timestamptz IS NULL OR (received_at, request_id) < ($2, $3))
          ORDER BY received_at DESC, request_id DESC LIMIT $4)
         UNION ALL
        (SELECT 'notification', event_id, requested_at, kind, channel, ticket_number, status, failure, NULL
           FROM notification WHERE customer_id = ANY($1::uuid[]) AND ($2::timestamptz IS NULL OR (requested_at, event_id) < ($2, $3))
          ORDER BY requested_at DESC, event_id DESC LIMIT $4)
         ORDER BY at DESC, id DESC LIMIT $4
        """,
        list(family),
        *(before or (None, None)),
        limit,
    )
    return [ContactMade(**row) for row in rows]


async def tickets(tx: Transaction, family: Sequence[UUID], *, limit: int = 50) -> list[TicketOf]:
    """The newest tickets of a customer and of those merged into him."""
    rows = await tx.fetch(
        "SELECT number, status FROM ticket_copy WHERE customer_id = ANY($1::uuid[]) ORDER BY number DESC LIMIT $2", list(family), limit
    )
    return [TicketOf(**row) for row in rows]
