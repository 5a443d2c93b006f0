"""Keeps lines that say the same within a budget, and counts those that it left out."""

from __future__ import annotations

from shared import clock


class Quiet:
    """Admits `burst` lines in `period` seconds."""

    def __init__(self, *, burst: int, period: float) -> None:
        self._burst = burst
        self._period = period
        self._since = float("-inf")
        self._seen = 0

    def admits(self) -> int | None:
        """None when this line is one too many; else how many were left out since the last period."""
        now = clock.monotonic()
        if now - self._since >= self._period:
            left_out = max(0, self._seen - self._burst)
            self._since, self._seen = now, 1
            return left_out
        self._seen += 1
        return 0 if self._seen <= self._burst else None
