"""How many requests a second are carried through to the figures, and what one request costs every part on its way."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import fmean, median
from typing import Final

from benchmarks import hops, load, requests
from benchmarks.bench import Bench
from benchmarks.cpu import CpuMeter, databases
from benchmarks.figure import Figure
from benchmarks.hops import ALONE, Hop
from benchmarks.load import Load
from benchmarks.platform import SERVICES, Part, Platform
from shared.clock import monotonic

NAME = "chain"
ABOUT = "requests/s carried through to KPI without the lag growing; events and CPU per request, of each part; with mails; each hop alone"

PARTS: Final = (
    Part("intake", "api"),
    Part("intake", "consume timers"),
    *(Part(service, "api consume timers") for service in SERVICES if service != "intake"),
    *(Part(service, "relay") for service in SERVICES),
)
"""As `make run` starts it, but relays are processes of their own, so that what they cost can be told from the rest."""

WITHOUT_MAILS: Final = {"INTAKE_ACKNOWLEDGE": "false"}
WITH_MAILS: Final = {"INTAKE_ACKNOWLEDGE": "true"}

CALLERS: Final = 128
LOOK: Final = 1.0
"""Seconds between two looks at how far the consumers are behind."""
TRIES: Final = 5
"""Rates that are tried, each a tenth lower than the last, until one does not make the lag grow."""
LOWER: Final = 0.9
MOST_BEHIND: Final = 2.0
"""Seconds' worth of events that consumers may be behind in the mean of the second half; what is under way is always some."""
GROWTH: Final = 1.5
"""So much more than in the first half is growth."""


@dataclass(frozen=True)
class Run:
    """Requests at one rate, from the first until everything is applied."""

    rate: float
    """Accepted a second."""
    through: float
    """Requests a second that went through to the end, the time after the last one included."""
    accepted: int
    cpu: Mapping[str, float]
    """Microseconds per request of each part; PostgreSQL by database, too."""
    events: Mapping[str, float]
    """Per request, by topic."""
    behind: tuple[float, float]
    """Events that consumers were behind: mean of the first half of the time, and of the second."""

    @property
    def total(self) -> float:
        """Microseconds of everything per request."""
        return sum(used for name, used in self.cpu.items() if not name.startswith("database "))

    @property
    def is_steady(self) -> bool:
        """Whether the lag did not grow."""
        first, second = self.behind
        per_second = self.rate * sum(self.events.values())
        return second <= max(MOST_BEHIND * per_second, GROWTH * first)


@dataclass
class Found:
    """What the rounds measured."""

    flooded: list[Run] = field(default_factory=list)
    """As much as goes in, and until it has gone through."""
    carried: list[Run] = field(default_factory=list)
    mails: list[Run] = field(default_factory=list)
    hops: dict[Hop, list[float]] = field(default_factory=lambda: defaultdict(list))


async def run(bench: Bench) -> list[Figure]:
    """Find the rate, measure at that rate without and with mails, then each hop alone."""
    found = Found()
    for turn in range(bench.rounds):
        async with bench.platform(PARTS, env=WITHOUT_MAILS) as platform:
            bench.say(f"round {turn + 1}: warming up")
            await _measure(bench, platform, f"round {turn + 1}: warm-up", None, seconds=bench.seconds(10, 3), number=0)
            found.flooded.append(await _measure(bench, platform, f"round {turn + 1}", None, seconds=bench.seconds(20, 5), number=50_000))
            found.carried.append(await _carried(bench, platform, turn, found.flooded[-1].through))
        async with bench.platform(PARTS, env=WITH_MAILS) as platform:
            await _measure(bench, platform, f"round {turn + 1}: warm-up", None, seconds=bench.seconds(10, 3), number=0)
            rate, seconds = found.carried[-1].rate, bench.seconds(60, 8)
            found.mails.append(await _measure(bench, platform, f"round {turn + 1}: with mails", rate, seconds=seconds, number=100_000))
        for hop, rate in (await hops.alone(bench, turn)).items():
            found.hops[hop].append(rate)
    return _figures(found)


async def _carried(bench: Bench, platform: Platform, turn: int, rate: float) -> Run:
    """A run at the highest rate that all parts together keep up with; ``rate`` is tried first."""
    for attempt in range(TRIES):
        number = 100_000 * (attempt + 1)
        measured = await _measure(bench, platform, f"round {turn + 1}", rate, seconds=bench.seconds(60, 8), number=number)
        if measured.is_steady:
            return measured
        rate *= LOWER
    raise load.LoadFailed(f"the lag still grows at {rate / LOWER:.0f} requests/s")


