"""From a source's outbox through Kafka into a consumer's table `applied`, in this process, with time constants of a test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from shared.consumer import Consumer, Handle
from shared.database import Database
from shared.events.topics import TICKETS
from shared.kafka import KafkaSettings
from shared.outbox import Log
from shared.positions import PositionsReader
from shared.relay import Relay
from tests.shared.flow import note, running
from tests.waiting import eventually


@dataclass
class Pipeline:
    """The loops between two databases."""

    source: Database
    reader: Database
    kafka: KafkaSettings
    quiet: timedelta = timedelta(seconds=30)
    handle: Handle = note
    positions: PositionsReader = field(init=False)

    def __post_init__(self) -> None:
        self.positions = PositionsReader(self.source, self.kafka, "tickets")

    def relay(self) -> Relay:
        """A relay that gives up early."""
        return Relay(self.source, self.kafka, quiet=self.quiet, poll=0.02, send_timeout=3, tail_timeout=2, round_timeout=8)

    def consumer(self, ordinal: int = 0, handle: Handle | None = None) -> Consumer:
        """One instance of the consuming service."""
        return Consumer(self.reader, "feedback", ordinal, [TICKETS], handle or self.handle, self.kafka)

    @asynccontextmanager
    async def running(self, *, consumes: bool = True) -> AsyncIterator[None]:
        """A relay, the reader of positions and, if it consumes, a consumer."""
        async with running(self.positions.run):
            await self.positions.is_reading.wait()
            async with running(self.relay().run, *([self.consumer().run] if consumes else [])):
                yield

    async def applied(self) -> dict[Log, list[int]]:
        """Numbers that were applied, by log, in the order of their effects."""
        return await applied_in(self.reader)

    async def until_applied(self, wanted: dict[Log, int], *, timeout: float = 30) -> None:
        """Wait until so many effects are there in each log, then make sure that they are the right ones: each once, in order."""
        await eventually(
            self.applied, lambda found: all(len(found.get(log, [])) >= count for log, count in wanted.items()), timeout=timeout
        )
        found = await self.applied()
        assert {log: found.get(log, []) for log in wanted} == {log: list(range(1, count + 1)) for log, count in wanted.items()}


async def applied_in(reader: Database) -> dict[Log, list[int]]:
    """Numbers that a consumer's database holds as applied, by log, in the order of their effects."""
    async with reader.transaction() as tx:
        rows = await tx.fetch("SELECT topic, part, seq FROM applied ORDER BY id")
    found: dict[Log, list[int]] = {}
    for row in rows:
        found.setdefault((row["topic"], row["part"]), []).append(row["seq"])
    return found
