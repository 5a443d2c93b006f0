"""Logs that cannot be sent at the moment rest for a while, longer each time, so that one without a leader does not hold up the others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from shared.backoff import backoff
from shared.outbox import Log

LONGEST: Final = 5.0
"""Seconds."""


class Rest:
    """Remembers which logs failed, and until when they rest."""

    def __init__(self) -> None:
        self._failures: dict[Log, int] = {}
        self._until: dict[Log, float] = {}

    def resting(self, now: float) -> list[Log]:
        """The logs that are not to be tried yet."""
        return [log for log, until in self._until.items() if until > now]

    def failed(self, logs: Iterable[Log], now: float) -> None:
        """They failed once more."""
        for log in logs:
            self._failures[log] = self._failures.get(log, 0) + 1
            self._until[log] = now + backoff(self._failures[log], longest=LONGEST)

    def recovered(self, logs: Iterable[Log]) -> None:
        """They were sent."""
        for log in logs:
            self._failures.pop(log, None)
            self._until.pop(log, None)
