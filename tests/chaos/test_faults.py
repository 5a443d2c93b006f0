"""The faults do what they say: a cut loses acknowledged records, a hole is a hole, a full disk refuses, forged records are there."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from random import Random
from uuid import uuid4

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord

from shared import clock, kafka
from shared.database import Database
from shared.events.topics import INTAKE, TICKETS, Topic
from shared.kafka import KafkaSettings, topics
from shared.kafka.records import OutboxRow, decode
from tests.chaos.faults import Skipped
from tests.chaos.faults.brokers import BrokerCut, TwoBrokersDown
from tests.chaos.faults.databases import hot_rows
from tests.chaos.faults.full_disk import FullDisk, require_mounts
from tests.chaos.faults.records import delete, foreign_to
from tests.chaos.faults.writing import Forged, copy_of, patiently, write
from tests.chaos.platform import Platform, new_home
from tests.chaos.servers import Postgres, brokers
from tests.chaos.skewed import skew
from tests.waiting import eventually

PART = 3


@asynccontextmanager
async def nothing_runs(nodes: int) -> AsyncIterator[Platform]:
    """A platform of which nothing runs yet; what was started of it is ended."""
    home = new_home()
    cluster = brokers(home, nodes)
    environment = {"KAFKA_BOOTSTRAP_SERVERS": ",".join(node.server.bootstrap_servers for node in cluster)}
    platform = Platform(home, Postgres(home), cluster, environment, {})
    try:
        yield platform
    finally:
        await platform.stop()
        shutil.rmtree(home.path, ignore_errors=True)


@pytest.fixture
async def bare() -> AsyncIterator[Platform]:
    """With one broker."""
    async with nothing_runs(1) as platform:
        yield platform


@pytest.fixture
async def cluster() -> AsyncIterator[Platform]:
    """Its three brokers run and have the topics, three copies of each."""
    async with nothing_runs(3) as platform:
        for node in platform.brokers:
            await node.begin()
        for node in platform.brokers:
            await node.await_ready()
        await topics.apply(KafkaSettings(platform.bootstrap), replication=3)
        yield platform


@pytest.fixture
async def broker(bare: Platform) -> Platform:
    """Its broker runs and has the topics."""
    await bare.brokers[0].start()
    await topics.apply(KafkaSettings(bare.bootstrap))
    return bare


def row(seq: int, topic: Topic = TICKETS) -> OutboxRow:
    """Some row of a log."""
    return OutboxRow((topic.name, PART), seq, "T-1", "ticket.opened.v1", uuid4(), uuid4(), {"ce_epoch": "1"}, b"{}")


async def records(platform: Platform, topic: Topic = TICKETS) -> list[ConsumerRecord[bytes | None, bytes | None]]:
    """What the topic's partition holds now."""
    settings = KafkaSettings(platform.bootstrap)
    partition = settings.partition((topic.name, PART))
    reader: AIOKafkaConsumer = kafka.new_reader(settings)
    await reader.start()
    try:
        reader.assign([partition])
        begin, end = (await reader.beginning_offsets([partition]))[partition], (await reader.end_offsets([partition]))[partition]
        reader.seek(partition, begin)
        found: list[ConsumerRecord[bytes | None, bytes | None]] = []
        while begin < end and await reader.position(partition) < end:
            found += (await reader.getmany(partition, timeout_ms=200)).get(partition, [])
        return found
    finally:
        await kafka.close(reader)


async def numbers(platform: Platform, topic: Topic = TICKETS) -> list[int]:
    """The numbers of what is ours there."""
    return [decoded.seq for record in await records(platform, topic) if (decoded := decode(topic, record)) is not None]


@pytest.mark.pure
@pytest.mark.parametrize("seed", range(20))
def test_foreign_records_have_no_number_that_anybody_waits_for(seed: int) -> None:
    forged = foreign_to(row(9), used=4, random=Random(seed))

    understood = [decode(TICKETS, as_read(record)) for record in forged]

    assert [record.seq for record in understood if record is not None] == [4]
    assert len(forged) > 5


