"""SQL that indexes and statements have in common. Text alone: who asks the database need not load what declares its tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from services.tickets.assignment.queue import OTHER_TIERS, PRIORITIES, TIERS

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
