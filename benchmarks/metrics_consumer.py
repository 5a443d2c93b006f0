"""How many events a second metrics takes from a full topic, beside a bare client that copies the same bytes into a table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from benchmarks import fulltopic, lives
from benchmarks.bench import UNLIMITED, Bench
from benchmarks.comparisons import topic_to_table
from benchmarks.cpu import CpuMeter, busy
from benchmarks.figure import Figure
from benchmarks.lives import Record
from benchmarks.platform import SERVICES, Part, Platform, running
from services.metrics.__main__ import BATCH
from shared.kafka import KafkaSettings

NAME = "metrics_consumer"
ABOUT = "events/s that metrics takes from a full topic, beside getmany + COPY of the same bytes"

CONSUMER: Final = Part("metrics", "consume")
TARGET: Final = 25_000
DAY: Final = timedelta(days=1)
"""The tickets of the stream begin within a day; what follows takes some days more."""
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
    cores: list[dict[str, float]] = field(default_factory=list)
    """How much of a core each part kept busy while metrics read."""

    def note(self, way: str, events: int, seconds: float, used: float, of_postgres: float) -> None:
        """One round of a way; all times in seconds."""
        self.per_core[way].append(events / used)
        self.on_the_wall[way].append(events / seconds)
        self.postgres[way].append(of_postgres / events * 1e6)


async def run(bench: Bench) -> list[Figure]:
    """Both ways in turn, over the same topics."""
    found = Found()
    records = lives.records(bench.count(20_000, 1_000), within=DAY)
    for turn in range(bench.rounds):
        async with bench.kafka() as settings:
            bench.say(f"round {turn + 1}: {len(records)} events into the topics")
            await fulltopic.fill(settings, records)
            bench.say(f"round {turn + 1}: a bare client copies them")
            bare = await topic_to_table.take(bench, settings, _topics(records), len(records), BATCH)
            found.note("bare", bare.events, bare.seconds, bare.cpu, bare.postgres)
            bench.say(f"round {turn + 1}: metrics takes them")
            await _metrics(bench, settings, len(records), found)
    return _figures(found)


def _topics(records: Sequence[Record]) -> list[str]:
    return sorted({record.row.log[0] for record in records})


def _figures(found: Found) -> list[Figure]:
    beside = "getmany + COPY of the same bytes"
    return [
        Figure.of(
            "metrics consumer: events per CPU second of its process, from a full topic",
            found.per_core["metrics"],
            "events/s",
            beside=beside,
            beside_values=found.per_core["bare"],
            target=f">= {TARGET:,} events/s",
            bound="Python: reading the record and its JSON, the facts of its ticket, and what they count",
        ),
        Figure.of(
            "metrics consumer: events/s on the wall, one instance",
            found.on_the_wall["metrics"],
            "events/s",
            beside=beside,
            beside_values=found.on_the_wall["bare"],
            bound=f"{busy(found.cores)}: one transaction after the other, Python and PostgreSQL take turns",
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


async def _metrics(bench: Bench, settings: KafkaSettings, count: int, found: Found) -> None:
    databases = {service: await bench.database_url(service) for service in SERVICES}
    try:
        folder = bench.folder / databases["metrics"].rpartition("/")[2]
        async with running(folder, [CONSUMER], databases, settings, bench.servers, UNLIMITED) as platform:
            before = await _applied(platform, 1)
            with CpuMeter(platform.pids) as cpu:
                await _applied(platform, count)
        found.note("metrics", count - before, cpu.elapsed, cpu.used[CONSUMER.name], cpu.used["PostgreSQL"])
        found.cores.append(cpu.cores)
    finally:
        for url in databases.values():
            await bench.drop(url)


async def _applied(platform: Platform, least: int) -> int:
    """Wait until so many events were applied; how many they are."""

    async def applied() -> int:
        (row,) = await platform.fetch("metrics", "SELECT coalesce(sum(last_seq), 0)::bigint AS seq FROM consumer_part")
        return int(row["seq"])

    return await platform.until(applied, lambda seen: seen >= least, patience=PATIENCE, every=LOOK)
