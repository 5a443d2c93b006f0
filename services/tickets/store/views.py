"""What readers see: lists, pages and what only people read. Nothing here is locked or decided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg

from services.tickets import search
from services.tickets.store.facts import from_row
from services.tickets.store.levels import service_levels
from services.tickets.store.loading import load
from services.tickets.store.saving import Particulars
from services.tickets.workflow.changes import Change
from services.tickets.workflow.ticket import Ticket
from shared.database import Transaction, from_json

NUMBER_PREFIX: Final = "AS-"
"""How every service number begins: what starts like this is searched as a number, anything else as words of the subject."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which tickets a list shows; None and empty do not restrict."""

    status: tuple[str, ...] = ()
    type: str | None = None
    assignee: str | None = None
    team: str | None = None
    customer_id: UUID | None = None
    q: str | None = None


@dataclass(frozen=True, slots=True)
class View:
    """A ticket as people see it."""

    ticket: Ticket
    particulars: Particulars


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One step of a ticket's life."""

    version: int
    type: str
    at: datetime
    actor: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class MessageView:
    """One message of a ticket."""

    id: UUID
    version: int
    author: str
    public: bool
    at: datetime
    channel: str | None
    reference: str | None
    text: str
    truncated: bool


async def newest(tx: Transaction, chosen: Filter, *, before: tuple[datetime, str] | None, limit: int) -> list[View]:
    """Tickets that the filter chooses, newest first, opened before that (moment, number)."""
    where, values = _conditions(chosen)
    if before is not None:
        values += before
        where.append(f"(opened_at, number) < (${len(values) - 1}, ${len(values)})")
    condition = " AND ".join(where) or "true"
    values.append(limit)
    rows = await tx.fetch(f"SELECT number FROM ticket WHERE {condition} ORDER BY opened_at DESC, number DESC LIMIT ${len(values)}", *values)
    return await views(tx, [row["number"] for row in rows])


def _conditions(chosen: Filter) -> tuple[list[str], list[Any]]:
    where: list[str] = []
    values: list[Any] = []

    def restrict(condition: str, value: Any) -> None:
        values.append(value)
        where.append(condition.format(f"${len(values)}"))

    if chosen.status:
        restrict("status = ANY({}::text[])", list(chosen.status))
    for column in ("type", "assignee", "team", "customer_id"):
        if (value := getattr(chosen, column)) is not None:
            restrict(column + " = {}", value)
    if chosen.q is not None:
        if chosen.q.upper().startswith(NUMBER_PREFIX):
            restrict("starts_with(number, {})", chosen.q.upper())
        else:
            restrict("words @@ {}::text::tsquery", search.query(chosen.q))
    return where, values


async def views(tx: Transaction, numbers: Sequence[str]) -> list[View]:
    """These tickets, in this order; numbers that no ticket has are left out."""
    tickets = await load(tx, numbers)
    rows = await tx.fetch(_PARTICULARS, list(numbers))
    particulars = {row["number"]: _particulars(row) for row in rows}
    return [View(tickets[number], particulars[number]) for number in numbers if number in tickets]


_PARTICULARS: Final = """
SELECT number, subject, product_named, serial_number, order_number, purchase_date, expected_resolution_at
  FROM ticket WHERE number = ANY($1)
"""


def _particulars(row: asyncpg.Record) -> Particulars:
    return Particulars(**{name: row[name] for name in Particulars.__slots__})


async def history(tx: Transaction, number: str, *, after: int, limit: int) -> list[HistoryEntry]:
    """The ticket's history in order, from the version after that one."""
    rows = await tx.fetch(
        "SELECT version, type, at, actor, data FROM history WHERE number = $1 AND version > $2 ORDER BY version LIMIT $3",
        number,
        after,
        limit,
    )
    return [HistoryEntry(row["version"], row["type"], row["at"], row["actor"], from_json(row["data"])) for row in rows]


async def changes(tx: Transaction, number: str) -> list[Change]:
    """The whole history in the workflow's terms: folding it gives the ticket."""
    rows = await tx.fetch("SELECT version, type, at, actor, data FROM history WHERE number = $1 ORDER BY version", number)
    levels = await service_levels(tx)
    return [Change(row["version"], row["at"], row["actor"], from_row(row["type"], row["data"], levels)) for row in rows]


async def messages(tx: Transaction, number: str, *, after: int, limit: int) -> list[MessageView]:
    """What was written on the ticket, in order, from the version after that one."""
    rows = await tx.fetch(f"{_MESSAGES} AND version > $2 ORDER BY version LIMIT $3", number, after, limit)
    return [MessageView(**row) for row in rows]


async def newest_public_messages(tx: Transaction, number: str, *, limit: int) -> list[MessageView]:
    """The end of what the customer wrote or was written, in order."""
    rows = await tx.fetch(f"{_MESSAGES} AND public ORDER BY version DESC LIMIT $2", number, limit)
    return [MessageView(**row) for row in reversed(rows)]


_MESSAGES: Final = "SELECT id, version, author, public, at, channel, reference, text, truncated FROM message WHERE number = $1"
