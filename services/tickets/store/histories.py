"""A ticket's history for readers: each step with what it changed, before and after."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from services.tickets.store.facts import from_row
from services.tickets.store.levels import service_levels
from services.tickets.workflow.changes import Change
from services.tickets.workflow.evolution import evolve, opened
from services.tickets.workflow.ticket import Ticket
from shared.database import Transaction, from_json

FIELDS: Final = (
    "status", "type", "step", "priority", "category", "root_topic", "team", "assignee", "resolution_code", "merged_into",
)  # fmt: skip
"""What people want to see before and after."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that a step changed."""

    field: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One step of a ticket's life."""

    version: int
    type: str
    at: datetime
    actor: str
    data: dict[str, Any]
    status_before: str | None
    differences: tuple[Difference, ...]


async def history(tx: Transaction, number: str, *, after: int, limit: int) -> list[HistoryEntry]:
    """The ticket's history in order, from the version after that one. Folded from its beginning, which tells "before"."""
    rows = await tx.fetch(
        "SELECT version, type, at, actor, data FROM history WHERE number = $1 AND version <= $2 ORDER BY version", number, after + limit
    )
    levels = await service_levels(tx)
    entries: list[HistoryEntry] = []
    ticket: Ticket | None = None
    for row in rows:
        change = Change(row["version"], row["at"], row["actor"], from_row(row["type"], row["data"], levels))
        before, ticket = ticket, opened(change) if ticket is None else evolve(ticket, change)
        if row["version"] > after:
            entries.append(
                HistoryEntry(
                    version=row["version"],
                    type=row["type"],
                    at=row["at"],
                    actor=row["actor"],
                    data=from_json(row["data"]),
                    status_before=None if before is None else before.status,
                    differences=differences(before, ticket),
                )
            )
    return entries


def differences(before: Ticket | None, after: Ticket) -> tuple[Difference, ...]:
    """What is different now; the opening has no before."""
    if before is None:
        return ()
    pairs = ((field, getattr(before, field), getattr(after, field)) for field in FIELDS)
    return tuple(Difference(field, old, new) for field, old, new in pairs if old != new)


async def staff_names(tx: Transaction, ids: Collection[str]) -> dict[str, str]:
    """Names of those of these principals who are staff."""
    rows = await tx.fetch("SELECT id, name FROM agent WHERE id = ANY($1)", list(ids))
    return {row["id"]: row["name"] for row in rows}
