"""How fast one host is given mails, and when it is left alone. Of one process: each sender keeps its own pace."""

from __future__ import annotations

import asyncio
from typing import Final

from shared import clock

FIRST_REST: Final = 5.0
LONGEST_REST: Final = 300.0
"""Seconds for which a host is left alone that could not be reached or said that it is busy; doubled each time."""


class Pace:
    """``rate`` is mails per second; the rests are for trouble of the host, not of a mail."""

    def __init__(self, rate: float) -> None:
        self._between = 1 / rate
        self._next = 0.0
        self._pause = 0.0
        self._resting_until = 0.0

    @property
    def rest(self) -> float:
        """Seconds for which the host is left alone yet; 0 when it is not."""
        return max(0.0, self._resting_until - clock.monotonic())

    async def turn(self) -> None:
        """Return when the next mail may be handed over."""
        now = clock.monotonic()
        if self._next > now:
            await asyncio.sleep(self._next - now)
        self._next = max(now, self._next) + self._between

    def is_well(self) -> None:
        """The host took or refused a mail: it works."""
        self._pause = self._resting_until = 0.0

    def is_in_trouble(self) -> None:
        """Leave the host alone, longer each time."""
        self._pause = min(max(FIRST_REST, self._pause * 2), LONGEST_REST)
        self._resting_until = clock.monotonic() + self._pause
