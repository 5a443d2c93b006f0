"""How many requests a second the consumer of tickets takes from a full topic, beside the least that can be done with the same bytes.

The topic is filled as intake fills it, through its outbox and the relay. Then the service's own process, `python -m services.tickets
consume`, takes all of it into an empty database. Beside it: `comparisons/topic_to_table.py`.
"""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from statistics import median
from typing import Final
from uuid import UUID

from benchmarks import platform
from benchmarks.bench import UNLIMITED, Bench
from benchmarks.comparisons import topic_to_table
from benchmarks.cpu import CpuMeter, busy
from benchmarks.figure import Figure
from benchmarks.platform import SERVICES, Part, Platform
from benchmarks.requests import MODELS, TEXT
from services.tickets.consumer import BATCH
from shared import outbox
from shared.clock import monotonic, now
from shared.events.intake import Product, RequestReceived
from shared.events.topics import INTAKE
from shared.kafka import KafkaSettings
from shared.outbox import Wakeup
from shared.relay import Relay

NAME = "tickets_consumer"
ABOUT = "events/s that tickets takes from a full topic, beside getmany and COPY of the same bytes"

CONSUMER: Final = Part("tickets", "consume")
LOOK: Final = 0.05
PATIENCE: Final = 900.0
"""Seconds that a round may take."""
FROM: Final = 0.1
TO: Final = 0.95
"""Measured between these shares of the topic: the start of the process and the last, small batch are not."""


@dataclass
class Found:
    """What the rounds measured."""

    rates: list[float] = field(default_factory=list)
    raw_rates: list[float] = field(default_factory=list)
    per_core: list[float] = field(default_factory=list)
    """Events for each second of a core that the consumer's process used."""
    raw_per_core: list[float] = field(default_factory=list)
    cpu: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Microseconds of CPU for each event."""
    cores: list[dict[str, float]] = field(default_factory=list)


async def run(bench: Bench) -> list[Figure]:
    """Fill the topic once; then take it in both ways, round by round."""
    found = Found()
    count = bench.count(100_000, 6_000)
    async with bench.kafka() as kafka:
        await _fill(bench, kafka, count)
        for turn in range(bench.rounds):
            bench.say(f"round {turn + 1}: getmany and COPY")
            raw = await topic_to_table.take(bench, kafka, [INTAKE.name], count, BATCH)
            found.raw_rates.append(raw.events / raw.seconds)
            found.raw_per_core.append(raw.events / raw.cpu)
            bench.say(f"round {turn + 1}: the consumer of tickets")
            await _service(bench, kafka, count, found)
    return _figures(found)


def _figures(found: Found) -> list[Figure]:
    shares = ", ".join(f"{name} {median(cpu):.0f} µs" for name, cpu in found.cpu.items())
    whole = [sum(each) for each in zip(*found.cpu.values(), strict=True)]
    beside = "getmany and COPY of the same bytes"
    return [
        Figure.of(
            "tickets consumer, events/s of its own core",
            found.per_core,
            "/s",
            beside=beside,
            beside_values=found.raw_per_core,
            target=">= 10,000 /s",
            bound=f"CPU for each event: {shares}",
        ),
        Figure.of(
            "tickets consumer, events/s, one process",
            found.rates,
            "/s",
            beside=beside,
            beside_values=found.raw_rates,
            bound=f"{busy(found.cores)}: one transaction after the other, Python and PostgreSQL take turns",
        ),
        Figure.of("tickets consumer, CPU for each event, with PostgreSQL and the broker", whole, "µs"),
    ]


# ------------------------------------------------------------------ the topic


async def _fill(bench: Bench, kafka: KafkaSettings, count: int) -> None:
    """Requests through intake's outbox and the relay."""
    async with bench.database("intake") as database:
        events = list(requests_received(count))
        for first in range(0, count, 1_000):
            async with database.transaction() as tx:
                await outbox.append(tx, events[first : first + 1_000])
        bench.say(f"{count:,} requests go through the relay")
        stop, relay = asyncio.Event(), Relay(database, kafka, wakeup=Wakeup())
        running = asyncio.create_task(relay.run(stop))
        deadline = monotonic() + PATIENCE
        sent = 0
        while sent < count and monotonic() < deadline and not running.done():
            await asyncio.sleep(LOOK)
            async with database.transaction() as tx:
                sent = await tx.fetchval("SELECT sum(seq)::bigint FROM outbox_cursor WHERE topic = $1", INTAKE.name)
        stop.set()
        await running


def requests_received(count: int, *, ago: timedelta = timedelta(minutes=10)) -> Iterator[RequestReceived]:
    """Each of a customer of his own, each opens a ticket. The same ones in every run, but for the time."""
    dice, at = random.Random(7), now() - ago
    for number in range(count):
        moment = at + timedelta(milliseconds=number)
        yield RequestReceived(
            occurred_at=moment,
            request_id=UUID(int=dice.getrandbits(128), version=4),
            reference=f"AS-20261125-{number:07d}",
            customer_id=UUID(int=dice.getrandbits(128), version=4),
            channel="web",
            type="repair",
            locale="en",
            subject=f"{MODELS[number % len(MODELS)]} does not work any more",
            text=TEXT,
            product=Product(model=MODELS[number % len(MODELS)], serial_number=f"SN-{number:08d}", purchase_date="2026-03-01"),
            received_at=moment,
            completeness=1.0,
            proofs=(f"{dice.getrandbits(128):032x}",),
        )


# ------------------------------------------------------------------ the service


async def _service(bench: Bench, kafka: KafkaSettings, count: int, found: Found) -> None:
    databases = {service: await bench.database_url(service) for service in SERVICES}
    # a home of its own each time: the consumer is the same member of its group, and its place is in its database
    folder = bench.folder / databases["tickets"].rpartition("/")[2]
    try:
        async with platform.running(folder, [CONSUMER], databases, kafka, bench.servers, UNLIMITED) as running:
            await _measure(running, count, found)
    finally:
        for url in databases.values():
            await bench.drop(url)


async def _measure(running: Platform, count: int, found: Found) -> None:
    await _applied(running, count * FROM)
    before = await _applied(running, 0)
    with CpuMeter(running.pids) as cpu:
        after = await _applied(running, count * TO)
    events = after - before
    found.rates.append(events / cpu.elapsed)
    found.per_core.append(events / cpu.used[CONSUMER.name])
    found.cores.append(cpu.cores)
    for name, used in cpu.used.items():
        found.cpu[name].append(used / events * 1e6)


async def _applied(running: Platform, least: float) -> int:
    """Wait until so many events were applied; how many they are."""

    async def applied() -> int:
        (row,) = await running.fetch("tickets", "SELECT sum(last_seq)::bigint AS seq FROM consumer_part WHERE topic = $1", INTAKE.name)
        return int(row["seq"])

    return await running.until(applied, lambda seen: seen >= least, patience=PATIENCE, every=LOOK)
