"""What readers see: lists, pages and what only people read. Nothing here is locked or decided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from services.tickets.store.facts import from_row
from services.tickets.store.levels import service_levels
from services.tickets.store.loading import load
from services.tickets.store.saving import Particulars
from services.tickets.workflow.changes import Change
from services.tickets.workflow.ticket import Ticket
from shared.database import Transaction

NUMBER_PREFIX: Final = "AS-"
"""How every service number begins: what starts like this is searched as a number, anything else as words of the subject."""


@dataclass(frozen=True, slots=True)
class View:
    """A ticket as people see it."""

    ticket: Ticket
    particulars: Particulars


@dataclass(frozen=True, slots=True)
class MessageView:
    """One message of a ticket; ``number`` is the ticket that it was written on, perhaps one merged into this."""

    id: UUID
    number: str
    version: int
    author: str
    public: bool
    at: datetime
    channel: str | None
    reference: str | None
    text: str
    truncated: bool
    received_at: datetime | None
    entered_by: str | None

    @property
    def place(self) -> tuple[datetime, str, int]:
        """Its place among all messages."""
        return self.at, self.number, self.version


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
    return Particulars(**{name: row[name] for name in Particulars._fields})


async def changes(tx: Transaction, number: str) -> list[Change]:
    """The whole history in the workflow's terms: folding it gives the ticket."""
    rows = await tx.fetch("SELECT version, type, at, actor, data FROM history WHERE number = $1 ORDER BY version", number)
    levels = await service_levels(tx)
    return [Change(row["version"], row["at"], row["actor"], from_row(row["type"], row["data"], levels)) for row in rows]


async def messages(tx: Transaction, number: str, *, after: tuple[datetime, str, int] | None, limit: int) -> list[MessageView]:
    """What was written on the ticket and on those merged into it, by the time of writing, from after that place."""
    beyond = "AND (at, number, version) > ($3, $4, $5)" if after else ""
    rows = await tx.fetch(f"{_MESSAGES} {beyond} ORDER BY at, number, version LIMIT $2", number, limit, *(after or ()))
    return [MessageView(**row) for row in rows]


async def newest_public_messages(tx: Transaction, number: str, *, limit: int) -> list[MessageView]:
    """The end of what the customer wrote or was written, in order."""
    rows = await tx.fetch(f"{_MESSAGES} AND public ORDER BY at DESC, number DESC, version DESC LIMIT $2", number, limit)
    return [MessageView(**row) for row in reversed(rows)]


_MESSAGES: Final = """
WITH RECURSIVE family(number) AS (
    SELECT $1::text COLLATE "C" UNION SELECT t.number FROM family f JOIN ticket t ON t.merged_into = f.number
)
SELECT id, number, version, author, public, at, channel, reference, text, truncated, received_at, entered_by
  FROM message WHERE number IN (SELECT number FROM family)
"""
