"""How many requests are accepted a second while all four services work on them, beside the bare minimum and beside the ORM's way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import Final

import asyncpg

from benchmarks import load, requests
from benchmarks.bench import Bench
from benchmarks.comparisons.server import Comparison
from benchmarks.comparisons.tables import CREATE
from benchmarks.cpu import CpuMeter
from benchmarks.figure import Figure
from benchmarks.load import Load, Measured
from benchmarks.platform import Platform

NAME = "accept"
ABOUT = "accepted requests/s while all four services run, beside the bare minimum and one ORM transaction per request"

CALLERS: Final = 128
"""Of the closed loop; more do not find a higher maximum."""

QUIET: Final = {"INTAKE_ACKNOWLEDGE": "false"}
"""No receipts: the comparisons write none either."""


@dataclass
class Found:
    """What the rounds measured."""

    rates: dict[str, list[float]] = field(default_factory=lambda: {"aftercare": [], "bare": [], "orm": []})
    cpu: dict[str, list[float]] = field(default_factory=lambda: {"aftercare": [], "bare": [], "orm": []})
    """Microseconds of the server and PostgreSQL for each accepted request."""
    generator: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    """Percent of the calls of the closed loop."""
    p99: list[float] = field(default_factory=list)
    half: list[float] = field(default_factory=list)


async def run(bench: Bench) -> list[Figure]:
    """Alternate the three ways, round by round."""
    found = Found()
    async with bench.platform(env=QUIET) as platform, comparison(bench, "bare") as bare, comparison(bench, "orm") as orm:
        for turn in range(bench.rounds):
            await _aftercare(bench, platform, found, turn)
            for way in (bare, orm):
                await _comparison(bench, way, found, turn)
    return _figures(found)


async def _aftercare(bench: Bench, platform: Platform, found: Found, turn: int) -> None:
    """The maximum, then half of it at intended times."""
    calls = requests.creations(platform.url("intake"), platform.headers("service"), name=f"r{turn}")
    seconds = bench.seconds(60, 6)
    bench.say(f"round {turn + 1}: all that Aftercare accepts, {seconds:.0f} s")
    with CpuMeter({name: platform.pids[name] for name in ("intake", "PostgreSQL")}) as cpu:
        most = await load.run(Load(platform.url("intake"), calls, seconds, connections=CALLERS))
    await platform.settle(timeout=600)
    half = most.rate / 2
    bench.say(f"round {turn + 1}: {half:.0f} requests/s at intended times, {seconds:.0f} s")
    calm = await load.run(Load(platform.url("intake"), calls, seconds, rate=half, connections=256, first_number=most.sent + 4_000))
    await platform.settle(timeout=600)
    _note(found, "aftercare", most, cpu)
    found.refused.append(most.failed / most.sent * 100)
    found.half.append(half)
    found.p99.append(calm.percentile(0.99))


async def _comparison(bench: Bench, way: Comparison, found: Found, turn: int) -> None:
    seconds = bench.seconds(30, 4)
    bench.say(f"round {turn + 1}: the same by {way.name}, {seconds:.0f} s")
    calls = requests.creations(way.url, {}, name=f"r{turn}")
    with CpuMeter({"server": way.child.pid, "PostgreSQL": bench.postgres.child.pid}) as cpu:
        most = await load.run(Load(way.url, calls, seconds, connections=CALLERS))
    most.require_clean()
    _note(found, way.name, most, cpu)


def _note(found: Found, way: str, most: Measured, cpu: CpuMeter) -> None:
    found.rates[way].append(most.rate)
    found.cpu[way].append(cpu.total / most.accepted * 1e6)
    found.generator.append(most.cpu_us)


@asynccontextmanager
async def comparison(bench: Bench, name: str) -> AsyncIterator[Comparison]:
    """One of the comparison programs on a database of its own."""
    url = bench.empty_database(name)
    connection = await asyncpg.connect(url)
    await connection.execute(CREATE)
    await connection.close()
    try:
        with Comparison(name, url, bench.environment, bench.folder / f"{name}.log") as server:
            yield server
    finally:
        await bench.drop(url)


def _figures(found: Found) -> list[Figure]:
    rates = found.rates
    return [
        Figure.of(
            "accepted requests, all four services running",
            rates["aftercare"],
            "/s",
            beside="the bare minimum doing the same insert, alone",
            beside_values=rates["bare"],
            target=">= 0.6",
            bound="both cores are busy: the other three services, relay and PostgreSQL work on the same requests meanwhile",
        ),
        Figure.of(
            "accepted requests, beside the ORM's way",
            rates["aftercare"],
            "/s",
            beside="one ORM transaction per request, alone",
            beside_values=rates["orm"],
            target=">= 3",
            bound="the same",
        ),
        Figure.of(
            "p99 of accepting at half of the maximum",
            found.p99,
            "ms",
            beside=f"at {median(found.half):,.0f} requests/s",
            target="< 100 ms",
            bound="two commits with fsync, and whoever else is on the core",
        ),
        _cpu("CPU per accepted request, intake and its PostgreSQL", found.cpu["aftercare"], found.cpu["bare"], "the bare minimum"),
        Figure.of("refused with 503 at the maximum: what would have waited more than a second", found.refused, "%"),
        Figure.of("CPU of the load generator per request", found.generator, "µs"),
    ]


def _cpu(what: str, values: Sequence[float], beside: Sequence[float], name: str) -> Figure:
    return Figure.of(what, values, "µs", beside=name, beside_values=beside, bound="PostgreSQL's share holds what consumers write, too")
