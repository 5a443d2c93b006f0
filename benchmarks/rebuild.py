"""How long metrics takes to build all key figures anew from its event log and to prove them, beside a COPY of the same rows."""

from __future__ import annotations

import asyncio
import os
import resource
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from statistics import median
from typing import Final

import asyncpg

from benchmarks import cpu, lives
from benchmarks.bench import Bench
from benchmarks.figure import Figure
from services.metrics import rebuild as rebuilding
from services.metrics.rebuild import workers
from services.metrics.reduction import Entry, read
from services.metrics.store import log
from shared.clock import monotonic
from shared.database import Database
from shared.events import REGISTRY

NAME = "rebuild"
ABOUT = "seconds that a KPI rebuild of a million events takes, its proof included, beside COPY of the same rows"

YEAR: Final = timedelta(days=365)
LOGGED_AT_ONCE: Final = 10_000
CHUNKS: Final = 64
"""Pieces of the copied rows that wait between the two connections, at most."""


@dataclass
class Found:
    """Seconds, by what took them."""

    took: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    python: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    postgres: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def in_words(self, what: str, count: int) -> str:
        """What a part of the work costs each event, and how busy it kept the machine."""
        python, postgres = (median(used[what]) for used in (self.python, self.postgres))
        busy = (python + postgres) / median(self.took[what])
        each = f"{python / count * 1e6:.0f} µs of Python, {postgres / count * 1e6:.0f} µs of PostgreSQL for each event"
        return f"{each}; {busy:.2g} of {os.cpu_count()} cores busy"


async def run(bench: Bench) -> list[Figure]:
    """One event log of a year; it is copied and built from in turn."""
    found = Found()
    events = bench.count(1_000_000, 20_000)
    async with bench.database("metrics") as database:
        bench.say(f"{events} events into the event log")
        count = await fill(database, round(events / lives.EVENTS_OF_A_LIFE))
        for turn in range(bench.rounds):
            bench.say(f"round {turn + 1}: COPY of {count} rows")
            await _copy(bench, found, database)
            bench.say(f"round {turn + 1}: a rebuild of {count} events")
            await _rebuild(bench, found, database)
    return _figures(found, count)


def _figures(found: Found, count: int) -> list[Figure]:
    per_million = 1_000_000 / count
    scaled = {what: [seconds * per_million for seconds in took] for what, took in found.took.items()}
    whole, build, prove = (median(scaled[what]) for what in ("all", "build", "prove"))
    parts = (
        f"{build:.1f} s facts, rows and counts, {prove:.1f} s their proof, {whole - build - prove:.1f} s the deletion of what they replace"
    )
    return [
        Figure.of(
            "KPI rebuild of 1 million events, from the command to its end",
            scaled["all"],
            "s",
            beside="COPY of the same rows",
            beside_values=scaled["copy"],
            target="< 40 s",
            bound=f"{parts}; {found.in_words('all', count)}",
        ),
        Figure.of(
            "of it: facts, rows and counts are built",
            scaled["build"],
            "s",
            bound=f"{workers.number(None)} processes: {found.in_words('build', count)}",
        ),
        Figure.of(
            "of it: the proof against the event log, and the change to the new figures",
            scaled["prove"],
            "s",
            bound=f"reading the JSON of all documents, and histories: {found.in_words('prove', count)}",
        ),
    ]


async def fill(database: Database, count: int) -> int:
    """Lives of a year as lines of the event log, as the consumer writes them; how many."""
    entries = [_entry(record) for record in lives.records(count, within=YEAR)]
    for start in range(0, len(entries), LOGGED_AT_ONCE):
        async with database.transaction() as tx:
            await log.append(tx, entries[start : start + LOGGED_AT_ONCE])
    return len(entries)


def _entry(record: lives.Record) -> Entry:
    topic, part = record.row.log
    return read(REGISTRY[topic, record.row.type], topic, part, record.row.seq, record.row.payload)


@contextmanager
def _timed(bench: Bench, found: Found, what: str) -> Iterator[None]:
    began_at, used, of_postgres = monotonic(), _python(), cpu.seconds(bench.postgres.child.pid)
    yield
    found.took[what].append(monotonic() - began_at)
    found.python[what].append(_python() - used)
    found.postgres[what].append(cpu.seconds(bench.postgres.child.pid) - of_postgres)


def _python() -> float:
    """CPU seconds of this process and of the workers that it had."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime


async def _rebuild(bench: Bench, found: Found, database: Database) -> None:
    """What `rebuilding.rebuild` does, which `aftercare kpi rebuild` calls, so that the parts can be timed as well."""
    with _timed(bench, found, "all"):
        await rebuilding.clear_away(database)
        with _timed(bench, found, "build"):
            generation, _ = await rebuilding.build(database, _unheard, workers.number(None))
        with _timed(bench, found, "prove"):
            await rebuilding.change_over(database, generation)
        await rebuilding.clear_away(database)


def _unheard(_read: int, _all: int) -> None:
    """Nobody watches."""


# ------------------------------------------------------------------ COPY


async def _copy(bench: Bench, found: Found, database: Database) -> None:
    """The event log out of one connection and into another one, in the server's own form, into a table with the same indexes."""
    source, target = [await asyncpg.connect(database.url, server_settings={"statement_timeout": "0"}) for _ in range(2)]
    try:
        await target.execute("CREATE TABLE copied (LIKE event_log INCLUDING ALL)")
        with _timed(bench, found, "copy"):
            await _stream(source, target)
        await target.execute("DROP TABLE copied")
    finally:
        await source.close()
        await target.close()


async def _stream(source: asyncpg.Connection[asyncpg.Record], target: asyncpg.Connection[asyncpg.Record]) -> None:
    chunks: asyncio.Queue[bytes] = asyncio.Queue(CHUNKS)

    async def arriving() -> AsyncIterator[bytes]:
        while chunk := await chunks.get():
            yield chunk

    async with asyncio.TaskGroup() as both:
        writing = both.create_task(target.copy_to_table("copied", source=arriving(), format="binary"))
        await source.copy_from_table("event_log", output=chunks.put, format="binary")
        await chunks.put(b"")  # the end
        await writing
