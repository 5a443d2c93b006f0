"""From an outbox to a consumer, as tests run it: loops that live as long as a block, and a handler that writes what was applied."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

from shared.consumer import Consumer, Handle, Received
from shared.database import Database, Transaction
from shared.events.topics import TICKETS
from shared.kafka import KafkaSettings
from shared.outbox import Log, Wakeup
from shared.relay import Relay

Loop = Callable[[asyncio.Event], Awaitable[None]]


@asynccontextmanager
async def running(*loops: Loop) -> AsyncIterator[None]:
    """The loops run inside the block, and end with it."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for loop in loops:
            tasks.create_task(loop(stop))
        try:
            yield
        finally:
            stop.set()


async def note(tx: Transaction, received: Sequence[Received]) -> None:
    """The handler: one row per effect. No key forbids a second one, so a repeat is seen."""
    await tx.execute(
        "INSERT INTO applied (topic, part, seq, key, event_id)"
        " SELECT * FROM unnest($1::text[], $2::int[], $3::bigint[], $4::text[], $5::uuid[])",
        [each.topic for each in received],
        [each.part for each in received],
        [each.seq for each in received],
        [each.key for each in received],
        [each.event_id for each in received],
    )


def consumer_of(database: Database, kafka: KafkaSettings, handle: Handle = note) -> Consumer:
    return Consumer(database, "feedback", 0, [TICKETS], handle, kafka)


def relay_of(database: Database, kafka: KafkaSettings, *, quiet: float = 30) -> Relay:
    return Relay(database, kafka, wakeup=Wakeup(), quiet=timedelta(seconds=quiet), poll=0.02)


async def known_of(database: Database, log: Log) -> int:
    """What the source knows of feedback's position in a log."""
    async with database.transaction() as tx:
        known = await tx.fetchval("SELECT last_seq FROM outbox_known WHERE (consumer, topic, part) = ('feedback', $1, $2)", *log)
        return int(known)
