"""Writing into the platform's topics behind the relays' backs, and reading the outboxes that the records come from."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, ParamSpec, TypeVar

from aiokafka import AIOKafkaProducer

from shared import kafka
from shared.database import from_json
from shared.events.topics import Topic
from shared.kafka import KafkaSettings
from shared.kafka.records import OutboxRow, encode
from tests.chaos.eyes import AWAY
from tests.chaos.faults.databases import connection
from tests.chaos.faults.fault import Skipped
from tests.chaos.platform import Platform

MOST_BYTES: Final = 1 << 20
"""Of a batch: as many as the broker takes."""
PATIENCE: Final = 120.0
"""Seconds for which a database or a broker that another fault has taken away is waited for."""

Done = TypeVar("Done")
Given = ParamSpec("Given")


@dataclass(frozen=True)
class Forged:
    """A record as somebody writes it who is not the relay."""

    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


def copy_of(row: OutboxRow) -> Forged:
    """Exactly what the relay sends for this row."""
    return Forged(row.key.encode(), row.payload, encode(row))


async def patiently(work: Callable[Given, Awaitable[Done]], *args: Given.args, **kwargs: Given.kwargs) -> Done:
    """Do it as soon as the database or the broker that it needs is there.

    Raises:
        Skipped: other faults kept them away for too long.
    """
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while True:
        try:
            return await work(*args, **kwargs)
        except (*kafka.CLIENT_ERRORS, *AWAY) as error:
            if asyncio.get_running_loop().time() > deadline:
                raise Skipped(f"what it needs was away for {PATIENCE:.0f} s ({type(error).__name__})") from error
        await asyncio.sleep(0.2)


async def write(platform: Platform, topic: Topic, batches: Mapping[int, Sequence[Forged]]) -> int:
    """Write one batch per partition, which becomes visible as a whole; how many records."""
    settings = KafkaSettings(platform.bootstrap)
    async with _producer(platform) as producer:
        for part, records in batches.items():
            batch = producer.create_batch()
            for record in records:
                added = batch.append(timestamp=None, key=record.key, value=record.value, headers=list(record.headers))
                assert added is not None, f"{len(records)} records are more than a batch of {MOST_BYTES} bytes holds"
            batch.close()
            await (await producer.send_batch(batch, settings.physical(topic.name), partition=part))
    return sum(len(records) for records in batches.values())


@asynccontextmanager
async def _producer(platform: Platform) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(bootstrap_servers=platform.bootstrap, acks="all", request_timeout_ms=5000, max_batch_size=MOST_BYTES)
    try:
        await producer.start()
        yield producer
    finally:
        await kafka.close(producer)


async def cursors(platform: Platform, topic: Topic) -> dict[int, int]:
    """Partition -> highest number that the relay knows to be in Kafka."""
    async with connection(platform.postgres.dsn(topic.source)) as sql:
        return {row["part"]: row["seq"] for row in await sql.fetch("SELECT part, seq FROM outbox_cursor WHERE topic = $1", topic.name)}


async def applied(platform: Platform, topic: Topic, service: str) -> dict[int, int]:
    """Partition -> highest number that the consuming service has applied."""
    async with connection(platform.postgres.dsn(service)) as sql:
        rows = await sql.fetch("SELECT part, last_seq FROM consumer_part WHERE topic = $1", topic.name)
    return {row["part"]: row["last_seq"] for row in rows}


async def rows(platform: Platform, topic: Topic, above: Mapping[int, int], *, limit: int) -> dict[int, list[OutboxRow]]:
    """The next rows of each log from its outbox, ascending; partition -> number that they are above."""
    async with connection(platform.postgres.dsn(topic.source)) as sql:
        found = await sql.fetch(
            """
            SELECT n.* FROM unnest($2::smallint[], $3::bigint[]) w(part, seq) CROSS JOIN LATERAL (
              SELECT part, seq, key, type, event_id, previous_id, headers, payload FROM outbox o
               WHERE (o.topic, o.part) = ($1, w.part) AND o.seq > w.seq ORDER BY o.seq LIMIT $4) n
            """,
            *(topic.name, list(above), list(above.values()), limit),
        )
    by_part: dict[int, list[OutboxRow]] = {part: [] for part in above}
    for part, seq, key, type_, event_id, previous_id, headers, payload in found:
        row = OutboxRow((topic.name, part), seq, key, type_, event_id, previous_id, from_json(headers), payload)
        by_part[part].append(row)
    return {part: sorted(rows, key=lambda row: row.seq) for part, rows in by_part.items()}
