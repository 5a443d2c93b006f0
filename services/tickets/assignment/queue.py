"""The order in which a team's queue is handed out: the more urgent first, then by tier, then the one who waits longest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.tickets.assignment.staff import Work

PRIORITIES: Final[Mapping[str, int]] = {"urgent": 1, "high": 2, "normal": 3, "low": 4}
TIERS: Final[Mapping[str, int]] = {"vip": 1, "gold": 2, "silver": 3}
"""Tiers that come before the others among tickets of the same priority."""
OTHER_TIERS: Final = len(TIERS) + 1


@dataclass(frozen=True, slots=True)
class Waiting:
    """A ticket in a queue."""

    number: str
    work: Work
    priority: str
    opened_at: datetime

    @property
    def place(self) -> tuple[int, int, datetime, str]:
        """The lower, the sooner. `store/queues.py` sorts by the same."""
        return PRIORITIES[self.priority], TIERS.get(self.work.tier, OTHER_TIERS), self.opened_at, self.number
