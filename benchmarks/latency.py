"""How long after it was accepted a request is on the bus, can be read as a ticket, and counts in the figures.

All are read from the databases of those who show them: a consumer applies a batch in one transaction with its position, so a ticket can be
read, and figures count it, from the moment on at which the position covers its event. Every request is measured, none costs a call more.
"""

from __future__ import annotations

import asyncio
import json
from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import Final

import asyncpg

from benchmarks import load, requests
from benchmarks.bench import QUIET, Bench
from benchmarks.chain import MOST_BEHIND, is_steady, kept_up
from benchmarks.figure import Figure
from benchmarks.load import Load, Measured, percentile
from benchmarks.platform import Platform
from shared.clock import monotonic
from shared.events.intake import RequestReceived
from shared.events.tickets import TicketOpened

NAME = "latency"
ABOUT = "accepted -> on the bus (outbox lag), -> ticket readable, -> visible in KPI, at 500 and 1,000 requests/s at intended times"

RATES: Final = (500, 1_000)
LOOK: Final = 0.025
"""Seconds between two looks at a consumer's positions: by up to so much the figures are too high. What looks cost is the machine's, too."""
GRACE: Final = 120.0
"""Seconds in which late answers are waited for: at a rate that is not reached all come late, and none is left out."""
APPLIED: Final = "SELECT part, last_seq AS seq FROM consumer_part WHERE topic = $1"
"""How far a consumer is."""
ON_BUS: Final = "SELECT part, seq FROM outbox_cursor WHERE topic = $1"
"""How far a relay is: what the broker has acknowledged."""

Place = tuple[int, int]
"""Partition and number of an event."""


@dataclass
class Seen:
    """When a consumer, or a relay, was seen to have got how far, for each partition in order."""

    numbers: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    times: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))

    def note(self, part: int, number: int, at: float) -> None:
        """The position of a partition now; what has not moved is not kept."""
        if not self.numbers[part] or self.numbers[part][-1] < number:
            self.numbers[part].append(number)
            self.times[part].append(at)

    def applied_at(self, place: Place) -> float:
        """The first look at which the event was applied."""
        part, number = place
        return self.times[part][bisect_left(self.numbers[part], number)]


@dataclass
class Found:
    """What the rounds of one rate measured; milliseconds of all requests, ascending."""

    on_bus: list[array[float]] = field(default_factory=list)
    readable: list[array[float]] = field(default_factory=list)
    counted: list[array[float]] = field(default_factory=list)
    reached: list[float] = field(default_factory=list)
    """Requests accepted a second."""
    kept_up: bool = True
    """Whether each round's requests were accepted when they were meant to be."""
    grew: bool = False
    """Whether in a round those that came later waited longer and longer: then the figures are as high as the run is long."""


async def run(bench: Bench) -> list[Figure]:
    """Each rate in turn over one platform."""
    found = {rate: Found() for rate in RATES}
    async with bench.platform(env=QUIET) as platform:
        bench.say("warming up")
        number = (await _send(bench, platform, RATES[0], bench.seconds(10, 3), 0)).sent
        await platform.settle(timeout=900)
        for turn in range(bench.rounds):
            for rate in RATES:
                bench.say(f"round {turn + 1}: {rate} requests/s at intended times")
                number += await _measure(bench, platform, rate, number, found[rate])
    return [figure for rate in RATES for figure in _figures(rate, found[rate])]


