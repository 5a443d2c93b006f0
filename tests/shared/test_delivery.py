"""From one service's outbox through Kafka into another one's effects: once each, in order, whatever Kafka repeats or lacks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import pytest
from aiokafka import AIOKafkaProducer

from shared import dead_letter
from shared.consumer import Received, apply_with, positions
from shared.database import Database, Transaction
from shared.events.topics import TICKETS
from shared.kafka import KafkaSettings
from shared.kafka.records import OutboxRow, encode
from shared.positions import PositionsReader
from tests.shared.flow import consumer_of, known_of, note, relay_of, running
from tests.shared.logs import append, cursor_of, events_in, execute, records_in
from tests.waiting import eventually

pytestmark = [pytest.mark.postgres, pytest.mark.kafka]

LOG = (TICKETS.name, 3)

Applied = Callable[[], Awaitable[list[int]]]


@pytest.fixture
def applied(reader_database: Database) -> Applied:
    """Numbers that were applied of the log, in the order of their effects."""

    async def look() -> list[int]:
        async with reader_database.transaction() as tx:
            rows = await tx.fetch("SELECT seq FROM applied WHERE (topic, part) = ($1, $2) ORDER BY id", *LOG)
            return [row["seq"] for row in rows]

    return look


async def test_every_event_has_its_effect_once_and_the_source_hears_of_it(
    service_database: Database, reader_database: Database, kafka: KafkaSettings, applied: Applied
) -> None:
    consumer, relay = consumer_of(reader_database, kafka), relay_of(service_database, kafka)
    reader = PositionsReader(service_database, kafka, "tickets")

    async with running(consumer.run, relay.run, reader.run):
        await reader.is_reading.wait()
        for _ in range(5):
            await append(service_database, *events_in(LOG[1], 20))
        await eventually(applied, lambda seqs: len(seqs) >= 100)
        await eventually(lambda: known_of(service_database, LOG), lambda known: known == 100)

    assert await applied() == list(range(1, 101))


async def test_a_consumer_that_starts_again_goes_on_where_it_was(
    service_database: Database, reader_database: Database, kafka: KafkaSettings, applied: Applied
) -> None:
    relay = relay_of(service_database, kafka)
    async with running(relay.run):
        for first in (1, 11, 21):
            await append(service_database, *events_in(LOG[1], 10))
            async with running(consumer_of(reader_database, kafka).run):
                await eventually(applied, lambda seqs, first=first: len(seqs) >= first + 9)

    assert await applied() == list(range(1, 31))


async def test_a_batch_that_is_delivered_twice_has_its_effect_once(
    service_database: Database, reader_database: Database, kafka: KafkaSettings, applied: Applied
) -> None:
    await append(service_database, *events_in(LOG[1], 10))
    async with running(relay_of(service_database, kafka).run):
        await eventually(lambda: cursor_of(service_database, LOG), lambda seq: seq == 10)
    await execute(service_database, "UPDATE outbox_cursor SET seq = 4 WHERE (topic, part) = ($1, $2)", *LOG)
    await append(service_database, *events_in(LOG[1], 2))

    async with running(relay_of(service_database, kafka).run, consumer_of(reader_database, kafka).run):
        await eventually(applied, lambda seqs: len(seqs) >= 12)

    assert [record.seq for record in await records_in(kafka, LOG)] == [*range(1, 11), *range(5, 13)]
    assert await applied() == list(range(1, 13))


async def send_out_of_order(database: Database, kafka: KafkaSettings, *seqs: int) -> None:
    """Rows of the outbox come to Kafka otherwise than the relay would send them."""
    async with database.transaction() as tx:
        rows = {row["seq"]: row for row in await tx.fetch("SELECT * FROM outbox WHERE (topic, part) = ($1, $2)", *LOG)}
    partition = kafka.partition(LOG)
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers) as producer:
        for seq in seqs:
            found = rows[seq]
            headers = {"ce_time": "2026-03-02T09:30:00+00:00", "ce_epoch": "1"}
            row = OutboxRow(LOG, seq, found["key"], found["type"], found["event_id"], found["previous_id"], headers, found["payload"])
            await producer.send_and_wait(
                partition.topic, row.payload, key=row.key.encode(), partition=partition.partition, headers=encode(row)
            )


async def test_a_hole_in_the_topic_is_asked_for_and_filled(
    service_database: Database, reader_database: Database, kafka: KafkaSettings, applied: Applied
) -> None:
    await append(service_database, *events_in(LOG[1], 6))
    await send_out_of_order(service_database, kafka, 1, 2, 5, 6)
    # for all the source knows, everything arrived
    await execute(service_database, "UPDATE outbox_cursor SET seq = 6 WHERE (topic, part) = ($1, $2)", *LOG)
    reader = PositionsReader(service_database, kafka, "tickets")

    async with running(reader.run):
        await reader.is_reading.wait()
        async with running(relay_of(service_database, kafka).run, consumer_of(reader_database, kafka).run):
            await eventually(applied, lambda seqs: len(seqs) >= 6)

    assert await applied() == [1, 2, 3, 4, 5, 6]


async def test_a_loss_in_a_log_that_goes_quiet_is_noticed(
    service_database: Database, reader_database: Database, kafka: KafkaSettings, applied: Applied
) -> None:
    await append(service_database, *events_in(LOG[1], 3))
    await send_out_of_order(service_database, kafka, 1, 3)
    await execute(service_database, "UPDATE outbox_cursor SET seq = 3 WHERE (topic, part) = ($1, $2)", *LOG)
    # the consumer has polled past the last record and forgotten that it saw a gap
    await execute(reader_database, "UPDATE consumer_part SET next_off = 2 WHERE (topic, part) = ($1, $2)", *LOG)
    reader = PositionsReader(service_database, kafka, "tickets")

    async with running(reader.run):
        await reader.is_reading.wait()
        async with running(relay_of(service_database, kafka, quiet=1).run, consumer_of(reader_database, kafka).run):
            await eventually(applied, lambda seqs: len(seqs) >= 3)

    assert await applied() == [1, 2, 3]


async def test_poison_parks_its_key_until_an_operator_replays_it(
    service_database: Database, reader_database: Database, kafka: KafkaSettings, applied: Applied
) -> None:
    events = events_in(LOG[1], 4)
    poisoned = events[1].key
    is_repaired = False

    async def fragile(tx: Transaction, received: Sequence[Received]) -> None:
        if not is_repaired and any(each.key == poisoned for each in received):
            raise ValueError("this release cannot do that")
        await note(tx, received)

    async with running(relay_of(service_database, kafka).run, consumer_of(reader_database, kafka, fragile).run):
        await append(service_database, *events, events[1])
        await eventually(applied, lambda seqs: len(seqs) >= 3)
        is_repaired = True
        await append(service_database, events[1])
        await eventually(lambda: parked(reader_database), lambda seqs: len(seqs) == 3)
        replayed = await dead_letter.replay(reader_database, apply_with(fragile), (*LOG, poisoned), by="ada", reason="repaired")
        await append(service_database, events[1])
        await eventually(applied, lambda seqs: len(seqs) >= 7)

    assert replayed == 3
    assert await applied() == [1, 3, 4, 2, 5, 6, 7]


async def parked(database: Database) -> list[int]:
    async with database.transaction() as tx:
        return [letter.seq for letter in await dead_letter.find(tx)]


async def test_records_of_others_are_looked_past(
    service_database: Database, reader_database: Database, kafka: KafkaSettings, applied: Applied
) -> None:
    partition = kafka.partition(LOG)
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers) as producer:
        for headers in ([], [("ce_source", b"/elsewhere"), ("ce_sequence", b"1")], [("ce_source", b"/aftercare/tickets")]):
            await producer.send_and_wait(partition.topic, b"{}", partition=partition.partition, headers=headers)

    async with running(relay_of(service_database, kafka).run, consumer_of(reader_database, kafka).run):
        await append(service_database, *events_in(LOG[1], 2))
        await eventually(applied, lambda seqs: len(seqs) >= 2)

    assert await applied() == [1, 2]


async def test_a_topic_can_be_read_again_without_a_second_effect(
    service_database: Database, reader_database: Database, kafka: KafkaSettings, applied: Applied
) -> None:
    async def next_off() -> int:
        async with reader_database.transaction() as tx:
            return int(await tx.fetchval("SELECT next_off FROM consumer_part WHERE (topic, part) = ($1, $2)", *LOG))

    async with running(relay_of(service_database, kafka).run, consumer_of(reader_database, kafka).run):
        await append(service_database, *events_in(LOG[1], 5))
        await eventually(applied, lambda seqs: len(seqs) >= 5)
        async with reader_database.transaction() as tx:
            await positions.reread(tx, TICKETS.name)
        await append(service_database, *events_in(LOG[1], 1))
        await eventually(next_off, lambda off: off == 6)

    assert await applied() == [1, 2, 3, 4, 5, 6]
