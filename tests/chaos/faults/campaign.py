"""Carries a schedule out: each strike at its time, those of one kind one after the other."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Final

from shared.clock import monotonic
from tests.chaos.faults import FAULTS, Kind, Skipped
from tests.chaos.schedule import Strike

if TYPE_CHECKING:
    from tests.chaos.platform import Platform


TOO_LATE: Final = 20.0
"""Seconds after the last planned strike from which on nothing strikes any more, where recoveries took longer than planned."""


@dataclass(frozen=True)
class Struck:
    """What became of a strike. Times are seconds since the campaign began."""

    name: str
    at: float
    """When it really began: a fault before it may have taken longer than planned."""
    seconds: float
    what: str
    """What was done, or why it was not."""
    skipped: bool = False


def silent(_: Struck) -> None:
    """Tell nobody."""


async def campaign(platform: Platform, strikes: Sequence[Strike], seed: int, tell: Callable[[Struck], None] = silent) -> list[Struck]:
    """Strike as planned; returns when the last one has healed. What each strike chooses depends on the seed and its place alone.

    An error of a strike ends all of them: the run is broken, not the platform.

    Args:
        tell: called after each strike.
    """
    # it tells every attempt to reach a broker that a fault has taken away
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    began, done = monotonic(), list[Struck]()

    async def strike_all(mine: Sequence[tuple[int, Strike]]) -> None:
        for index, strike in mine:
            await asyncio.sleep(max(0.0, strike.at - (monotonic() - began)))
            late = monotonic() - began > strikes[-1].at + TOO_LATE
            struck = _dropped(strike, began) if late else await _strike(platform, strike, Random(f"{seed}/{index}"), began)
            done.append(struck)
            tell(struck)

    async with asyncio.TaskGroup() as kinds:
        for kind in Kind:
            kinds.create_task(strike_all([(i, strike) for i, strike in enumerate(strikes) if FAULTS[strike.fault].kind is kind]))
    return sorted(done, key=lambda struck: struck.at)


def _dropped(strike: Strike, began: float) -> Struck:
    return Struck(strike.fault, round(monotonic() - began, 1), 0.0, "those before it took too long", skipped=True)


async def _strike(platform: Platform, strike: Strike, random: Random, began: float) -> Struck:
    at = monotonic() - began
    try:
        what, skipped = await FAULTS[strike.fault]().strike(platform, random), False
    except Skipped as reason:
        what, skipped = str(reason), True
    except Exception as error:
        error.add_note(f"in {strike.fault}, planned at {strike.at} s")
        raise
    return Struck(strike.fault, round(at, 1), round(monotonic() - began - at, 1), what, skipped)
