"""Processes that die and processes that freeze: every role of every service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random
from typing import TYPE_CHECKING, ClassVar, Final

import httpx

from deploy.local.child import is_frozen
from shared.clock import monotonic
from shared.http.probes import HEALTH
from tests.chaos.faults.fault import ANY_CLUSTER, Kind, Skipped

if TYPE_CHECKING:
    from tests.chaos.platform import Child, Platform

LONGEST_WAIT: Final = 30.0
"""Seconds for which processes are waited for that another fault has in hand, or that have died."""
JOIN_TIME: Final = 20.0
"""Seconds within which a consumer that was added has partitions, also while a broker is away."""


class _OfOneRole:
    """A fault of one process of the role."""

    role: ClassVar[str]
    kind: ClassVar = Kind.PROCESS
    brokers: ClassVar = ANY_CLUSTER

    def choose(self, platform: Platform, random: Random) -> Child:
        """Any service's. Raises Skipped as `free`."""
        return free(in_order(platform, self.role), random)[0]


class Kill(_OfOneRole):
    """kill -9; the keeper starts it again."""

    lasts: ClassVar = 1.0

    async def strike(self, platform: Platform, random: Random) -> str:
        """See `Fault`."""
        child = self.choose(platform, random)
        await child.kill()
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
        count = random.randint(2, max(2, len(children) // 2))
        chosen = free(children, random, at_least=2)[:count]
        await asyncio.gather(*(child.kill() for child in chosen))
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
        service = free(in_order(platform, "consume"), random)[0].service
        seconds = random.uniform(2, 6)
        # a fault that has frozen a whole group counts on nobody reading for it
        async with in_hand([child for child in in_order(platform, "consume") if child.service == service]):
            child = await platform.add_consumer(service)
            try:
                count = await partitions_of(platform, child)
                await asyncio.sleep(seconds)
            finally:
                await platform.remove_consumer(child.name)
        return f"{child.name} with {count} partitions for {seconds:.1f} s"


async def partitions_of(platform: Platform, consumer: Child) -> int:
    """How many partitions the group gives to a consumer that has just begun.

    Raises:
        Skipped: none within JOIN_TIME.
    """
    deadline = monotonic() + JOIN_TIME
    async with httpx.AsyncClient(timeout=5, headers={"Authorization": f"Bearer {platform.key('ops')}"}) as client:
        while not (count := await _partitions(client, consumer.port)):
            if monotonic() > deadline:
                raise Skipped(f"{consumer.name} had no partitions after {JOIN_TIME:.0f} s")
            await asyncio.sleep(0.2)
    return count


async def _partitions(client: httpx.AsyncClient, port: int) -> int:
    """As its own health says; 0 while it cannot say so."""
    try:
        answer = await client.get(f"http://127.0.0.1:{port}/healthz")
    except httpx.TransportError:
        return 0
    checks = answer.json().get("checks", {}) if answer.headers.get("Content-Type") == HEALTH else {}
    return sum(check["observedValue"] for check in checks.get("consumer-partitions", ()) if check["status"] == "pass")


def in_order(platform: Platform, role: str | None = None) -> list[Child]:
    """The processes (of the role), always in the same order, so that a seed chooses the same ones."""
    found = [child for child in platform.processes.values() if child.wanted and role in (None, child.role)]
    return sorted(found, key=lambda child: child.name)


def free(children: Sequence[Child], random: Random, *, at_least: int = 1) -> list[Child]:
    """Those that live and that no fault has in hand, in any order; how much is drawn from `random` does not depend on which those are.

    Raises:
        Skipped: there are fewer.
    """
    found = [child for child in random.sample(children, len(children)) if child.alive and not child.in_hand.locked()]
    if len(found) < at_least:
        raise Skipped(f"{len(found)} of {len(children)} processes lived and were in no other fault's hands")
    return found


@asynccontextmanager
async def in_hand(children: Sequence[Child]) -> AsyncIterator[list[Child]]:
    """Those of them that still exist: they live, and no other fault does anything to them within.

    Args:
        children: as `in_order` has them, so that two faults never wait for each other.

    Raises:
        Skipped: they cannot be had within LONGEST_WAIT.
    """
    async with AsyncExitStack() as held:
        try:
            async with asyncio.timeout(LONGEST_WAIT):
                for child in children:
                    await held.enter_async_context(child.in_hand)
                wanted = [child for child in children if child.wanted]
                for child in wanted:
                    await child.lives()
        except TimeoutError as error:
            raise Skipped(f"{', '.join(child.name for child in children)} were not to be had for {LONGEST_WAIT:.0f} s") from error
        yield wanted


@asynccontextmanager
async def frozen(children: Sequence[Child]) -> AsyncIterator[None]:
    """They stand still within.

    Raises:
        Skipped: as `in_hand`; or one of them was ended or went on meanwhile, and what was done within is not what was meant.
    """
    async with in_hand(children) as mine:
        lives = [child.process for child in mine]
        for child in mine:
            child.pause()
        try:
            yield
            for child, life in zip(mine, lives, strict=True):
                if not (child.process is life and life.alive and is_frozen(life.pid)):
                    raise Skipped(f"{child.name} did not stand still to the end")
        finally:
            for child in mine:
                child.resume()
