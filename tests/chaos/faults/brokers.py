"""Brokers that stop, die, freeze, forget, and come back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import TYPE_CHECKING, ClassVar

from tests.chaos.faults.cut import cut_tails
from tests.chaos.faults.fault import ANY_CLUSTER, Kind, Skipped

if TYPE_CHECKING:
    from tests.chaos.platform import Broker, Platform


class BrokerStop:
    """A clean stop, and a start."""

    name: ClassVar = "broker-stop"
    kind: ClassVar = Kind.BROKER
    lasts: ClassVar = 8.0
    brokers: ClassVar = ANY_CLUSTER

    async def strike(self, platform: Platform, random: Random) -> str:
        """See `Fault`."""
        broker, seconds = random.choice(platform.brokers), random.uniform(0.5, 4)
        await broker.stop()
        async with coming_back([broker]):
            await asyncio.sleep(seconds)
        return f"{broker.name} for {seconds:.1f} s"


class BrokerKill:
    """kill -9. What it had acknowledged is in the page cache of the machine: nothing is lost."""

    name: ClassVar = "broker-kill"
    kind: ClassVar = Kind.BROKER
    lasts: ClassVar = 9.0
    brokers: ClassVar = ANY_CLUSTER

    async def strike(self, platform: Platform, random: Random) -> str:
        """See `Fault`."""
        broker, seconds = random.choice(platform.brokers), random.uniform(0, 3)
        await broker.kill()
        async with coming_back([broker]):
            await asyncio.sleep(seconds)
        return f"{broker.name} for {seconds:.1f} s"


class BrokerPause:
    """SIGSTOP: connections stay open and nobody answers."""

    name: ClassVar = "broker-pause"
    kind: ClassVar = Kind.BROKER
    lasts: ClassVar = 6.0
    brokers: ClassVar = ANY_CLUSTER

    async def strike(self, platform: Platform, random: Random) -> str:
        """See `Fault`."""
        broker, seconds = random.choice(platform.brokers), random.uniform(2, 10)
        await broker.pause()
        try:
            await asyncio.sleep(seconds)
        finally:
            await broker.resume()
        return f"{broker.name} for {seconds:.1f} s"


class BrokerCut:
    """The only broker loses the last records that it acknowledged, as after a power cut: kill -9, and its logs end earlier."""

    name: ClassVar = "broker-cut"
    kind: ClassVar = Kind.BROKER
    lasts: ClassVar = 8.0
    brokers: ClassVar = frozenset({1})

    async def strike(self, platform: Platform, random: Random) -> str:
        """See `Fault`."""
        (broker,) = platform.brokers
        await broker.kill()
        async with coming_back([broker]):
            lost = cut_tails(broker.data, random)
        if not lost:
            raise Skipped("no partition was cut: those that were drawn held nothing")
        return f"{sum(lost.values())} records of {len(lost)} partitions"


class TwoBrokersDown:
    """Two of three die: the last one may acknowledge nothing (`min.insync.replicas`), so the relays must wait; then both come back."""

    name: ClassVar = "two-brokers-down"
    kind: ClassVar = Kind.BROKER
    lasts: ClassVar = 14.0
    brokers: ClassVar = frozenset({3})

    async def strike(self, platform: Platform, random: Random) -> str:
        """See `Fault`."""
        chosen, seconds = random.sample(platform.brokers, 2), random.uniform(3, 8)
        for broker in chosen:
            await broker.kill()
        async with coming_back(chosen):
            await asyncio.sleep(seconds)
        return f"{' and '.join(broker.name for broker in chosen)} for {seconds:.1f} s"


@asynccontextmanager
async def coming_back(brokers: list[Broker]) -> AsyncIterator[None]:
    """They run again afterwards, whatever happens within. All are started before one is waited for: a majority must be there."""
    try:
        yield
    finally:
        for broker in brokers:
            await broker.begin()
        for broker in brokers:
            await broker.await_ready()
