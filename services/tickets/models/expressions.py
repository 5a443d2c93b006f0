"""SQL that indexes and statements have in common. Text alone: who asks the database need not load what declares its tables."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum
from typing import Final

from services.tickets.assignment.queue import OTHER_TIERS, PRIORITIES, TIERS
from services.tickets.workflow.status import OPEN, Status


def among(column: str, codes: Iterable[StrEnum]) -> str:
    """The column holds one of these words of a closed list. They are written out: partial indexes are used for what is read there."""
    return f"{column} IN ({', '.join(repr(str(code)) for code in codes)})"


def has_status(statuses: Collection[Status]) -> str:
    """The ticket has one of these."""
    return among("status", (status for status in Status if status in statuses))


OPEN_NOW: Final = has_status(OPEN)
WAITING: Final = "assignee IS NULL AND team IS NOT NULL AND status IN ('new', 'triaged')"
"""In a team's queue."""


def _rank(column: str, first: Mapping[str, int]) -> str:
    return f"array_position('{{{','.join(first)}}}'::text[], {column})"


# written as PostgreSQL writes them, so that the indexes can be compared with the code
PRIORITY_RANK: Final = _rank("priority", PRIORITIES)
TIER_RANK: Final = f"COALESCE({_rank('tier', TIERS)}, {OTHER_TIERS})"
"""Places in a queue and in lists by priority, as SQL: the lower, the sooner."""
CHANGED_AT: Final = "COALESCE(told_at, changed_at)"
"""When a ticket changed last, as SQL."""
