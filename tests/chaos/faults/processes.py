"""Processes that die and processes that freeze: every role of every service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import TYPE_CHECKING, ClassVar

from tests.chaos.faults.fault import ANY_CLUSTER, Kind

if TYPE_CHECKING:
    from tests.chaos.platform import Child, Platform


class _OfOneRole:
    """A fault of one process of the role."""

    role: ClassVar[str]
    kind: ClassVar = Kind.PROCESS
    brokers: ClassVar = ANY_CLUSTER

    def choose(self, platform: Platform, random: Random) -> Child:
        """Any service's."""
        return random.choice(in_order(platform, self.role))


class Kill(_OfOneRole):
    """kill -9; the keeper starts it again."""

    lasts: ClassVar = 1.0

    async def strike(self, platform: Platform, random: Random) -> str:
        """See `Fault`."""
        child = self.choose(platform, random)
        child.kill()
        return child.name


class Pause(_OfOneRole):
    """SIGSTOP for 2 to 10 s: alive, connected, silent. A consumer loses its partitions meanwhile, a relay its logs."""

    lasts: ClassVar = 6.0

    async def strike(self, platform: Platform, random: Random) -> str:
        """See `Fault`."""
        child, seconds = self.choose(platform, random), random.uniform(2, 10)
        async with frozen([child]):
            await asyncio.sleep(seconds)
        return f"{child.name} for {seconds:.1f} s"


class KillApi(Kill):
    """The REST door."""

    name: ClassVar = "kill-api"
    role: ClassVar = "api"


class KillRelay(Kill):
    """What carries the outbox to Kafka."""

    name: ClassVar = "kill-relay"
    role: ClassVar = "relay"


class KillConsumer(Kill):
    """One member of a group."""

    name: ClassVar = "kill-consumer"
    role: ClassVar = "consume"


class KillTimers(Kill):
    """What fires deadlines and sends mails."""

    name: ClassVar = "kill-timers"
    role: ClassVar = "timers"


class KillSeveral:
    """kill -9 of several processes at once, of whatever role: a machine of the cluster is gone."""

    name: ClassVar = "kill-several"
    kind: ClassVar = Kind.PROCESS
    lasts: ClassVar = 2.0
    brokers: ClassVar = ANY_CLUSTER

    async def strike(self, platform: Platform, random: Random) -> str:
        """See `Fault`."""
        children = in_order(platform)
        chosen = random.sample(children, random.randint(2, max(2, len(children) // 2)))
        for child in chosen:
            child.kill()
        return ", ".join(child.name for child in chosen)


class PauseApi(Pause):
    """The REST door."""

    name: ClassVar = "pause-api"
    role: ClassVar = "api"


class PauseRelay(Pause):
    """What carries the outbox to Kafka."""

    name: ClassVar = "pause-relay"
    role: ClassVar = "relay"


class PauseConsumer(Pause):
    """One member of a group."""

    name: ClassVar = "pause-consumer"
    role: ClassVar = "consume"


class PauseTimers(Pause):
    """What fires deadlines and sends mails."""

    name: ClassVar = "pause-timers"
    role: ClassVar = "timers"


class ConsumerAdded:
    """A third member joins a group and leaves it again: partitions move twice."""

    name: ClassVar = "consumer-added-and-removed"
    kind: ClassVar = Kind.PROCESS
    lasts: ClassVar = 12.0
    brokers: ClassVar = ANY_CLUSTER

    async def strike(self, platform: Platform, random: Random) -> str:
        """See `Fault`."""
        service = random.choice(sorted({child.service for child in in_order(platform, "consume")}))
        seconds = random.uniform(6, 12)
        child = await platform.add_consumer(service)
        try:
            await asyncio.sleep(seconds)
        finally:
            await platform.remove_consumer(child.name)
        return f"{child.name} for {seconds:.1f} s"


def in_order(platform: Platform, role: str | None = None) -> list[Child]:
    """The processes (of the role), always in the same order, so that a seed chooses the same ones."""
    found = [child for child in platform.processes.values() if child.wanted and role in (None, child.role)]
    return sorted(found, key=lambda child: child.name)


@asynccontextmanager
async def frozen(children: Sequence[Child]) -> AsyncIterator[None]:
    """They stand still within."""
    for child in children:
        child.pause()
    try:
        yield
    finally:
        for child in children:
            child.resume()