def as_read(forged: Forged) -> ConsumerRecord[bytes | None, bytes | None]:
    """The record as a consumer gets it."""
    return ConsumerRecord(TICKETS.name, PART, 0, 0, 0, forged.key, forged.value, None, 0, 0, tuple(forged.headers))


@pytest.mark.pure
def test_a_process_with_a_skewed_clock_believes_to_live_later_and_measures_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(vars(clock), "datetime", datetime)
    right, began = clock.real_now(), clock.monotonic()

    skew(240)

    assert timedelta(seconds=240) <= clock.real_now() - right < timedelta(seconds=270)
    assert clock.monotonic() - began < 30


@pytest.mark.kafka
@pytest.mark.apache_kafka
async def test_a_broker_that_is_cut_has_lost_what_it_acknowledged_and_goes_on(broker: Platform) -> None:
    for seq in range(1, 6):
        await write(broker, TICKETS, {PART: [copy_of(row(seq))]})
    await broker.brokers[0].stop()  # a clean stop before must not save anything
    await broker.brokers[0].start()
    for seq in range(6, 9):
        await write(broker, TICKETS, {PART: [copy_of(row(seq))]})

    random = next(random for seed in range(100) if (random := Random(seed)).random() < 0.1)
    said = await BrokerCut().strike(broker, random)

    found = await numbers(broker)
    assert found == list(range(1, len(found) + 1))
    assert 2 <= len(found) < 8
    assert said.startswith(f"{8 - len(found)} records of 1 ")
    await write(broker, TICKETS, {PART: [copy_of(row(9))]})
    assert await numbers(broker) == [*found, 9]


@pytest.mark.kafka
@pytest.mark.apache_kafka
async def test_what_is_written_behind_the_relays_back_is_in_the_topic_and_can_be_made_a_hole(broker: Platform) -> None:
    forged = foreign_to(row(2, INTAKE), used=1, random=Random(1))
    await write(broker, INTAKE, {PART: [copy_of(row(2, INTAKE)), *forged, copy_of(row(1, INTAKE))]})
    assert len(await records(broker, INTAKE)) == len(forged) + 2
    assert await numbers(broker, INTAKE) == [2, 1, 1]

    await delete(broker, INTAKE, [PART])
    await write(broker, INTAKE, {PART: [copy_of(row(3, INTAKE))]})

    assert await numbers(broker, INTAKE) == [3]


@pytest.mark.kafka
@pytest.mark.apache_kafka
async def test_while_two_of_three_brokers_are_down_nothing_is_acknowledged_and_then_nothing_is_lost(cluster: Platform) -> None:
    await patiently(write, cluster, TICKETS, {PART: [copy_of(row(1))]})

    strike = asyncio.create_task(TwoBrokersDown().strike(cluster, Random(1)))
    await eventually(living(cluster), lambda count: count == 1)
    await patiently(write, cluster, TICKETS, {PART: [copy_of(row(2))]})

    assert await living(cluster)() >= 2
    await strike
    assert set(await patiently(numbers, cluster)) == {1, 2}


def living(platform: Platform) -> Callable[[], Awaitable[int]]:
    """How many brokers run."""

    async def look() -> int:
        return sum(node.alive for node in platform.brokers)

    return look


@pytest.mark.postgres
async def test_every_hot_row_can_be_locked(
    intake_database: Database, tickets_database: Database, feedback_database: Database, metrics_database: Database
) -> None:
    databases = {"intake": intake_database, "tickets": tickets_database, "feedback": feedback_database, "metrics": metrics_database}

    for rows in hot_rows():
        async with databases[rows.service].transaction() as tx:
            await tx.fetch(rows.sql)


@pytest.mark.postgres
async def test_a_full_disk_refuses_and_nothing_that_was_committed_is_gone(bare: Platform) -> None:
    try:
        require_mounts()
    except Skipped as reason:
        pytest.skip(str(reason))
    await bare.postgres.start()
    sql = await asyncpg.connect(bare.postgres.dsn("postgres"))
    await sql.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
    await sql.close()

    said = await FullDisk().strike(bare, Random(1))

    refused = int(said.split("; ")[1].split()[0])
    assert refused > 0
    assert not bare.postgres.data.is_mount()
    assert await bare.postgres.query("SELECT sum(n) FROM kept") == "500500"
