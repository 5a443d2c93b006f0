"""What one more ticket, event or row costs when there are many of what the platform grows with: tickets, agents, events, partitions.

Each is measured small and large with the services' own handlers on their own databases, in this process, which looks for garbage as seldom
as they do; CPU is that of this process and of PostgreSQL together. A ratio of 1 means that the cost does not grow with the size.
"""

from __future__ import annotations

import gc
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from benchmarks import cpu, lives, many_tickets
from benchmarks import relay as relay_rows
from benchmarks.bench import Bench
from benchmarks.figure import Figure
from benchmarks.tickets_consumer import requests_received
from services.metrics import handlers as metrics
from services.metrics.reduction import read
from services.tickets.handlers import reception, staff
from services.tickets.store.staff import AGENT, TEAM, AgentRecord, TeamRecord
from shared import clock, garbage
from shared.database import Database
from shared.events import REGISTRY
from shared.events.intake import RequestReceived
from shared.events.topics import PARTITIONS
from shared.relay import Relay

NAME = "growth"
ABOUT = "CPU of one more ticket, event, row when there are many tickets, agents, events, partitions, beside few"

AT_ONCE: Final = 200
"""Requests that one transaction takes in."""
EVENTS_AT_ONCE: Final = 2_000
A_ROUND: Final = 240
"""Rows that a round of the relay carries at most."""


@dataclass
class Found:
    """Microseconds of CPU for each ticket, event or row, of every round."""

    small: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    large: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))


@dataclass(frozen=True)
class Size:
    """Few and many of something."""

    few: int
    many: int


async def run(bench: Bench) -> list[Figure]:
    """Few and many in turn, round by round."""
    found = Found()
    tickets = Size(1_000, bench.count(100_000, 5_000))
    agents = Size(10, bench.count(1_000, 100))
    events = Size(bench.count(20_000, 4_000), bench.count(300_000, 12_000))
    partitions = Size(1, PARTITIONS)
    with _garbage_as_in_services():
        for turn in range(bench.rounds):
            for number, kept in ((tickets.few, found.small), (tickets.many, found.large)):
                bench.say(f"round {turn + 1}: opening tickets beside {number:,}")
                kept["tickets"].append(await _beside_tickets(bench, number))
            for number, kept in ((agents.few, found.small), (agents.many, found.large)):
                bench.say(f"round {turn + 1}: giving tickets to {number:,} agents")
                kept["agents"].append(await _given_to(bench, number))
            bench.say(f"round {turn + 1}: recording {events.many:,} events")
            first, last = await _recorded(bench, events)
            found.small["events"].append(first)
            found.large["events"].append(last)
            for number, kept in ((partitions.few, found.small), (partitions.many, found.large)):
                bench.say(f"round {turn + 1}: carrying rows of {number} partitions")
                kept["partitions"].append(await _carried(bench, number))
    return [
        _figure(found, "tickets", "opening a ticket", tickets, "tickets there already", "index pages: the logarithm of the number"),
        _figure(
            found,
            "agents",
            "opening a ticket and giving it to one of a team",
            agents,
            "agents",
            f"of {AT_ONCE} tickets at once: each of the team is locked, read and looked at",
        ),
        _figure(
            found, "events", "recording an event", events, "events in the log", "sums by hour and day: rows that more events touch again"
        ),
        _figure(
            found, "partitions", "carrying a row", partitions, "partitions", "a batch and an acknowledgement for each partition of a round"
        ),
    ]


def _figure(found: Found, kind: str, doing: str, size: Size, what: str, bound: str) -> Figure:
    return Figure.of(
        f"CPU of {doing}, {size.many:,} {what}",
        found.large[kind],
        "µs",
        beside=f"{size.few:,} {what}",
        beside_values=found.small[kind],
        bound=bound,
    )


@contextmanager
def _garbage_as_in_services() -> Iterator[None]:
    """The objects of a thousand agents would set off collections that no service makes."""
    thresholds = gc.get_threshold()
    garbage.collect_seldom()
    try:
        yield
    finally:
        gc.unfreeze()
        gc.set_threshold(*thresholds)


