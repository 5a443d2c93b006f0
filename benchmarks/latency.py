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
from dataclasses import dataclass, field
from math import ceil
from typing import Final

import asyncpg

from benchmarks import load, requests
from benchmarks.bench import Bench
from benchmarks.figure import Figure
from benchmarks.load import Load, Measured
from benchmarks.platform import Platform
from shared.clock import monotonic
from shared.events.intake import RequestReceived
from shared.events.tickets import TicketOpened

NAME = "latency"
ABOUT = "accepted -> on the bus (outbox lag), -> ticket readable, -> visible in KPI, at 500 and 1,000 requests/s at intended times"

RATES: Final = (500, 1_000)
LOOK: Final = 0.01
"""Seconds between two looks at a consumer's positions: how exact the figures are."""
APPLIED: Final = "SELECT part, last_seq AS seq FROM consumer_part WHERE topic = $1"
"""How far a consumer is."""
ON_BUS: Final = "SELECT part, seq FROM outbox_cursor WHERE topic = $1"
"""How far a relay is: what the broker has acknowledged."""
QUIET: Final = {"INTAKE_ACKNOWLEDGE": "false"}

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
    """What the rounds measured, milliseconds, by rate."""

    on_bus: dict[int, list[array[float]]] = field(default_factory=lambda: defaultdict(list))
    readable: dict[int, list[array[float]]] = field(default_factory=lambda: defaultdict(list))
    counted: dict[int, list[array[float]]] = field(default_factory=lambda: defaultdict(list))


async def run(bench: Bench) -> list[Figure]:
    """Each rate in turn over one platform."""
    found = Found()
    async with bench.platform(env=QUIET) as platform:
        number = 0
        for turn in range(bench.rounds):
            for rate in RATES:
                bench.say(f"round {turn + 1}: {rate} requests/s at intended times")
                number += await _measure(bench, platform, rate, number, found)
    return [figure for rate in RATES for figure in _figures(rate, found)]


async def _measure(bench: Bench, platform: Platform, rate: int, number: int, found: Found) -> int:
    """The requests of one rate; how many numbers they took."""
    calls = requests.creations(platform.url("intake"), platform.headers("service"), name="l")
    before = await _heads(platform)
    async with (
        _watching(platform.databases["intake"], ON_BUS, RequestReceived.TOPIC.name) as sent_on,
        _watching(platform.databases["tickets"], APPLIED, RequestReceived.TOPIC.name) as read,
        _watching(platform.databases["metrics"], APPLIED, TicketOpened.TOPIC.name) as counted,
    ):
        sent = await load.run(
            Load(
                platform.url("intake"),
                calls,
                bench.seconds(60, 6),
                rate=rate,
                connections=256,
                first_number=number,
                keep_answers=True,
            )
        )
        await platform.settle(timeout=900)
    accepted = _accepted(sent)
    received = await _places(platform, "intake", RequestReceived, "reference", before)
    opened = await _places(platform, "tickets", TicketOpened, "ticket_number", before)
    found.on_bus[rate].append(_waits(accepted, received, sent_on))
    found.readable[rate].append(_waits(accepted, received, read))
    found.counted[rate].append(_waits(accepted, opened, counted))
    return sent.sent + 2 * requests.KNOWN


def _accepted(sent: Measured) -> dict[str, float]:
    """When each request was answered with its number."""
    return {json.loads(answer.body)["reference"]: answer.answered_at for answer in sent.answers if answer.status == 202}


def _waits(accepted: Mapping[str, float], places: Mapping[str, Place], seen: Seen) -> array[float]:
    """Milliseconds of each request, ascending. One that was applied before its answer had reached the caller waited for nothing."""
    return array("d", sorted(max(0.0, seen.applied_at(places[reference]) - at) * 1000 for reference, at in accepted.items()))


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


def _percentile(waits: Sequence[float], share: float) -> float:
    return waits[max(0, ceil(share * len(waits)) - 1)]


def _figures(rate: int, found: Found) -> list[Figure]:
    ways = (
        ("on the bus", found.on_bus[rate], "< 1,000 ms", "a round of the relay"),
        ("ticket readable", found.readable[rate], "< 500 ms", "a round of the relay, a fetch of tickets and its transaction"),
        ("visible in KPI", found.counted[rate], "< 1,000 ms", "the same, and once more from tickets to metrics"),
    )
    figures = []
    for what, rounds, target, bound in ways:
        figures.append(
            Figure.of(
                f"accepted -> {what}, p99 at {rate:,} requests/s",
                [_percentile(waits, 0.99) for waits in rounds],
                "ms",
                target=target,
                bound=bound,
            )
        )
        figures.append(Figure.of(f"accepted -> {what}, p50 at {rate:,} requests/s", [_percentile(waits, 0.5) for waits in rounds], "ms"))
    return figures
