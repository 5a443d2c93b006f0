"""Memory of each process, at rest and under load; of the broker and PostgreSQL beside."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from statistics import median
from typing import Final

import psutil

from benchmarks import load, requests
from benchmarks.bench import Bench
from benchmarks.figure import Figure
from benchmarks.load import Load
from benchmarks.platform import Platform
from shared.clock import monotonic

NAME = "memory"
ABOUT = "memory of each process at rest and under load, of the broker and PostgreSQL beside"

MB: Final = 10**6
LOOK: Final = 0.5
"""Seconds between two looks at the services' processes under load; the highest counts."""
SELDOM: Final = 5.0
"""Seconds between two looks at everything: PostgreSQL has a process for each connection, and their shares are added up page by page."""
READINGS: Final = 5.0
"""Lists, tickets and figures that are asked for in a second, beside the requests."""


@dataclass(frozen=True)
class Size:
    """MB, 10^6 bytes. `own` is the proportional share of what processes have in common (PSS), `resident` counts that in full (RSS)."""

    resident: float = 0.0
    own: float = 0.0

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
                resident += found.rss / MB
                own += found.pss / MB
    return Size(resident, own)


def resident_of(pid: int) -> Size:
    """The same of a process without descendants, cheaply; its share is not looked at."""
    with suppress(psutil.NoSuchProcess):
        return Size(resident=psutil.Process(pid).memory_info().rss / MB)
    return Size()


Sizes = Mapping[str, Size]


async def run(bench: Bench) -> list[Figure]:
    """Each round lets a new platform rest, loads it and looks."""
    rest: dict[str, list[Size]] = defaultdict(list)
    loaded: dict[str, list[Size]] = defaultdict(list)
    for turn in range(bench.rounds):
        async with bench.platform() as platform:
            bench.say(f"round {turn + 1}: at rest")
            await asyncio.sleep(bench.seconds(15, 3))
            _keep(rest, _look(platform))
            seconds = bench.seconds(60, 8)
            bench.say(f"round {turn + 1}: under load, {seconds:.0f} s")
            _keep(loaded, await _highest_while(platform, seconds))
    return [(_of_server if name in bench.servers else _of_process)(name, rest[name], loaded[name]) for name in rest]


def _keep(rounds: dict[str, list[Size]], sizes: Sizes) -> None:
    for name, size in sizes.items():
        rounds[name].append(size)


async def _highest_while(platform: Platform, seconds: float) -> Sizes:
    """The highest that was seen of each while requests come as fast as they are accepted, and people look at tickets and figures, until
    everything is applied."""
    creations = requests.creations(platform.url("intake"), platform.headers("service"), name="m")
    loads = (
        Load(platform.url("intake"), creations, seconds, connections=64),
        Load(platform.url("tickets"), _readings(platform, "tickets", TICKETS), seconds, rate=READINGS),
        Load(platform.url("metrics"), _readings(platform, "metrics", FIGURES), seconds, rate=READINGS),
    )
    work = asyncio.create_task(_answered(platform, loads))
    highest = _look(platform)
    everything_at = monotonic() + SELDOM
    while not work.done():
        await asyncio.sleep(LOOK)
        if monotonic() >= everything_at:
            now = _look(platform)
            everything_at = monotonic() + SELDOM
        else:
            now = {name: resident_of(process.child.pid) for name, process in platform.processes.items()}
        highest |= {name: highest[name].or_more(size) for name, size in now.items()}
    await work
    return highest


async def _answered(platform: Platform, loads: Sequence[Load]) -> None:
    """Send them side by side; LoadFailed when not everything was answered as it should be."""
    for measured in await asyncio.gather(*map(load.run, loads)):
        measured.require_clean()
    await platform.settle(timeout=600)


TICKETS: Final = ("/v1/tickets?limit=50", "/v1/tickets?q=kettle&limit=50")
FIGURES: Final = ("/v1/kpis?from=2026-11-01&to=2026-12-01&group_by=channel",)


def _readings(platform: Platform, service: str, paths: tuple[str, ...]) -> list[str]:
    url, headers = platform.url(service), platform.headers("manager")
    return [load.request("GET", url + path, headers=headers) for path in paths]


def _look(platform: Platform) -> dict[str, Size]:
    """Everything, at its cost."""
    return {name: size_of(pid) for name, pid in platform.pids.items()}


def _of_process(name: str, rest: Sequence[Size], loaded: Sequence[Size]) -> Figure:
    own = median(size.own for size in loaded)
    return Figure.of(
        f"memory of {name} under load (RSS)",
        [size.resident for size in loaded],
        "MB",
        beside="at rest",
        beside_values=[size.resident for size in rest],
        target="< 150 MB",
        bound=f"Python and the libraries it has loaded; {own:.0f} MB of it are its own (PSS)",
    )


def _of_server(name: str, rest: Sequence[Size], loaded: Sequence[Size]) -> Figure:
    return Figure.of(
        f"memory of {name} under load (PSS of all its processes)",
        [size.own for size in loaded],
        "MB",
        beside="at rest",
        beside_values=[size.own for size in rest],
    )
