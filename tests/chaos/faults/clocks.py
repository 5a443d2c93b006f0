"""One process whose machine's time jumps.

Timers are due by the database's clock, and waits are measured by a clock that never jumps. But the process's own clock decides when one of
intake's notifications is due and for how long it is claimed, whether a key still holds, and which moment an event or a report tells. A
message may be put off by as much as the clock is wrong; nothing may be lost or happen twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, ClassVar, Final

from tests.chaos.faults.fault import ANY_CLUSTER, Kind, Skipped
from tests.chaos.faults.processes import free, in_hand, in_order
from tests.chaos.skewed import jump

if TYPE_CHECKING:
    from tests.chaos.platform import Child, Platform

RESTART_TIME: Final = 60.0
"""Seconds within which a process is ready again, also while its database is away."""


class ClockJump:
    """A living process sees its clock jump some minutes ahead or behind, and back after some seconds; then it goes on."""

    name: ClassVar = "clock-jump"
    kind: ClassVar = Kind.PROCESS
    lasts: ClassVar = 12.0
    brokers: ClassVar = ANY_CLUSTER

    async def strike(self, platform: Platform, random: Random) -> str:
        """See `Fault`."""
        child = free(in_order(platform), random)[0]
        minutes, seconds = random.choice((-1, 1)) * random.uniform(1, 4), random.uniform(4, 8)
        told = platform.home.path / f"{child.name}.clock"
        async with in_hand([child]), looking_at(told, child):
            jump(told, 60 * minutes)
            try:
                await asyncio.sleep(seconds)
            finally:
                told.unlink()
        return f"{child.name} by {minutes:+.1f} minutes for {seconds:.1f} s"


@asynccontextmanager
async def looking_at(told: Path, child: Child) -> AsyncIterator[None]:
    """It was started anew and is ready, with a clock that goes as the file tells; its next life has the machine's again.

    Raises:
        Skipped: it was not ready within RESTART_TIME.
    """
    right = child.process.program
    python, *rest = right.argv
    child.process.program = replace(right, argv=[python, "-m", "tests.chaos.skewed", str(told), *rest])
    try:
        await child.kill()
        async with asyncio.timeout(RESTART_TIME):
            await child.ready()
    except TimeoutError as error:
        raise Skipped(f"{child.name} was not ready after {RESTART_TIME:.0f} s") from error
    else:
        yield
    finally:
        child.process.program = right
