"""How many due timers of tickets are fired a second when very many are due at once, and whether each is fired exactly once.

A timer's work is all that the house does at a due time: the ticket is locked, the timer taken, the warning written into the history, the
clock and the ticket changed, the next timer set, the event put into the outbox. Two processes, `python -m services.tickets timers`, share
the work, as two instances would.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from statistics import median
from typing import Final

import asyncpg

from benchmarks import platform
from benchmarks.bench import UNLIMITED, Bench
from benchmarks.cpu import CpuMeter, busy
from benchmarks.figure import Figure
from benchmarks.platform import SERVICES, Part, Platform
from benchmarks.tickets_consumer import requests_received
from services.tickets.handlers import reception
from shared.database import Database

NAME = "timers"
ABOUT = "SLA timers fired/s with 100 thousand due at once, each exactly once"

LOOPS: Final = (Part("tickets", "timers", 0), Part("tickets", "timers", 1))
AGO: Final = timedelta(hours=3, minutes=20)
"""Since then a first answer is waited for: its warning is due (80 % of 4 hours), its breach is not."""
LOOK: Final = 0.05
PATIENCE: Final = 900.0
FROM: Final = 0.05
TO: Final = 0.95
"""Measured between these shares: the start of the processes and the last, small batches are not."""


@dataclass
class Found:
    """What the rounds measured."""

    rates: list[float] = field(default_factory=list)
    wrong: list[float] = field(default_factory=list)
    cpu: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Microseconds of CPU for each timer."""
    cores: list[dict[str, float]] = field(default_factory=list)


async def run(bench: Bench) -> list[Figure]:
    """Each round fires all timers of a database of its own."""
    count = bench.count(100_000, 20_000)
    found = Found()
    for turn in range(bench.rounds):
        databases = {service: await bench.database_url(service) for service in SERVICES}
        folder = bench.folder / databases["tickets"].rpartition("/")[2]
        try:
            bench.say(f"round {turn + 1}: {count:,} tickets are opened")
            opened = await _open(databases["tickets"], count)
            async with bench.kafka() as kafka:
                bench.say(f"round {turn + 1}: {count:,} timers are due")
                async with platform.running(folder, LOOPS, databases, kafka, bench.servers, UNLIMITED) as running:
                    await _measure(running, opened, count, found)
                    found.wrong.append(await _wrong(running, opened, count))
        finally:
            for url in databases.values():
                await bench.drop(url)
    return _figures(found)


def _figures(found: Found) -> list[Figure]:
    shares = ", ".join(f"{name} {median(each):.0f} µs" for name, each in found.cpu.items())
    whole = [sum(each) for each in zip(*found.cpu.values(), strict=True)]
    bound = f"CPU for each timer: {shares}; {busy(found.cores)}"
    return [
        Figure.of("SLA timers fired, two processes", found.rates, "/s", target=">= 20,000 /s", bound=bound),
        Figure.of("SLA timers, CPU for each, with PostgreSQL", whole, "µs"),
        Figure.of("SLA timers fired more or less than once", found.wrong, "timers", target="<= 0 timers"),
    ]


async def _open(url: str, count: int) -> int:
    """Have so many tickets; how many events their opening told."""
    database = Database(url, pool_size=1, application_name="benchmarks")
    try:
        requests = list(requests_received(count, ago=AGO))
        for first in range(0, count, 1_000):
            async with database.transaction() as tx:
                await reception.receive(tx, requests[first : first + 1_000])
        async with database.transaction() as tx:
            return int(await tx.fetchval(_EVENTS))
    finally:
        await database.close()


_EVENTS: Final = "SELECT sum(head)::bigint FROM outbox_head"
"""Twelve rows, however many timers there are. A timer that is fired tells one event, in the transaction that takes the timer away."""


async def _measure(running: Platform, opened: int, count: int, found: Found) -> None:
    await _fired(running, opened, count * FROM)
    before = await _fired(running, opened, 0)
    with CpuMeter(running.pids) as cpu:
        after = await _fired(running, opened, count * TO)
    await _fired(running, opened, count)
    found.rates.append((after - before) / cpu.elapsed)
    found.cores.append(cpu.cores)
    for name, used in cpu.used.items():
        found.cpu[name].append(used / (after - before) * 1e6)


async def _fired(running: Platform, opened: int, least: float) -> int:
    """Wait until so many timers were fired; how many they are."""

    async def fired() -> int:
        ((events,),) = await running.fetch("tickets", _EVENTS)
        return int(events) - opened

    return await running.until(fired, lambda seen: seen >= least, patience=PATIENCE, every=LOOK)


_DUE: Final = "SELECT count(*) FROM timer WHERE due_at <= now()"
_ONCE: Final = (
    "SELECT count(*) FROM (SELECT FROM history WHERE type = 'sla.warned' GROUP BY number HAVING count(*) = 1) once",
    "SELECT count(*) FROM (SELECT FROM outbox WHERE type = 'sla.warned.v1' GROUP BY key HAVING count(*) = 1) once",
)


async def _wrong(running: Platform, opened: int, count: int) -> float:
    """Timers that are still due, events besides one for each timer, and tickets without exactly one warning in their history or without
    exactly one in the outbox."""
    connection = await asyncpg.connect(running.databases["tickets"], server_settings={"statement_timeout": "0"})
    try:
        due = await connection.fetchval(_DUE)
        besides = await connection.fetchval(_EVENTS) - opened - count
        return float(due + abs(besides) + sum([count - await connection.fetchval(once) for once in _ONCE]))
    finally:
        await connection.close()
