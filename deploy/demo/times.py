"""Waiting in business time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from shared import clock
from shared.clock import BusinessClock


@dataclass(frozen=True)
class Times:
    """The platform's business clock, and the zone of the organisation."""

    clock: BusinessClock
    zone: ZoneInfo

    def now(self) -> datetime:
        """Business time in the organisation's zone."""
        return self.clock.at(clock.real_now()).astimezone(self.zone)

    async def until(self, moment: datetime) -> None:
        """Wait for a moment of business time; a past one is there."""
        await self.pass_by(moment - self.now())

    async def pass_by(self, span: timedelta) -> None:
        """Let so much business time pass."""
        await asyncio.sleep(max(0.0, self.clock.real_delay(span).total_seconds()))
