"""Waiting between attempts: longer each time, never in step with others, and never past the wish to stop."""

from __future__ import annotations

import asyncio
import random
from typing import Final

FIRST: Final = 0.1
LONGEST: Final = 30.0
"""Seconds."""


def backoff(failures: int, *, longest: float = LONGEST) -> float:
    """Seconds to wait after so many failures in a row: FIRST, doubled each time, with jitter so that many do not return at once."""
    delay: float = min(longest, FIRST * 2 ** min(failures - 1, 20))
    return delay * random.uniform(0.5, 1.0)


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait so long, or until told to stop."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
