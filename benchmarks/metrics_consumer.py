"""How many events a second metrics takes from a full topic, beside a bare client that copies the same bytes into a table."""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import asyncpg
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from benchmarks import cpu, fulltopic, lives
from benchmarks.bench import UNLIMITED, Bench
from benchmarks.figure import Figure
from benchmarks.lives import Record
from benchmarks.platform import SERVICES, Part, Platform, running
from shared import kafka
from shared.clock import monotonic
from shared.kafka import KafkaSettings

NAME = "metrics_consumer"
ABOUT = "events/s that metrics takes from a full topic, beside getmany + COPY of the same bytes"

TARGET: Final = 25_000
DAY: Final = timedelta(days=1)
"""The tickets of the stream begin within a day; what follows takes some days more."""
AT_ONCE: Final = 4_000
"""Records that the bare client copies at once, as many as metrics takes into one transaction."""
LOOK: Final = 0.05
PATIENCE: Final = 900.0


@dataclass
class Found:
    """What the rounds measured, by way."""

    per_core: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Events per CPU second of the reading process."""
    on_the_wall: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    postgres: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Microseconds of all of PostgreSQL for each event."""


@dataclass(frozen=True)
class Mark:
    """How far it was at a moment."""

    at: float
    events: int
    used: Mapping[str, float]


async def run(bench: Bench) -> list[Figure]:
    """Both ways in turn, over the same topics."""
    found = Found()
    records = lives.records(bench.count(20_000, 1_000), within=DAY)
    for turn in range(bench.rounds):
        async with bench.kafka() as settings:
            bench.say(f"round {turn + 1}: {len(records)} events into the topics")
            await fulltopic.fill(settings, records)
            bench.say(f"round {turn + 1}: a bare client copies them")
            await _bare(bench, settings, records, found)
            bench.say(f"round {turn + 1}: metrics takes them")
            await _metrics(bench, settings, len(records), found)
    return _figures(found)


def _figures(found: Found) -> list[Figure]:
    bound = (
        "Python: reading the record and its JSON, the facts of its ticket, and what they count; while PostgreSQL writes, one instance waits"
    )
    beside = "getmany + COPY of the same bytes"
    return [
        Figure.of(
            "metrics consumer: events per CPU second of its process, from a full topic",
            found.per_core["metrics"],
            "events/s",
            beside=beside,
            beside_values=found.per_core["bare"],
            target=f">= {TARGET:,} events/s",
            bound=bound,
        ),
        Figure.of(
            "metrics consumer: events/s on the wall, one instance",
            found.on_the_wall["metrics"],
            "events/s",
            beside=beside,
            beside_values=found.on_the_wall["bare"],
            bound="one transaction after the other: Python and PostgreSQL take turns",
        ),
        Figure.of(
            "metrics consumer: CPU of PostgreSQL for each event",
            found.postgres["metrics"],
            "µs",
            beside=beside,
            beside_values=found.postgres["bare"],
            bound="the event log's jsonb, then the documents of counts",
        ),
    ]


# ------------------------------------------------------------------ a bare client


async def _bare(bench: Bench, settings: KafkaSettings, records: Sequence[Record], found: Found) -> None:
    url = bench.empty_database("bare")
    connection = await asyncpg.connect(url, server_settings={"statement_timeout": "0"})
    await connection.execute("CREATE TABLE event (topic text, part smallint, off bigint, key bytea, value bytea)")
    reader = kafka.new_reader(settings)
    await reader.start()
    try:
        partitions = kafka.partitions_of(settings, {record.row.log[0]: lives.topic_of(record) for record in records}.values(), 12)
        reader.assign(partitions)
        await reader.seek_to_beginning(*partitions)
        pids = {"bare": os.getpid(), "postgres": bench.postgres.child.pid}
        first = _mark(pids, 0)
        await _copy(reader, connection, len(records))
        _measured(found, "bare", first, _mark(pids, len(records)))
    finally:
        await kafka.close(reader)
        await connection.close()
        await bench.drop(url)


async def _copy(reader: AIOKafkaConsumer, connection: asyncpg.Connection[asyncpg.Record], count: int) -> None:
    copied = 0
    while copied < count:
        polled: dict[TopicPartition, list[ConsumerRecord]] = await reader.getmany(timeout_ms=500, max_records=AT_ONCE)
        rows = [(record.topic, record.partition, record.offset, record.key, record.value) for each in polled.values() for record in each]
        await connection.copy_records_to_table("event", records=rows)
        copied += len(rows)


# ------------------------------------------------------------------ metrics


async def _metrics(bench: Bench, settings: KafkaSettings, count: int, found: Found) -> None:
    databases = {service: await bench.database_url(service) for service in SERVICES}
    try:
        folder = bench.folder / f"metrics-consumer-{len(found.per_core['metrics'])}"
        part = Part("metrics", "consume")
        async with running(folder, [part], databases, settings, bench.servers, UNLIMITED) as platform:
            pids = {"metrics": platform.processes[part.name].child.pid, "postgres": bench.postgres.child.pid}
            _measured(found, "metrics", *await _followed(platform, pids, count))
    finally:
        for url in databases.values():
            await bench.drop(url)


async def _followed(platform: Platform, pids: Mapping[str, int], count: int) -> tuple[Mark, Mark]:
    """From the first look at which something is applied until all is."""
    connection = await asyncpg.connect(platform.databases["metrics"])
    began_at, first = monotonic(), None
    try:
        while True:
            applied = int(await connection.fetchval("SELECT coalesce(sum(last_seq), 0)::bigint FROM consumer_part"))
            if applied and first is None:
                first = _mark(pids, applied)
            if first is not None and applied == count:
                return first, _mark(pids, applied)
            if monotonic() > began_at + PATIENCE:
                raise TimeoutError(f"{applied} of {count} events were applied after {PATIENCE:.0f} s")
            platform.require_alive()
            await asyncio.sleep(LOOK)
    finally:
        await connection.close()


def _mark(pids: Mapping[str, int], events: int) -> Mark:
    return Mark(monotonic(), events, {name: cpu.seconds(pid) for name, pid in pids.items()})


def _measured(found: Found, way: str, first: Mark, last: Mark) -> None:
    events = last.events - first.events
    found.per_core[way].append(events / max(1e-9, last.used[way] - first.used[way]))
    found.on_the_wall[way].append(events / (last.at - first.at))
    found.postgres[way].append((last.used["postgres"] - first.used["postgres"]) / events * 1e6)
