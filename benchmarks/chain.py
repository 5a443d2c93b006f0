"""How many requests a second are carried through to the figures, and what one request costs every part on its way."""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from math import ceil
from statistics import fmean, median
from typing import Final

from benchmarks import hops, load, requests
from benchmarks.bench import Bench
from benchmarks.cpu import CpuMeter, databases
from benchmarks.figure import Figure
from benchmarks.hops import ALONE, Hop
from benchmarks.load import Load, Measured
from benchmarks.platform import SERVICES, Part, Platform
from services.intake.sending.budget import LIMITS
from shared.clock import monotonic, real_now

NAME = "chain"
ABOUT = "requests/s carried through to KPI without the lag growing; events and CPU per request, of each part; with mails; each hop alone"

PARTS: Final = (
    Part("intake", "api"),
    Part("intake", "consume timers"),
    *(Part(service, "api consume timers") for service in SERVICES if service != "intake"),
    *(Part(service, "relay") for service in SERVICES),
)
"""As `make run` starts it, but relays are processes of their own, so that what they cost can be told from the rest."""
WITH_MAILS: Final = ", with acknowledgement mails"

CALLERS: Final = 128
EACH: Final = min(count for count, _ in LIMITS)
"""Mails that an address gets in the time of a run; with mails on no known customer comes oftener, so each request gets its own."""
LOOK: Final = 1.0
"""Seconds between two looks at how far everything is behind."""

TRIES: Final = 5
"""Rates that are tried."""
LOWER: Final = 0.9
"""The next rate, when the lag grew at the last one."""
MOST_BEHIND: Final = 2.0
"""Seconds' worth of events and mails that may wait in the mean of the second half; what is under way is always some, and a receipt waits
two seconds on purpose. What two consumers have still to apply counts twice."""
GROWTH: Final = 1.5
"""So much more than in the first half is growth."""
KEPT_UP: Final = 0.95
"""The share of an open loop's requests that must be accepted before its end: it fell behind when fewer are."""


# --- which rate is carried -----------------------------------------------------------------------------------------------------------


def is_steady(first: float, second: float, most: float) -> bool:
    """Whether a lag did not grow, by its mean in the first half of the time and in the second, which may always be so much."""
    return second <= max(most, GROWTH * first)


def kept_up(sent: Measured) -> bool:
    """Whether the requests of an open loop were all accepted, and at about the times at which they were intended."""
    return not sent.failed and sent.done >= KEPT_UP * sent.sent


def next_rate(first: float, steady: Sequence[bool]) -> float | None:
    """The rate to try when those before it were steady or not: downwards until one is, or upwards from a first one that is until one is
    not. None when there is none: the highest steady one is the answer."""
    if len(steady) == TRIES or (steady and steady[-1] != steady[0]):
        return None
    step = 1 / LOWER if steady and steady[0] else LOWER
    return float(first * step ** len(steady))


# --- runs ----------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """Requests at one rate, from the first until everything is applied and every mail has left."""

    rate: float
    """Accepted a second."""
    through: float
    """Requests a second that went through to the end, from the first one's coming to the last event's being applied."""
    cpu: Mapping[str, float]
    """Microseconds per request of each part; PostgreSQL by database, too."""
    events: Mapping[str, float]
    """Per request, by topic."""
    mails: float
    """Per request."""
    kept_up: bool
    behind: tuple[float, float]
    """Events that were not applied and mails that had not left: mean of the first half of the time, and of the second."""
    is_highest: bool = True
    """Whether a higher rate was tried and was not steady."""

    @property
    def verdict(self) -> str:
        """For people."""
        first, second = self.behind
        waited = f"{first:,.0f} events and mails waited in the first half, {second:,.0f} in the second"
        return (
            f"{self.rate:,.0f}/s is {'' if self.is_steady else 'not '}carried: {waited}{'' if self.kept_up else ', accepting fell behind'}"
        )

    @property
    def total(self) -> float:
        """Microseconds of everything per request."""
        return sum(used for name, used in self.cpu.items() if not name.startswith("database "))

    @property
    def is_steady(self) -> bool:
        """Whether everything kept up with this rate."""
        return self.kept_up and is_steady(*self.behind, most=MOST_BEHIND * self.rate * (sum(self.events.values()) + self.mails))