async def _measure(bench: Bench, platform: Platform, rate: int, number: int, found: Found) -> int:
    """The requests of one rate; how many they were."""
    before = await _heads(platform)
    async with (
        _watching(platform.databases["intake"], ON_BUS, RequestReceived.TOPIC.name) as sent_on,
        _watching(platform.databases["tickets"], APPLIED, RequestReceived.TOPIC.name) as read,
        _watching(platform.databases["metrics"], APPLIED, TicketOpened.TOPIC.name) as counted,
    ):
        sent = await _send(bench, platform, rate, bench.seconds(60, 6), number)
        await platform.settle(timeout=900)
    accepted = _accepted(sent)
    received = await _places(platform, "intake", RequestReceived, "reference", before)
    opened = await _places(platform, "tickets", TicketOpened, "ticket_number", before)
    waits = _waits(accepted, opened, counted)
    found.on_bus.append(_ascending(_waits(accepted, received, sent_on)))
    found.readable.append(_ascending(_waits(accepted, received, read)))
    found.counted.append(_ascending(waits))
    found.reached.append(sent.rate)
    found.kept_up &= kept_up(sent)
    found.grew |= not is_steady(fmean(waits[: len(waits) // 2]), fmean(waits[len(waits) // 2 :]), most=MOST_BEHIND * 1000)
    return sent.sent


async def _send(bench: Bench, platform: Platform, rate: int, seconds: float, number: int) -> Measured:
    """All of them are measured: what warms up is a run of its own."""
    calls = requests.creations(platform.url("intake"), platform.headers("service"), name="l")
    sent = await load.run(
        Load(
            platform.url("intake"),
            calls,
            seconds,
            rate=rate,
            connections=256,
            warm_up=0.0,
            grace=GRACE,
            first_number=number,
            keep_answers=True,
        )
    )
    sent.require_clean()
    return sent


def _accepted(sent: Measured) -> dict[str, float]:
    """When each request was answered with its number, in the order of answers."""
    return {json.loads(answer.body)["reference"]: answer.answered_at for answer in sent.answers if answer.status == 202}


def _waits(accepted: Mapping[str, float], places: Mapping[str, Place], seen: Seen) -> list[float]:
    """Milliseconds of each request. One that was applied before its answer had reached the caller waited for nothing."""
    return [max(0.0, seen.applied_at(places[reference]) - at) * 1000 for reference, at in accepted.items()]


def _ascending(waits: Sequence[float]) -> array[float]:
    return array("d", sorted(waits))


async def _heads(platform: Platform) -> dict[tuple[str, int], int]:
    found = {}
    for service in ("intake", "tickets"):
        for row in await platform.fetch(service, "SELECT topic, part, head FROM outbox_head"):
            found[row["topic"], row["part"]] = row["head"]
    return found


async def _places(
    platform: Platform,
    service: str,
    contract: type[RequestReceived | TicketOpened],
    number: str,
    before: Mapping[tuple[str, int], int],
) -> dict[str, Place]:
    """Where the event of each request stands, by the request's number."""
    sql = """
        SELECT part, seq, convert_from(payload, 'UTF8')::jsonb ->> $2 AS number FROM outbox
         WHERE topic = $1 AND type = $3 AND seq > $4 AND part = $5
        """
    topic = contract.TOPIC.name
    found = {}
    for part in (part for of_topic, part in before if of_topic == topic):
        for row in await platform.fetch(service, sql, topic, number, contract.TYPE, before[topic, part], part):
            found[row["number"]] = (row["part"], row["seq"])
    return found


@asynccontextmanager
async def _watching(url: str, positions: str, topic: str) -> AsyncIterator[Seen]:
    """Look at the positions in a database, again and again, while the block runs."""
    seen = Seen()
    connection = await asyncpg.connect(url)
    statement = await connection.prepare(positions)

    async def look() -> None:
        while True:
            rows = await statement.fetch(topic)
            now = monotonic()
            for row in rows:
                seen.note(row["part"], row["seq"], now)
            await asyncio.sleep(LOOK)

    looking = asyncio.create_task(look())
    try:
        yield seen
        await asyncio.sleep(3 * LOOK)
        if looking.done():
            looking.result()
    finally:
        looking.cancel()
        await asyncio.wait([looking])
        await connection.close()


def _figures(rate: int, found: Found) -> list[Figure]:
    ways = (
        ("on the bus", found.on_bus, "< 1,000 ms", "a round of the relay"),
        ("ticket readable", found.readable, "< 500 ms", "a round of the relay, a fetch of tickets and its transaction"),
        ("visible in KPI", found.counted, "< 1,000 ms", "the same, and once more from tickets to metrics"),
    )
    return [figure for what, rounds, target, bound in ways for figure in _of_way(rate, found, what, rounds, target, bound)]


def _of_way(rate: int, found: Found, what: str, rounds: Sequence[array[float]], target: str, bound: str) -> list[Figure]:
    title, beside = f"at {rate:,} requests/s", f"{min(found.reached):,.0f}/s accepted in the worst round"
    if not found.kept_up:
        title += " (not reached)"
        bound = "the rate was not reached: requests came later than they were meant to"
    elif found.grew:
        bound = "the lag grew: the longer such a run, the higher this figure"
    p99 = Figure.of(
        f"accepted -> {what}, p99 {title}", [percentile(waits, 0.99) for waits in rounds], "ms", beside=beside, target=target, bound=bound
    )
    p50 = Figure.of(f"accepted -> {what}, p50 {title}", [percentile(waits, 0.5) for waits in rounds], "ms")
    # at a rate that was not reached nothing was shown, however good it looks
    return [replace(p99, ok=p99.ok and found.kept_up), p50]
