"""What one more ticket, event, row or look costs when there are many of what the platform grows with: tickets, agents, events, partitions,
deadlines.

Each is measured small and large with the services' own handlers on their own databases, in this process, which looks for garbage as seldom
as they do; CPU is that of this process and of PostgreSQL together. A ratio of 1 means that the cost does not grow with the size. So that it
tells of the size and of nothing else, few are measured before many and after it, the same is done beside both, and both databases are as
autovacuum leaves them, which would come to one of them earlier.
"""

from __future__ import annotations

import gc
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
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
from shared import clock, garbage, timers
from shared.database import Database
from shared.events import REGISTRY
from shared.events.intake import RequestReceived
from shared.events.topics import PARTITIONS
from shared.relay import Relay
from shared.timers import Timer

NAME = "growth"
ABOUT = "CPU of one more ticket, event, row, look when there are many tickets, agents, events, partitions, deadlines, beside few"

AT_ONCE: Final = 200
"""Requests that one transaction takes in."""
EVENTS_AT_ONCE: Final = 2_000
QUARTER: Final = timedelta(days=90)
"""In it begin the tickets whose events are in the log already."""
SOME_DAYS: Final = timedelta(days=3)
"""In these after it begin those whose events are recorded beside them."""
A_ROUND: Final = 240
"""Rows that a round of the relay carries at most."""


@dataclass(frozen=True)
class Growth:
    """Something that may cost more when there are many of something else."""

    doing: str
    beside: str
    """What there are few or many of."""
    few: int
    many: int
    cost: Callable[[Bench, int], Awaitable[float]]
    """Microseconds of CPU beside so many."""
    bound: str
    small: list[float] = field(default_factory=list)
    """What was measured beside few, of each round."""
    large: list[float] = field(default_factory=list)

    async def measure(self, bench: Bench, turn: int) -> None:
        """Few, many, and few again: a machine that becomes quicker or slower meanwhile changes both."""
        took = []
        for number in (self.few, self.many, self.few):
            bench.say(f"round {turn + 1}: {self.doing}, {number:,} {self.beside}")
            took.append(await self.cost(bench, number))
        self.small.append((took[0] + took[2]) / 2)
        self.large.append(took[1])

    def figure(self) -> Figure:
        """Many beside few."""
        return Figure.of(
            f"CPU of {self.doing}, {self.many:,} {self.beside}",
            self.large,
            "µs",
            beside=f"{self.few:,} {self.beside}",
            beside_values=self.small,
            bound=self.bound,
        )


async def run(bench: Bench) -> list[Figure]:
    """One kind of growth after the other, round by round."""
    agents = f"of {AT_ONCE} tickets at once: each of the team is locked, read and looked at"
    again = "sums by hour and day: rows that more events touch again"
    each = "a batch and an acknowledgement for each partition of a round"
    deadlines = bench.count(300_000, 5_000)
    nothing = "two questions to an index, once a second in each process with timers"
    tickets, logged = bench.count(100_000, 5_000), (bench.count(20_000, 4_000), bench.count(300_000, 12_000))
    kinds = [
        Growth("opening a ticket", "tickets there already", 1_000, tickets, _beside_tickets, "index pages: the logarithm of the number"),
        Growth("opening a ticket and giving it to one of a team", "agents", 10, bench.count(1_000, 100), _given_to, agents),
        Growth("recording an event", "events in the log", *logged, _recorded, again),
        Growth("carrying a row", "partitions", 1, PARTITIONS, _carried, each),
        Growth("looking for deadlines that are due", "that are not", 1_000, deadlines, _looked, nothing),
    ]
    with _garbage_as_in_services():
        for turn in range(bench.rounds):
            for kind in kinds:
                await kind.measure(bench, turn)
    return [kind.figure() for kind in kinds]


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


async def _tidied(database: Database) -> None:
    """As autovacuum leaves it, and with what the planner knows of its tables."""
    async with database.connection() as connection:
        await connection.execute("SET statement_timeout = 0")
        await connection.driver.execute("VACUUM (ANALYZE)", timeout=900)


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
    await _tidied(database)
    async with _cost(bench, count) as took:
        for start in range(AT_ONCE, count + AT_ONCE, AT_ONCE):
            await _receive(database, requests[start : start + AT_ONCE])
    return took[0]


async def _receive(database: Database, requests: Sequence[RequestReceived]) -> None:
    async with database.transaction() as tx:
        await reception.receive(tx, requests)


# ------------------------------------------------------------------ events


async def _recorded(bench: Bench, number: int) -> float:
    """CPU of an event in a log that holds so many already."""
    there, new = streams(number, bench.count(10_000, 2_000))
    async with bench.database("metrics") as database:
        await _record(database, there)
        await _tidied(database)
        async with _cost(bench, len(new)) as took:
            await _record(database, new)
    return took[0]


def streams(there: int, more: int) -> tuple[list[lives.Record], list[lives.Record]]:
    """About so many events of a quarter, and more: the same whatever is there, for an opening costs more than a closing."""
    old = _happenings(random.Random(1), there, lives.BEGIN, QUARTER, first=1_000_000)
    new = _happenings(random.Random(2), more, lives.BEGIN + QUARTER, SOME_DAYS, first=0)
    records = list(lives.numbered([*old, *new], random.Random(3)))
    return records[: len(old)], records[len(old) :]


def _happenings(chance: random.Random, events: int, begin: datetime, within: timedelta, *, first: int) -> list[lives.Happening]:
    """Those of lives that begin in a time, in order; `first` is the number of the first of these lives."""
    begins = [begin + within * chance.random() for _ in range(round(events / lives.EVENTS_OF_A_LIFE))]
    happened = [happening for number, at in enumerate(begins, first) for happening in lives.Life(chance, number, at).happenings]
    return sorted(happened, key=lambda happening: happening.at)


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
            await _tidied(database)
            async with _cost(bench, count - carried) as took:
                while carried < count:
                    carried += (await relay.round()).rows
        finally:
            await relay.close()
    return took[0]


# ------------------------------------------------------------------ deadlines


async def _looked(bench: Bench, number: int) -> float:
    """CPU of a look that finds nothing due and asks when something will be."""
    count, tomorrow = bench.count(2_000, 200), clock.now() + timedelta(days=1)
    async with bench.database("tickets") as database:
        async with database.transaction() as tx:
            await timers.arm_first(tx, [Timer("close", str(place), 1, tomorrow + timedelta(seconds=place)) for place in range(number)])
        await _tidied(database)
        async with database.transaction() as tx, _cost(bench, count) as took:
            for _ in range(count):
                if await timers.due(tx, timers.BATCH) or await timers.seconds_to_next(tx) is None:
                    raise RuntimeError("something is due, or nothing will be")
    return took[0]