@dataclass
class Found:
    """What the rounds measured."""

    carried: list[Run] = field(default_factory=list)
    mails: list[Run] = field(default_factory=list)
    hops: dict[Hop, list[float]] = field(default_factory=lambda: defaultdict(list))


async def run(bench: Bench) -> list[Figure]:
    """Find the rate and measure at it, without and with mails, then each hop alone."""
    found = Found()
    for turn in range(bench.rounds):
        for runs, mails in ((found.carried, False), (found.mails, True)):
            async with bench.platform(PARTS, env={"INTAKE_ACKNOWLEDGE": str(mails).lower()}) as platform:
                runs.append(await _Way(bench, platform, mails, f"round {turn + 1}{', with mails' if mails else ''}").carried())
        for hop, rate in (await hops.alone(bench, turn)).items():
            found.hops[hop].append(rate)
    return _figures(found)


@dataclass
class _Way:
    """One platform, with or without mails."""

    bench: Bench
    platform: Platform
    with_mails: bool
    title: str
    runs: int = 0

    async def carried(self) -> Run:
        """A run at the highest rate that all parts together keep up with. What went through of as much as goes in is tried first."""
        await self._measure(None, self.bench.seconds(10, 3))
        first = (await self._measure(None, self.bench.seconds(20, 5))).through
        tried: list[Run] = []
        while (rate := next_rate(first, [run.is_steady for run in tried])) is not None:
            tried.append(await self._measure(rate, self.bench.seconds(60, 8)))
            self.bench.say(f"{self.title}: {tried[-1].verdict}")
        steady = [run for run in tried if run.is_steady]
        if not steady:
            raise load.LoadFailed(f"{self.title}: the lag still grows at {tried[-1].rate:.0f} requests/s")
        return replace(steady[-1], is_highest=len(steady) < TRIES)

    async def _measure(self, rate: float | None, seconds: float) -> Run:
        """At intended times, or as much as goes in; and then until all is applied and every mail has left."""
        platform = self.platform
        self.bench.say(f"{self.title}: {'as much as goes in' if rate is None else f'{rate:.0f} requests/s'} for {seconds:.0f} s")
        wanted = self._load(rate, seconds)
        heads, mails, backends = await platform.heads(), await self._delivered(), databases(platform.servers["PostgreSQL"])
        started_at = real_now()
        with CpuMeter(platform.pids) as cpu:
            sent, lags = await self._sent(wanted)
            ended_at = await self._at_rest()
        after, used = await platform.heads(), databases(platform.servers["PostgreSQL"])
        own = {
            f"database {service}": used.get(_name(url), 0.0) - backends.get(_name(url), 0.0) for service, url in platform.databases.items()
        }
        middle = len(lags) // 2
        return Run(
            rate=sent.rate,
            through=sent.accepted / (ended_at - await self._first_came_at(started_at)),
            cpu={name: seconds_used / sent.accepted * 1e6 for name, seconds_used in {**cpu.used, **own}.items()},
            events={topic: (head - heads.get(topic, 0)) / sent.accepted for topic, head in after.items()},
            mails=(await self._delivered() - mails) / sent.accepted,
            kept_up=kept_up(sent),
            behind=(fmean(lags[:middle] or [0]), fmean(lags[middle:] or [0])),
        )

    def _load(self, rate: float | None, seconds: float) -> Load:
        self.runs += 1
        url, headers = self.platform.url("intake"), self.platform.headers("service")
        known, most = requests.KNOWN, Load.most
        if self.with_mails:
            known = requests.MANY_KNOWN if rate is None else ceil(1.1 * rate * seconds / (2 * EACH))
            most = 2 * known * EACH
        calls = requests.creations(url, headers, name=f"c{self.runs}", known=known)
        # no warm-up of its own: it would be in the CPU time and not in the count
        return Load(url, calls, seconds, rate=rate, connections=256 if rate else CALLERS, warm_up=0.0, most=most)

    async def _sent(self, wanted: Load) -> tuple[Measured, list[float]]:
        """What came of the load, and how much was behind meanwhile."""
        over = asyncio.Event()
        watching = asyncio.create_task(self._watch(over))
        try:
            sent = await load.run(wanted)
        finally:
            over.set()
            lags = await watching
        return sent, lags

    async def _watch(self, over: asyncio.Event) -> list[float]:
        """How many events are not applied and mails have not left, second by second."""
        lags: list[float] = []
        while not over.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), LOOK)
            lags.append(float(sum((await self.platform.behind()).values()) + await self._waiting()))
        return lags

    async def _at_rest(self) -> float:
        """Wait until every mail has left and every event is applied, those about the last mails too; the moment at which it was so."""
        await self.platform.mails_left(timeout=900)
        return await self.platform.settle(timeout=900)

    async def _waiting(self) -> int:
        return await self._mails("pending") if self.with_mails else 0

    async def _delivered(self) -> int:
        return await self._mails("delivered")

    async def _mails(self, status: str) -> int:
        (row,) = await self.platform.fetch("intake", "SELECT count(*) AS n FROM notification WHERE status = $1", status)
        return int(row["n"])

    async def _first_came_at(self, started_at: datetime) -> float:
        """When the first request since then came, on the clock of `monotonic`: before it the generator was starting."""
        (row,) = await self.platform.fetch("intake", "SELECT min(received_at) AS at FROM request WHERE received_at >= $1", started_at)
        ago: timedelta = real_now() - row["at"]
        return monotonic() - ago.total_seconds()