@asynccontextmanager
async def _cost(bench: Bench, count: int) -> AsyncIterator[list[float]]:
    """Microseconds of CPU for each of so many that the block does; in the list after its end."""
    took: list[float] = []
    used, of_postgres = time.process_time(), cpu.seconds(bench.postgres.child.pid)
    yield took
    took.append((time.process_time() - used + cpu.seconds(bench.postgres.child.pid) - of_postgres) / count * 1e6)


# ------------------------------------------------------------------ tickets and agents


async def _beside_tickets(bench: Bench, number: int) -> float:
    async with bench.database("tickets") as database:
        await many_tickets.fill(database, number, bench.say)
        return await _opened(bench, database)


async def _given_to(bench: Bench, number: int) -> float:
    async with bench.database("tickets") as database:
        async with database.transaction() as tx:
            await staff.create(tx, TEAM, _team(), by="lead", at=clock.now())
            for place in range(number):
                await staff.create(tx, AGENT, _agent(place), by="lead", at=clock.now())
        cost = await _opened(bench, database)
        async with database.transaction() as tx:
            if not await tx.fetch("SELECT FROM ticket WHERE assignee IS NOT NULL LIMIT 1"):
                raise RuntimeError("nobody was given a ticket")
        return cost


def _team() -> TeamRecord:
    return TeamRecord("desk", "Desk", ("repair",), (), (), None, "round_robin", "keep")


def _agent(place: int) -> AgentRecord:
    return AgentRecord(f"agent-{place}", f"Agent {place}", None, ("desk",), (), (), None, "present", clock.now())


async def _opened(bench: Bench, database: Database) -> float:
    """CPU of a ticket that a request opens; the first batch warms up."""
    count = bench.count(4_000, 400)
    # references of a day on which the tickets that are there have none
    requests = [
        request.model_copy(update={"reference": f"AS-20261130-{number:07d}"})
        for number, request in enumerate(requests_received(count + AT_ONCE))
    ]
    await _receive(database, requests[:AT_ONCE])
    async with _cost(bench, count) as took:
        for start in range(AT_ONCE, count + AT_ONCE, AT_ONCE):
            await _receive(database, requests[start : start + AT_ONCE])
    return took[0]


async def _receive(database: Database, requests: Sequence[RequestReceived]) -> None:
    async with database.transaction() as tx:
        await reception.receive(tx, requests)


# ------------------------------------------------------------------ events


async def _recorded(bench: Bench, size: Size) -> tuple[float, float]:
    """CPU of an event at the beginning of a log, and of one at its end."""
    records = lives.records(round(size.many / lives.EVENTS_OF_A_LIFE), within=timedelta(days=90))
    part = size.few // 2
    async with bench.database("metrics") as database:
        await _record(database, records[:part])
        async with _cost(bench, part) as first:
            await _record(database, records[part : 2 * part])
        await _record(database, records[2 * part : -part])
        async with _cost(bench, part) as last:
            await _record(database, records[-part:])
    return first[0], last[0]


async def _record(database: Database, records: Sequence[lives.Record]) -> None:
    for start in range(0, len(records), EVENTS_AT_ONCE):
        rows = [record.row for record in records[start : start + EVENTS_AT_ONCE]]
        entries = [read(REGISTRY[row.log[0], row.type], *row.log, row.seq, row.payload) for row in rows]
        async with database.transaction() as tx:
            await metrics.record(tx, entries)


# ------------------------------------------------------------------ partitions


async def _carried(bench: Bench, partitions: int) -> float:
    """CPU of a row that the relay carries, in rounds that are far from full."""
    count = bench.count(40_000, 2_400)
    async with bench.database("intake") as database, bench.kafka() as settings:
        await relay_rows.fill(database, count, partitions=partitions)
        relay = Relay(database, settings, rows_per_batch=A_ROUND // partitions)
        try:
            carried = (await relay.round()).rows
            async with _cost(bench, count - carried) as took:
                while carried < count:
                    carried += (await relay.round()).rows
        finally:
            await relay.close()
    return took[0]
