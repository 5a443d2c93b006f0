"""One process whose machine has the wrong time. What is due is decided by the database's clock, so it must do no harm."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, ClassVar

from tests.chaos.faults.fault import ANY_CLUSTER, Kind
from tests.chaos.faults.processes import free, in_order

if TYPE_CHECKING:
    from tests.chaos.platform import Platform


class ClockJump:
    """A process is started again with a clock some minutes ahead or behind; after a while it is killed and has the right one again."""

    name: ClassVar = "clock-jump"
    kind: ClassVar = Kind.PROCESS
    lasts: ClassVar = 12.0
    brokers: ClassVar = ANY_CLUSTER

    async def strike(self, platform: Platform, random: Random) -> str:
        """See `Fault`."""
        child = free(in_order(platform), random)[0]
        minutes = random.choice((-1, 1)) * random.uniform(1, 4)
        right = child.process.program
        python, *rest = right.argv
        child.process.program = replace(right, argv=[python, "-m", "tests.chaos.skewed", f"{60 * minutes:.0f}", *rest])
        try:
            await child.kill()
            await asyncio.sleep(random.uniform(8, 14))
        finally:
            child.process.program = right
            await child.kill()
        return f"{child.name} by {minutes:+.1f} minutes"
