"""How many rows a second the relay carries, beside a producer that sends the same bytes as ready batches."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final
from uuid import UUID, uuid4

from aiokafka import AIOKafkaProducer

from benchmarks.bench import Bench
from benchmarks.figure import Figure
from benchmarks.requests import TEXT
from shared import kafka, outbox
from shared.clock import monotonic, real_now
from shared.database import Database
from shared.events.intake import Product, RequestReceived
from shared.events.topics import INTAKE, PARTITIONS
from shared.kafka import KafkaSettings
from shared.kafka.records import encode
from shared.outbox import Log
from shared.protocol import partition_of
from shared.relay import Relay, cursors
from shared.relay.cursors import Wanted

NAME = "relay"
ABOUT = "rows/s that the relay carries from the outbox, beside a raw producer's send_batch of the same bytes"

ROWS_PER_BATCH: Final = 500
"""As the relay's own."""
APPENDED_AT_ONCE: Final = 500

Record = tuple[bytes, bytes, list[tuple[str, bytes]]]
"""Key, value and headers of a record."""


@dataclass
class Found:
    """What the rounds measured."""

    rates: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Rows a second of `relay` and `raw`."""
    cpu: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Microseconds of this process for each row."""


async def run(bench: Bench) -> list[Figure]:
    """The two ways in turn, each onto topics of its own, with the same rows."""
    found = Found()
    count = bench.count(100_000, 10_000)
    for turn in range(bench.rounds):
        async with bench.database("intake") as database:
            bench.say(f"round {turn + 1}: {count} rows into the outbox")
            await fill(database, count)
            batches = await _batches(database)
            bench.say(f"round {turn + 1}: a raw producer")
            async with bench.kafka() as settings:
                await _time(found, "raw", count, _produce(settings, batches))
            bench.say(f"round {turn + 1}: the relay")
            async with bench.kafka() as settings:
                await _time(found, "relay", count, _carry(database, settings, count))
    return _figures(found)


async def _time(found: Found, way: str, count: int, work: Awaitable[None]) -> None:
    began_at, used = monotonic(), time.process_time()
    await work
    found.rates[way].append(count / (monotonic() - began_at))
    found.cpu[way].append((time.process_time() - used) / count * 1e6)


# --- the rows ------------------------------------------------------------------------------------------------------------------------


async def fill(database: Database, count: int, *, partitions: int = PARTITIONS) -> None:
    """Requests in the outbox of intake, spread over so many partitions."""
    customers = (customer for customer in iter(uuid4, None) if partition_of(str(customer)) < partitions)
    for start in range(0, count, APPENDED_AT_ONCE):
        async with database.transaction() as tx:
            await outbox.append(tx, [_event(number, next(customers)) for number in range(start, min(start + APPENDED_AT_ONCE, count))])


def _event(number: int, customer: UUID) -> RequestReceived:
    now = real_now()
    return RequestReceived(
        occurred_at=now,
        request_id=uuid4(),
        reference=f"AS-20261125{number:07d}",
        customer_id=customer,
        channel="web",
        type="repair",
        locale="en",
        subject="K-100 does not work any more",
        text=TEXT,
        product=Product(model="K-100", serial_number=f"SN-{number:010d}", purchase_date="2026-03-01"),
        received_at=now,
        completeness=0.8,
        missing_fields=("expected_resolution_at",),
        entered_by="system",
    )


async def _batches(database: Database) -> dict[Log, list[list[Record]]]:
    """All rows of each log, in batches as the relay reads them, ready to be sent."""
    found: dict[Log, list[list[Record]]] = {}
    async with database.transaction() as tx:
        for part in range(PARTITIONS):
            log, after = (INTAKE.name, part), 0
            found[log] = []
            while rows := (await cursors.read(tx, {log: Wanted(after, ROWS_PER_BATCH)}))[log]:
                found[log].append([(row.key.encode(), row.payload, encode(row)) for row in rows])
                after = rows[-1].seq
    return found


# --- the two ways --------------------------------------------------------------------------------------------------------------------


async def _produce(settings: KafkaSettings, batches: Mapping[Log, Sequence[Sequence[Record]]]) -> None:
    """Each log's batches one after the other, the logs side by side: the relay's order without its database."""
    producer = kafka.new_producer(settings)
    await producer.start()
    try:
        await asyncio.gather(*(_send(producer, settings.physical(topic), part, of_log) for (topic, part), of_log in batches.items()))
    finally:
        await kafka.close(producer)


async def _send(producer: AIOKafkaProducer, topic: str, part: int, batches: Sequence[Sequence[Record]]) -> None:
    for records in batches:
        sent = 0
        while sent < len(records):
            sent += await _send_batch(producer, topic, part, records[sent:])


async def _send_batch(producer: AIOKafkaProducer, topic: str, part: int, records: Sequence[Record]) -> int:
    """As many of the records as one batch takes; how many."""
    batch = producer.create_batch()
    count = 0
    for key, value, headers in records:
        if batch.append(key=key, value=value, timestamp=None, headers=headers) is None:
            break
        count += 1
    batch.close()
    await (await producer.send_batch(batch, topic, partition=part))
    return count


async def _carry(database: Database, settings: KafkaSettings, count: int) -> None:
    """The product's relay, until every row is acknowledged."""
    relay = Relay(database, settings)
    carried = 0
    try:
        while carried < count:
            carried += (await relay.round()).rows
    finally:
        await relay.close()


def _figures(found: Found) -> list[Figure]:
    busy = [rate * used / 1e6 for rate, used in zip(found.rates["relay"], found.cpu["relay"], strict=True)]
    return [
        Figure.of(
            "rows carried by the relay",
            found.rates["relay"],
            "/s",
            beside="a raw producer that sends ready batches of the same bytes",
            beside_values=found.rates["raw"],
            target=">= 0.5",
            bound=f"its process uses {median(busy):.2g} of a core, to read rows and build batches; the rest of the time it waits",
        ),
        Figure.of(
            "CPU of the relay's process per row",
            found.cpu["relay"],
            "µs",
            beside="the raw producer's",
            beside_values=found.cpu["raw"],
            bound="building batches, the same for both; reading rows and headers",
        ),
    ]
