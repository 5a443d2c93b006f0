"""Means and percentiles of durations, out of their exact sum and their counts per class.

The mean is exact. Spread and percentiles are read from the classes, whose middles are within 1 % of what they stand for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate

from services.metrics import intervals
from services.metrics.buckets import typical_ms
from services.metrics.intervals import Interval

Counts = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A percentile in seconds."""

    value: float
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class Durations:
    """How long something took: the sum in milliseconds, and how often each class occurred, ascending."""

    total_ms: int
    classes: Mapping[int, int]

    @classmethod
    def of(cls, counts: Counts, clock: str) -> Durations:
        """Those by one clock."""
        prefix = f"{clock}_"
        told = {measure.removeprefix(prefix): n for measure, n in counts.items() if measure.startswith(prefix)}
        classes = {int(word): n for word, n in told.items() if word != "ms" and n}
        return cls(told.get("ms", 0), dict(sorted(classes.items())))

    @property
    def n(self) -> int:
        """How many."""
        return sum(self.classes.values())

    def mean(self) -> float | None:
        """Seconds."""
        return self.total_ms / self.n / 1000 if self.n else None

    def interval_of_mean(self) -> Interval | None:
        """Student's t; None below two."""
        n = self.n
        if n < 2:
            return None
        typical = {typical_ms(each): count for each, count in self.classes.items()}
        middle = sum(ms * count for ms, count in typical.items()) / n
        variance = sum((ms - middle) ** 2 * count for ms, count in typical.items()) / (n - 1)
        found = intervals.students_t(self.total_ms / n, variance, n)
        return Interval(max(0.0, found.low / 1000), found.high / 1000)

    def percentile(self, share: float, *, is_sample: bool = True) -> Estimate | None:
        """The duration that so large a share does not exceed; of a sample, with an order-statistic interval where n allows one."""
        if not self.classes:
            return None
        ranks = intervals.ranks_around(share, self.n) if is_sample else None
        interval = None if ranks is None else Interval(self._at(ranks[0]), self._at(ranks[1]))
        return Estimate(self._at(intervals.rank_of(share, self.n)), interval)

    def _at(self, rank: int) -> float:
        """The duration of a rank, from 1, in seconds."""
        for each, reached in zip(self.classes, accumulate(self.classes.values()), strict=True):
            if reached >= rank:
                return typical_ms(each) / 1000
        raise IndexError(rank)
