"""The least that can be done with a full topic: aiokafka's `getmany` and one COPY of the same bytes, nothing decoded or decided.

`python -m benchmarks.comparisons.topic_to_table <folder>`, started by `take`: a process of its own with the services' event loop, their
Kafka client and as little garbage collection, so that what stands beside a consumer has what the consumer has. No group and no place: from
the start of each partition, once.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import asyncpg
import uvloop
from aiokafka import AIOKafkaConsumer

from benchmarks import cpu
from benchmarks.bench import Bench
from deploy.local.child import Child, ChildFailed, Program
from shared import garbage, kafka
from shared.clock import monotonic
from shared.events.topics import PARTITIONS, topic_named
from shared.kafka import KafkaSettings

PATIENCE: Final = 900.0
_TABLE: Final = "CREATE TABLE taken (topic text, part smallint, off bigint, key bytea, value bytea)"


@dataclass(frozen=True)
class Job:
    """What to take, and where to."""

    database: str
    postgres: int
    """Process id of the server."""
    settings: KafkaSettings
    topics: Sequence[str]
    count: int
    """Records in all of them."""
    at_once: int
    """Records that are polled and copied at once, at most: as many as the service takes into one transaction."""


@dataclass(frozen=True)
class Taken:
    """What was measured from the first batch on, which connects and learns where the partitions are."""

    events: int
    seconds: float
    cpu: float
    """CPU seconds of the process."""
    postgres: float
    """CPU seconds of all of PostgreSQL."""


async def take(bench: Bench, settings: KafkaSettings, topics: Sequence[str], count: int, at_once: int) -> Taken:
    """Copy the topics into a new table. From the main thread (see `deploy.local.tether`)."""
    url = bench.empty_database("taken")
    folder = Path(bench.folder, url.rpartition("/")[2])
    child = _child(folder, Job(url, bench.postgres.child.pid, settings, topics, count, at_once))
    try:
        child.start()
        if not await asyncio.to_thread(child.wait, PATIENCE) or child.exit_code != 0:
            raise ChildFailed(child.name, child.how_it_ended(), child.last_lines())
        return Taken(**json.loads((folder / "taken.json").read_text()))
    finally:
        child.kill()
        await bench.drop(url)


def _child(folder: Path, job: Job) -> Child:
    folder.mkdir()
    (folder / "job.json").write_text(json.dumps(asdict(job)))
    argv = [sys.executable, "-m", "benchmarks.comparisons.topic_to_table", str(folder)]
    return Child(Program("topic to table", argv, folder / "log", cwd=Path(__file__).parents[2]))


# ------------------------------------------------------------------ the process


def main(folder: Path) -> None:
    """Do the job of `job.json`; leave `taken.json`."""
    told = json.loads((folder / "job.json").read_text())
    job = Job(**told | {"settings": KafkaSettings(**told["settings"])})
    garbage.collect_seldom()
    (folder / "taken.json").write_text(json.dumps(asdict(uvloop.run(_take(job)))))


async def _take(job: Job) -> Taken:
    connection = await asyncpg.connect(job.database, server_settings={"statement_timeout": "0"})
    await connection.execute(_TABLE)
    reader = kafka.new_reader(job.settings)
    await reader.start()
    try:
        partitions = kafka.partitions_of(job.settings, map(topic_named, job.topics), PARTITIONS)
        reader.assign(partitions)
        await reader.seek_to_beginning(*partitions)
        first = 0
        while not first:
            first = await _copy(reader, connection, job.at_once)
        taken = first
        began_at, used, of_postgres = monotonic(), time.process_time(), cpu.seconds(job.postgres)
        while taken < job.count:
            taken += await _copy(reader, connection, job.at_once)
        return Taken(taken - first, monotonic() - began_at, time.process_time() - used, cpu.seconds(job.postgres) - of_postgres)
    finally:
        await kafka.close(reader)
        await connection.close()


async def _copy(reader: AIOKafkaConsumer, connection: asyncpg.Connection[asyncpg.Record], at_once: int) -> int:
    """One batch; how many."""
    polled = await reader.getmany(timeout_ms=500, max_records=at_once)
    rows = [(record.topic, record.partition, record.offset, record.key, record.value) for records in polled.values() for record in records]
    if rows:
        await connection.copy_records_to_table("taken", records=rows)
    return len(rows)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
