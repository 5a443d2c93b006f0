"""Memory of each process, at rest and under load; of the broker and PostgreSQL beside."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import psutil

from benchmarks import load, requests
from benchmarks.bench import Bench
from benchmarks.figure import Figure
from benchmarks.load import Load
from benchmarks.platform import Platform

NAME = "memory"
ABOUT = "memory of each process at rest and under load, of the broker and PostgreSQL beside"

MIB: Final = 2**20
LOOK: Final = 0.5
"""Seconds between two looks under load; the highest counts."""
READINGS: Final = 5.0
"""Lists, tickets and figures that are asked for in a second, beside the requests."""


@dataclass(frozen=True)
class Size:
    """MiB. `own` is the proportional share of what processes have in common (PSS), `resident` counts that in full in each (RSS)."""

    resident: float
    own: float

    def or_more(self, other: Size) -> Size:
        """The higher of each."""
        return Size(max(self.resident, other.resident), max(self.own, other.own))


def size_of(pid: int) -> Size:
    """Of a process with its descendants."""
    resident = own = 0.0
    with suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                found = process.memory_full_info()
                resident += found.rss / MIB
                own += found.pss / MIB
    return Size(resident, own)


async def run(bench: Bench) -> list[Figure]:
    """Let it rest, load it, look."""
    async with bench.platform() as platform:
        bench.say("at rest")
        await asyncio.sleep(bench.seconds(15, 3))
        rest = _look(platform)
        seconds = bench.seconds(60, 8)
        bench.say(f"under load, {seconds:.0f} s")
        loaded = await _highest_while(platform, seconds)
        await platform.settle(timeout=600)
    return [_of_process(name, rest[name], loaded[name]) for name in platform.processes] + [
        _of_server(server, rest[server], loaded[server]) for server in platform.servers
    ]


async def _highest_while(platform: Platform, seconds: float) -> Mapping[str, Size]:
    """The highest that was seen of each while requests come as fast as they are accepted, and people look at tickets and figures."""
    creations = requests.creations(platform.url("intake"), platform.headers("service"), name="m")
    wave = asyncio.gather(
        load.run(Load(platform.url("intake"), creations, seconds, connections=64)),
        load.run(Load(platform.url("tickets"), _readings(platform, "tickets", TICKETS), seconds, rate=READINGS)),
        load.run(Load(platform.url("metrics"), _readings(platform, "metrics", FIGURES), seconds, rate=READINGS)),
    )
    highest = _look(platform)
    while not wave.done():
        await asyncio.sleep(LOOK)
        now = _look(platform)
        highest = {name: highest[name].or_more(size) for name, size in now.items()}
    await wave
    return highest


TICKETS: Final = ("/v1/tickets?limit=50", "/v1/tickets?q=kettle&limit=50")
FIGURES: Final = ("/v1/kpis?from=2026-11-01&to=2026-12-01&group_by=channel",)


def _readings(platform: Platform, service: str, paths: tuple[str, ...]) -> list[str]:
    url, headers = platform.url(service), platform.headers("manager")
    return [load.request("GET", url + path, headers=headers) for path in paths]


def _look(platform: Platform) -> dict[str, Size]:
    return {name: size_of(pid) for name, pid in platform.pids.items()}


def _of_process(name: str, rest: Size, loaded: Size) -> Figure:
    return Figure.of(
        f"memory of {name} under load (RSS)",
        [loaded.resident],
        "MB",
        beside="at rest",
        beside_values=[rest.resident],
        target="< 150 MB",
        bound=f"Python and the libraries it has loaded; {loaded.own:.0f} MB of it are its own (PSS)",
    )


def _of_server(server: str, rest: Size, loaded: Size) -> Figure:
    return Figure.of(
        f"memory of {server} under load (PSS of all its processes)", [loaded.own], "MB", beside="at rest", beside_values=[rest.own]
    )
