"""Consumers come and go: their partitions change hands in the middle of the traffic."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from shared.consumer import Handle, Received
from shared.database import Database, Transaction
from shared.events.topics import PARTITIONS, TICKETS
from shared.kafka import KafkaSettings
from tests.kafka.pipeline import Pipeline
from tests.shared.flow import note, running
from tests.shared.logs import append, events_in
from tests.waiting import eventually

pytestmark = [pytest.mark.postgres, pytest.mark.kafka]


async def test_every_effect_happens_once_while_partitions_change_hands(source: Database, reader: Database, kafka: KafkaSettings) -> None:
    # the shortest session that a broker grants: a static member that is gone holds its partitions for so long
    pipeline = Pipeline(source, reader, replace(kafka, session_timeout_ms=6000, rebalance_timeout_ms=3000))
    applied_by: dict[str, int] = {"first": 0, "second": 0}
    rounds = 0

    def handled_by(name: str) -> Handle:
        async def handle(tx: Transaction, received: Sequence[Received]) -> None:
            await note(tx, received)
            applied_by[name] += len(received)

        return handle

    async def traffic(stop: asyncio.Event) -> None:
        nonlocal rounds
        while not stop.is_set():
            await append(source, *(event for part in range(PARTITIONS) for event in events_in(part, 1)))
            rounds += 1
            await asyncio.sleep(0.05)

    async def handled(name: str, count: int) -> None:
        enough = applied_by[name] + count

        async def look() -> int:
            return applied_by[name]

        await eventually(look, lambda found: found >= enough)

    first, second = pipeline.consumer(0, handled_by("first")), pipeline.consumer(1, handled_by("second"))
    async with pipeline.running(consumes=False), running(traffic), running(second.run):
        async with running(first.run):
            await handled("first", 50)
            await handled("second", 50)
        await handled("second", 300)

    async with running(pipeline.relay().run, pipeline.consumer(1).run):
        await pipeline.until_applied({(TICKETS.name, part): rounds for part in range(PARTITIONS)})