async def _measure(bench: Bench, platform: Platform, title: str, rate: float | None, *, seconds: float, number: int) -> Run:
    """At intended times, or as much as goes in; and then until all is applied and every mail has left."""
    bench.say(f"{title}: {'as much as goes in' if rate is None else f'{rate:.0f} requests/s'} for {seconds:.0f} s")
    calls = requests.creations(platform.url("intake"), platform.headers("service"), name=f"c{number}")
    # no warm-up of its own: it would be in the CPU time and not in the count
    wanted = Load(platform.url("intake"), calls, seconds, rate=rate, connections=256 if rate else CALLERS, warm_up=0.0, first_number=number)
    heads, backends = await platform.heads(), databases(platform.servers["PostgreSQL"])
    with CpuMeter(platform.pids) as cpu:
        watching = asyncio.create_task(_watch(platform))
        sent = await load.run(wanted)
        watching.cancel()
        lags = await watching
        await platform.settle(timeout=900)
        await _mails_left(platform)
    after, used = await platform.heads(), databases(platform.servers["PostgreSQL"])
    own = {f"database {service}": used.get(_name(url), 0.0) - backends.get(_name(url), 0.0) for service, url in platform.databases.items()}
    per_request = {name: seconds_used / sent.accepted * 1e6 for name, seconds_used in {**cpu.used, **own}.items()}
    events = {topic: (head - heads.get(topic, 0)) / sent.accepted for topic, head in after.items()}
    middle = len(lags) // 2
    through = sent.accepted / cpu.elapsed
    return Run(sent.rate, through, sent.accepted, per_request, events, (fmean(lags[:middle] or [0]), fmean(lags[middle:] or [0])))


def _name(url: str) -> str:
    return url.rpartition("/")[2]


async def _watch(platform: Platform) -> list[float]:
    """How many events the consumers are behind, second by second, until cancelled."""
    lags: list[float] = []
    try:
        while True:
            await asyncio.sleep(LOOK)
            lags.append(float(sum((await platform.behind()).values())))
    except asyncio.CancelledError:
        return lags


async def _mails_left(platform: Platform, timeout: float = 300.0) -> None:
    """Wait until no notification waits, but those that were put off for long: a customer gets only so many mails an hour."""
    deadline = monotonic() + timeout
    waiting = "SELECT count(*) AS n FROM notification WHERE status = 'pending' AND next_attempt_at < now() + interval '10 minutes'"
    while (await platform.fetch("intake", waiting))[0]["n"]:
        if monotonic() > deadline:
            raise TimeoutError(f"after {timeout:.0f} s mails still wait")
        await asyncio.sleep(LOOK)


# --- figures -------------------------------------------------------------------------------------------------------------------------


def _figures(found: Found) -> list[Figure]:
    rates = [run.rate for run in found.carried]
    hops_beside = [
        Figure.of(
            "requests carried through to KPI, lag not growing",
            rates,
            "/s",
            beside=f"{hop} alone",
            beside_values=found.hops[hop],
            bound="both cores are busy with all hops at once",
        )
        for hop in ALONE
    ]
    return [
        *hops_beside,
        *_events(found),
        *_costs(found.carried, "", "<= 700 µs"),
        *_costs(found.mails, ", with acknowledgement mails", ""),
    ]


def _events(found: Found) -> list[Figure]:
    total = [sum(run.events.values()) for run in found.carried]
    by_topic = {topic: median(run.events[topic] for run in found.carried) for topic in found.carried[0].events}
    parts = ", ".join(f"{topic.removeprefix('aftercare.')} {count:.2f}" for topic, count in by_topic.items() if count >= 0.005)
    return [Figure.of("events per request", total, "", bound=parts)]


def _costs(runs: list[Run], suffix: str, target: str) -> list[Figure]:
    whole = Figure.of(
        f"CPU per request, everything but the load generator{suffix}",
        [run.total for run in runs],
        "µs",
        beside=f"at {median(run.rate for run in runs):,.0f} requests/s",
        target=target,
        bound="see its parts",
    )
    parts = [Figure.of(f"CPU per request, {name}{suffix}", [run.cpu[name] for run in runs], "µs") for name in runs[0].cpu]
    return [whole, *parts]