def _name(url: str) -> str:
    return url.rpartition("/")[2]


# --- figures -------------------------------------------------------------------------------------------------------------------------


def _figures(found: Found) -> list[Figure]:
    return [
        *(_rate(found.carried, "", f"{hop} alone", found.hops[hop]) for hop in ALONE),
        *_of_way(found.carried, ""),
        _rate(found.mails, WITH_MAILS, "the same without mails", [run.rate for run in found.carried]),
        Figure.of(f"mails per request{WITH_MAILS}", [run.mails for run in found.mails], "mails", target=">= 1 mails"),
        *_of_way(found.mails, WITH_MAILS),
    ]


def _rate(runs: Sequence[Run], suffix: str, beside: str, beside_values: Sequence[float]) -> Figure:
    cores = median(run.total * run.rate / 1e6 for run in runs)
    bound = f"CPU: all hops at once want {cores:.2g} of {os.cpu_count()} cores at this rate, and the load generator its own"
    if not all(run.is_highest for run in runs):
        bound += "; no higher one was tried"
    return Figure.of(
        f"requests carried through to KPI, lag not growing{suffix}",
        [run.rate for run in runs],
        "/s",
        beside=beside,
        beside_values=beside_values,
        bound=bound,
    )


def _of_way(runs: Sequence[Run], suffix: str) -> list[Figure]:
    by_topic = {topic: median(run.events[topic] for run in runs) for topic in runs[0].events}
    topics = ", ".join(f"{topic.removeprefix('aftercare.')} {count:.2f}" for topic, count in by_topic.items() if count >= 0.005)
    whole = Figure.of(
        f"CPU per request, everything but the load generator{suffix}",
        [run.total for run in runs],
        "µs",
        beside=f"at {median(run.rate for run in runs):,.0f} requests/s",
        target="<= 700 µs",
        bound="see its parts",
    )
    return [
        Figure.of(f"events per request{suffix}", [sum(run.events.values()) for run in runs], "", bound=topics),
        whole,
        *(Figure.of(f"CPU per request, {name}{suffix}", [run.cpu[name] for run in runs], "µs") for name in runs[0].cpu),
    ]
