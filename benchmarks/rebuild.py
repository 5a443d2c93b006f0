"""How long metrics takes to build all key figures anew from its event log, beside a COPY of the same rows."""

from __future__ import annotations

import resource
import time
from collections import defaultdict
from collections.abc import Awaitable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, TypeVar

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
ABOUT = "seconds that a KPI rebuild of a million events takes, beside COPY of the same rows"

YEAR: Final = timedelta(days=365)
LOGGED_AT_ONCE: Final = 10_000
COPIED_AT_ONCE: Final = 50_000


T = TypeVar("T")


@dataclass
class Found:
    """Seconds, by what took them."""

    took: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    python: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    postgres: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))


async def run(bench: Bench) -> list[Figure]:
    """One event log of a year; it is built from and copied in turn."""
    found = Found()
    events = bench.count(1_000_000, 20_000)
    async with bench.database("metrics") as database:
        bench.say(f"{events} events into the event log")
        count = await fill(database, round(events / lives.EVENTS_OF_A_LIFE))
        for turn in range(bench.rounds):
            bench.say(f"round {turn + 1}: COPY of {count} rows")
            await _timed(bench, found, "copy", _copied(database))
            bench.say(f"round {turn + 1}: a rebuild of {count} events")
            generation, _ = await _timed(bench, found, "build", rebuilding.build(database, _unheard, workers.number(None)))
            bench.say(f"round {turn + 1}: its proof")
            await _timed(bench, found, "prove", rebuilding.change_over(database, generation))
            await rebuilding.clear_away(database)
    return _figures(found, count)


def _figures(found: Found, count: int) -> list[Figure]:
    per_million = 1_000_000 / count
    scaled = {what: [seconds * per_million for seconds in took] for what, took in found.took.items()}
    each = {what: sum(used) / len(used) / count * 1e6 for what, used in found.python.items()}
    database = {what: sum(used) / len(used) / count * 1e6 for what, used in found.postgres.items()}
    return [
        Figure.of(
            "KPI rebuild of 1 million events: facts, rows and counts",
            scaled["build"],
            "s",
            beside="COPY of the same rows",
            beside_values=scaled["copy"],
            target="< 40 s",
            bound=f"CPU: {each['build']:.0f} µs of Python in {workers.number(None)} processes, {database['build']:.0f} µs of PostgreSQL "
            "for each event",
        ),
        Figure.of(
            "its proof against the event log, before the new figures are used",
            scaled["prove"],
            "s",
            bound=f"reading the JSON of all documents, and histories: {database['prove']:.0f} µs of PostgreSQL for each event",
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


async def _timed(bench: Bench, found: Found, what: str, work: Awaitable[T]) -> T:
    began_at, used, of_postgres = monotonic(), _python(), cpu.seconds(bench.postgres.child.pid)
    result = await work
    found.took[what].append(monotonic() - began_at)
    found.python[what].append(_python() - used)
    found.postgres[what].append(cpu.seconds(bench.postgres.child.pid) - of_postgres)
    return result


def _python() -> float:
    """CPU seconds of this process and of the workers that it had."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime


async def _copied(database: Database) -> None:
    """The same rows out of the event log and into a table like it."""
    async with database.transaction() as tx:
        await tx.execute("SET LOCAL statement_timeout = 0")
        await tx.execute("DROP TABLE IF EXISTS copied")
        await tx.execute("CREATE TABLE copied (LIKE event_log INCLUDING ALL)")
        cursor = await tx.driver.cursor("SELECT topic, part, seq, type, key, event_time, data FROM event_log", timeout=log.PATIENCE)
        while rows := await cursor.fetch(COPIED_AT_ONCE, timeout=log.PATIENCE):
            await tx.driver.copy_records_to_table("copied", records=map(tuple, rows), timeout=log.PATIENCE)


def _unheard(_read: int, _all: int) -> None:
    """Nobody watches."""
