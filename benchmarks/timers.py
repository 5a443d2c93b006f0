"""How many due timers of tickets are fired a second when very many are due at once, and whether each is fired exactly once.

A timer's work is all that the house does at a due time: the ticket is locked, the timer taken, the warning written into the history, the
clock and the ticket changed, the next timer set, the event put into the outbox. Two processes, `python -m services.tickets timers`, share
the work, as two instances would.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from statistics import median
from typing import Final

import asyncpg

from benchmarks import platform
from benchmarks.bench import UNLIMITED, Bench
from benchmarks.cpu import CpuMeter
from benchmarks.figure import Figure
from benchmarks.platform import SERVICES, Part, Platform
from benchmarks.tickets_consumer import requests_received
from services.tickets.handlers import reception
from shared import telemetry
from shared.clock import monotonic
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


async def run(bench: Bench) -> list[Figure]:
    """Each round fires all timers of a database of its own."""
    telemetry.configure_logs(service="benchmarks", version="", env="bench", level="WARNING")
    count = bench.count(100_000, 5_000)
    rates: list[float] = []
    wrong: list[float] = []
    cpu: dict[str, list[float]] = {}
    for turn in range(bench.rounds):
        databases = {service: await bench.database_url(service) for service in SERVICES}
        folder = bench.folder / databases["tickets"].rpartition("/")[2]
        try:
            bench.say(f"round {turn + 1}: {count:,} tickets are opened")
            await _open(databases["tickets"], count)
            async with bench.kafka() as kafka:
                bench.say(f"round {turn + 1}: {count:,} timers are due")
                async with platform.running(folder, LOOPS, databases, kafka, bench.servers, UNLIMITED) as running:
                    rate, used = await _measure(running, count)
                    wrong.append(await _not_once(running.databases["tickets"], count))
            rates.append(rate)
            for name, each in used.items():
                cpu.setdefault(name, []).append(each)
        finally:
            for url in databases.values():
                await bench.drop(url)
    return _figures(rates, wrong, cpu)


def _figures(rates: list[float], wrong: list[float], cpu: dict[str, list[float]]) -> list[Figure]:
    shares = ", ".join(f"{name} {median(each):.0f} µs" for name, each in cpu.items())
    whole = [sum(each) for each in zip(*cpu.values(), strict=True)]
    return [
        Figure.of("SLA timers fired, two processes", rates, "/s", target=">= 20,000 /s", bound=f"CPU for each timer: {shares}"),
        Figure.of("SLA timers, CPU for each, with PostgreSQL", whole, "µs"),
        Figure.of("SLA timers fired more or less than once", wrong, "timers", target="<= 0 timers"),
    ]


async def _open(url: str, count: int) -> None:
    database = Database(url, pool_size=1, application_name="benchmarks")
    try:
        requests = list(requests_received(count, ago=AGO))
        for first in range(0, count, 1_000):
            async with database.transaction() as tx:
                await reception.receive(tx, requests[first : first + 1_000])
    finally:
        await database.close()


async def _measure(running: Platform, count: int) -> tuple[float, dict[str, float]]:
    """Timers a second, and microseconds of CPU for each."""
    watcher = await asyncpg.connect(running.databases["tickets"])
    try:
        await _left(watcher, running, count * (1 - FROM))
        before = await _left(watcher, running, count)
        with CpuMeter(running.pids) as cpu:
            after = await _left(watcher, running, count * (1 - TO))
        await _left(watcher, running, 0)
    finally:
        await watcher.close()
    fired = before - after
    return fired / cpu.elapsed, {name: used / fired * 1e6 for name, used in cpu.used.items()}


async def _left(watcher: asyncpg.Connection[asyncpg.Record], running: Platform, most: float) -> int:
    """Wait until at most so many timers are due; how many they are."""
    deadline = monotonic() + PATIENCE
    while True:
        running.require_alive()
        left = int(await watcher.fetchval("SELECT count(*) FROM timer WHERE due_at <= clock_timestamp()"))
        if left <= most:
            return left
        if monotonic() > deadline:
            raise TimeoutError(f"{left:,} timers are still due")
        await asyncio.sleep(LOOK)


_ONCE: Final = (
    "SELECT count(*) FROM (SELECT FROM history WHERE type = 'sla.warned' GROUP BY number HAVING count(*) = 1) once",
    "SELECT count(*) FROM (SELECT FROM outbox WHERE type = 'sla.warned.v1' GROUP BY key HAVING count(*) = 1) once",
)


async def _not_once(url: str, count: int) -> float:
    """Tickets without exactly one warning in their history, and those without exactly one in the outbox."""
    connection = await asyncpg.connect(url, server_settings={"statement_timeout": "0"})
    try:
        return float(sum([count - await connection.fetchval(once) for once in _ONCE]))
    finally:
        await connection.close()
