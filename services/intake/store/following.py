"""Requests after they were taken in: how they stand, what was added to them, and that some were none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg

from services.intake.completeness import Recorded
from services.intake.store.tickets import GOES_ON
from shared.database import Transaction, from_json


@dataclass(frozen=True)
class Dismissal:
    """Somebody verified that nothing is to be done."""

    at: datetime
    by: str
    reason_code: str


@dataclass(frozen=True)
class Followed:
    """A request with what became of it.

    ``record`` is what was asked for, in the request or in the one that it completes; ``added`` what was brought since, oldest first.
    """

    fields: Mapping[str, Any]
    record: Recorded
    added: tuple[Recorded, ...]
    survivor_id: UUID
    locale: str
    ticket_number: str | None
    ticket_status: str | None
    dismissal: Dismissal | None

    @property
    def reference(self) -> str:
        """Its number."""
        return str(self.fields["reference"])

    @property
    def has_joined(self) -> bool:
        """Whether it is on the ticket of an earlier request."""
        return self.ticket_number not in (None, self.reference)

    @property
    def first(self) -> str:
        """The number of the request that it completes, or its own."""
        return str(self.fields["completes"] or self.reference)


async def find(tx: Transaction, reference: str, *, of: UUID | None = None) -> Followed | None:
    """A request; ``of``: only if it is this customer's, whoever answers for him by now."""
    row = await tx.fetchrow(
        f"""
        SELECT {_FIELDS}, r.locale, c.survivor_id, r.dismissed_at, r.dismissed_by, r.dismissed_because,
               t.number AS ticket_number, t.status AS ticket_status
          FROM request r JOIN customer c USING (customer_id)
               LEFT JOIN ticket_alias a ON a.reference = r.reference
               LEFT JOIN LATERAL {GOES_ON.format("coalesce(a.number, r.reference)")} t ON true
         WHERE r.reference = $1
           AND ($2::uuid IS NULL OR c.survivor_id = coalesce((SELECT survivor_id FROM customer WHERE customer_id = $2), $2))
        """,
        reference,
        of,
    )
    if row is None:
        return None
    first, *added = await tx.fetch(
        """
        SELECT type, product, contact, expected_resolution_at, missing_fields FROM request WHERE reference = $1 OR completes = $1
         ORDER BY completes IS NOT NULL, received_at, request_id
        """,
        row["completes"] or reference,
    )
    return _followed(row, _recorded(first), tuple(map(_recorded, added)))


@dataclass(frozen=True)
class Line:
    """A request in a list."""

    request_id: UUID
    reference: str
    received_at: datetime
    channel: str
    type: str | None
    subject: str | None
    order_number: str | None
    locale: str
    ticket_number: str | None
    ticket_status: str | None
    is_dismissed: bool


async def of_customers(
    tx: Transaction, family: Sequence[UUID], order_number: str | None, *, before: tuple[datetime, UUID] | None, limit: int
) -> list[Line]:
    """The requests of a customer and of those merged into him, all or about one order, newest first; not what completed them."""
    whose = "r.customer_id = ANY($4::uuid[]) AND ($5::text IS NULL OR r.order_number = $5)"
    return [Line(**row) for row in await tx.fetch(_LISTED.format(whose), *(before or (None, None)), limit, list(family), order_number)]


async def about_order(tx: Transaction, order_number: str, *, before: tuple[datetime, UUID] | None, limit: int) -> list[Line]:
    """The requests about an order, whoever's they are, newest first; not what completed them."""
    rows = await tx.fetch(_LISTED.format("r.order_number = $4"), *(before or (None, None)), limit, order_number)
    return [Line(**row) for row in rows]


_LISTED: Final = f"""
    SELECT r.request_id, r.reference, r.received_at, r.channel, r.type, r.subject, r.order_number, r.locale,
           t.number AS ticket_number, t.status AS ticket_status, r.dismissed_at IS NOT NULL AS is_dismissed
      FROM request r LEFT JOIN ticket_alias a ON a.reference = r.reference
           LEFT JOIN LATERAL {GOES_ON.format("coalesce(a.number, r.reference)")} t ON true
     WHERE r.completes IS NULL AND {{}} AND ($1::timestamptz IS NULL OR (r.received_at, r.request_id) < ($1, $2))
     ORDER BY r.received_at DESC, r.request_id DESC LIMIT $3
"""


async def products_of(tx: Transaction, customer_id: UUID, *, limit: int = 200) -> list[dict[str, str | None]]:
    """What the customer's newest ``limit`` requests said of products; ``customer_id`` is a survivor."""
    rows = await tx.fetch(
        """
        SELECT product FROM request
         WHERE customer_id IN (SELECT $1 UNION ALL SELECT customer_id FROM customer WHERE survivor_id = $1 AND merged_into IS NOT NULL)
         ORDER BY received_at DESC LIMIT $2
        """,
        customer_id,
        limit,
    )
    return [from_json(row["product"]) for row in rows if row["product"] is not None]


async def lock(tx: Transaction, reference: str) -> tuple[UUID, UUID, Dismissal | None] | None:
    """A request's id, the customer with whom it was written and its dismissal, locked against being dismissed by others."""
    row = await tx.fetchrow(
        "SELECT request_id, customer_id, dismissed_at, dismissed_by, dismissed_because FROM request WHERE reference = $1 FOR UPDATE",
        reference,
    )
    return None if row is None else (row["request_id"], row["customer_id"], _dismissal(row))


async def dismiss(tx: Transaction, request_id: UUID, dismissal: Dismissal) -> None:
    """Write down that nothing is to be done."""
    await tx.execute(
        "UPDATE request SET dismissed_at = $2, dismissed_by = $3, dismissed_because = $4 WHERE request_id = $1",
        request_id,
        dismissal.at,
        dismissal.by,
        dismissal.reason_code,
    )


def _dismissal(row: asyncpg.Record) -> Dismissal | None:
    if row["dismissed_at"] is None:
        return None
    return Dismissal(row["dismissed_at"], row["dismissed_by"], row["dismissed_because"])


_FIELDS = """
    r.request_id, r.reference, r.customer_id, r.channel, r.external_id, r.type, r.subject, r.text, r.product, r.expected_resolution_at,
    r.occurred_at, r.occurred_at_clamped, r.received_at, r.in_reply_to, r.external_id_reused, r.entered_by, r.conversation_id, r.completes
"""


def _followed(row: asyncpg.Record, record: Recorded, added: tuple[Recorded, ...]) -> Followed:
    outside = {"survivor_id", "locale", "ticket_number", "ticket_status"}
    fields = {name: value for name, value in row.items() if name not in outside and not name.startswith("dismissed_")}
    return Followed(
        fields=fields | {"product": from_json(row["product"])},
        record=record,
        added=added,
        survivor_id=row["survivor_id"],
        locale=row["locale"],
        ticket_number=row["ticket_number"],
        ticket_status=row["ticket_status"],
        dismissal=_dismissal(row),
    )


def _recorded(row: asyncpg.Record) -> Recorded:
    return Recorded(
        type=row["type"],
        has_wish=row["expected_resolution_at"] is not None,
        product=from_json(row["product"]) or {},
        contact=from_json(row["contact"]),
        missing=tuple(from_json(row["missing_fields"])),
    )
