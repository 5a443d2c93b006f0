"""How many requests are accepted a second while all four services work on them, beside the bare minimum and beside the ORM's way."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import Final

import asyncpg

from benchmarks import load, requests
from benchmarks.bench import QUIET, Bench
from benchmarks.comparisons.server import Comparison
from benchmarks.comparisons.tables import CREATE
from benchmarks.cpu import CpuMeter, busy
from benchmarks.figure import Figure
from benchmarks.load import Load, in_words
from benchmarks.platform import Part, Platform

NAME = "accept"
ABOUT = "accepted requests/s while all four services run, beside the bare minimum and one ORM transaction per request"

CALLERS: Final = 128
"""Of the closed loop; more do not find a higher maximum."""

DOOR: Final = (Part("intake", "api"),)

REFUSED_AT_MOST: Final = 0.2
"""Share of the calls that the platform may refuse at its maximum; the rate is that of what was accepted."""


@dataclass
class Found:
    """What the rounds measured."""

    rates: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Accepted requests a second of `platform`, `door`, `bare` and `orm`."""
    cpu: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Microseconds of the server and PostgreSQL for each accepted request."""
    cores: dict[str, list[dict[str, float]]] = field(default_factory=lambda: defaultdict(list))
    """How much of a core each part kept busy, by way; `half` is the platform at half of its maximum."""
    generator: list[float] = field(default_factory=list)
    """Microseconds of the load generator for each request to the bare minimum."""
    refused: list[float] = field(default_factory=list)
    """Percent of the calls of the closed loop to the platform."""
    failures: Counter[str] = field(default_factory=Counter)
    """What became of those, of all rounds."""
    p99: list[float] = field(default_factory=list)
    half: list[float] = field(default_factory=list)
    failures_at_half: Counter[str] = field(default_factory=Counter)


async def run(bench: Bench) -> list[Figure]:
    """Alternate the four ways, round by round; each has the machine to itself, for one that rests is vacuumed meanwhile."""
    found = Found()
    for turn in range(bench.rounds):
        async with bench.platform(env=QUIET) as platform:
            await _platform(bench, platform, found, turn)
        async with bench.platform(DOOR, env=QUIET) as door:
            await _alone(bench, found, turn, "door", door.url("intake"), door.headers("service"), door.pids["intake.api-0"])
        for name in ("bare", "orm"):
            async with comparison(bench, name) as way:
                await _alone(bench, found, turn, name, way.url, {}, way.child.pid)
    return _figures(found)


async def _platform(bench: Bench, platform: Platform, found: Found, turn: int) -> None:
    """The maximum of all four services, then half of it at intended times."""
    url, calls = platform.url("intake"), requests.creations(platform.url("intake"), platform.headers("service"), name=f"r{turn}")
    seconds = bench.seconds(60, 6)
    bench.say(f"round {turn + 1}: all that Aftercare accepts, {seconds:.0f} s")
    warm = await load.run(Load(url, calls, bench.seconds(5, 2), connections=CALLERS, warm_up=0.0))
    with CpuMeter(platform.pids) as cpu:
        most = await load.run(Load(url, calls, seconds, connections=CALLERS, warm_up=0.0, first_number=warm.sent + 4_000))
    most.require_clean(but=REFUSED_AT_MOST)
    await platform.settle(timeout=900)
    half, number = most.rate / 2, warm.sent + most.sent + 8_000
    bench.say(f"round {turn + 1}: {half:.0f} requests/s at intended times, {seconds:.0f} s")
    with CpuMeter(platform.pids) as calm_cpu:
        calm = await load.run(Load(url, calls, seconds, rate=half, connections=256, first_number=number))
    await platform.settle(timeout=900)
    found.rates["platform"].append(most.rate)
    found.cores["platform"].append(_by_part(platform, cpu.cores) | {"load generator": most.cpu / cpu.elapsed})
    found.cores["half"].append(_by_part(platform, calm_cpu.cores) | {"load generator": calm.cpu / calm_cpu.elapsed})
    found.refused.append(most.failed / most.sent * 100)
    found.failures += most.failures
    found.half.append(half)
    found.p99.append(calm.percentile(0.99))
    found.failures_at_half += calm.failures


def _by_part(platform: Platform, cores: Mapping[str, float]) -> dict[str, float]:
    """The services' processes together, and each server."""
    services = sum(cores[name] for name in platform.processes)
    return {"services": services} | {name: cores[name] for name in platform.servers}


async def _alone(bench: Bench, found: Found, turn: int, way: str, url: str, headers: Mapping[str, str], pid: int) -> None:
    """A server that has the machine to itself."""
    seconds = bench.seconds(30, 4)
    bench.say(f"round {turn + 1}: {way} alone, {seconds:.0f} s")
    calls = requests.creations(url, headers, name=f"r{turn}")
    # warmed up by a run of its own: what that costs would be in the CPU time and not in the count
    warm = await load.run(Load(url, calls, bench.seconds(5, 2), connections=CALLERS, warm_up=0.0))
    with CpuMeter({"server": pid, "PostgreSQL": bench.postgres.child.pid}) as cpu:
        most = await load.run(Load(url, calls, seconds, connections=CALLERS, warm_up=0.0, first_number=warm.sent + 4_000))
    most.require_clean()
    found.rates[way].append(most.rate)
    found.cpu[way].append(cpu.total / most.accepted * 1e6)
    found.cores[way].append(cpu.cores | {"load generator": most.cpu / cpu.elapsed})
    if way == "bare":
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
    rates, cpu = found.rates, found.cpu
    platform, door = busy(found.cores["platform"]), busy(found.cores["door"])
    return [
        Figure.of(
            "accepted requests, all four services running",
            rates["platform"],
            "/s",
            beside="the bare minimum doing the same insert, alone",
            beside_values=rates["bare"],
            target=">= 0.6",
            bound=f"{platform}: relay, the other three services and PostgreSQL work on the same requests meanwhile",
        ),
        Figure.of(
            "accepted requests, all four services running",
            rates["platform"],
            "/s",
            beside="one ORM transaction per request, alone",
            beside_values=rates["orm"],
            target=">= 3",
            bound=f"the same; beside it {busy(found.cores['orm'])}",
        ),
        Figure.of(
            "p99 of accepting at half of the maximum",
            found.p99,
            "ms",
            beside=f"at {median(found.half):,.0f} requests/s",
            target="< 100 ms",
            bound=f"two commits with fsync, and whoever else is on the core: {busy(found.cores['half'])};"
            f" not accepted: {in_words(found.failures_at_half)}",
        ),
        Figure.of(
            "not accepted at the maximum",
            found.refused,
            "%",
            bound=f"of all rounds: {in_words(found.failures)}; 503 is for what would have waited more than a second",
        ),
        Figure.of(
            "accepted requests, intake's door alone",
            rates["door"],
            "/s",
            beside="the bare minimum",
            beside_values=rates["bare"],
            bound=f"{door}: checking, recognising the customer, numbering the events; beside it {busy(found.cores['bare'])}",
        ),
        Figure.of(
            "CPU per accepted request, intake's door and its PostgreSQL",
            cpu["door"],
            "µs",
            beside="the bare minimum and its PostgreSQL",
            beside_values=cpu["bare"],
            bound="the same",
        ),
        Figure.of(
            "CPU per accepted request, intake's door and its PostgreSQL",
            cpu["door"],
            "µs",
            beside="one ORM transaction per request",
            beside_values=cpu["orm"],
        ),
        Figure.of("CPU of the load generator per request to the bare minimum", found.generator, "µs"),
    ]
