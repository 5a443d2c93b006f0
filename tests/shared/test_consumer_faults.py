"""The consumer outlives its database and shares its logs, without an event lost or applied twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import asyncpg
import pytest

from deploy.local.postgres import PostgresServer
from shared import migrations
from shared.consumer import Consumer
from shared.database import Database
from shared.events.topics import TICKETS
from shared.kafka import KafkaSettings
from tests.servers import Servers
from tests.shared.flow import consumer_of, note, relay_of, running
from tests.shared.logs import append, events_in
from tests.shared.tables import LOCATION
from tests.waiting import eventually

pytestmark = [pytest.mark.postgres, pytest.mark.kafka]

PARTS = range(12)


async def applied(database: Database) -> dict[int, list[int]]:
    """Numbers by partition, in the order of their effects."""
    async with database.transaction() as tx:
        found: dict[int, list[int]] = {}
        for row in await tx.fetch("SELECT part, seq FROM applied ORDER BY id"):
            found.setdefault(row["part"], []).append(row["seq"])
        return found


def has_all(count: int) -> object:
    return lambda found: sum(len(seqs) for seqs in found.values()) >= count


def assert_each_once_in_order(found: dict[int, list[int]]) -> None:
    for seqs in found.values():
        assert seqs == list(range(1, len(seqs) + 1))


@asynccontextmanager
async def admin_of(servers: Servers) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    connection = await asyncpg.connect(servers.postgres())
    try:
        yield connection
    finally:
        await connection.close()


@pytest.fixture
async def private() -> AsyncIterator[tuple[PostgresServer, Database]]:
    """A server of its own, which the test may stop, and the consumer's database in it."""
    with PostgresServer.temporary({"shared_buffers": "16MB", "fsync": "off"}) as server:
        server.create_database("feedback")
        await asyncio.to_thread(migrations.upgrade, "feedback", server.url("feedback"), location=LOCATION)
        database = Database(server.url("feedback"), pool_size=4, application_name="tests")
        yield server, database
        await database.close()


async def feed(database: Database, rounds: int) -> int:
    """Events in every partition; how many."""
    for _ in range(rounds):
        await append(database, *(event for part in PARTS for event in events_in(part, 5)))
    return rounds * 5 * len(PARTS)


async def test_sessions_that_are_cut_again_and_again_lose_nothing(
    service_database: Database, reader_database: Database, kafka: KafkaSettings, servers: Servers
) -> None:
    total = 0
    async with running(relay_of(service_database, kafka).run, consumer_of(reader_database, kafka).run), admin_of(servers) as admin:
        for _ in range(10):
            total += await feed(service_database, 2)
            await admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ANY($1::text[]) AND application_name = 'tests'",
                [reader_database.engine.url.database],
            )
        await eventually(lambda: settled(reader_database), has_all(total), timeout=60)

    found = await applied(reader_database)
    assert sum(len(seqs) for seqs in found.values()) == total
    assert_each_once_in_order(found)


async def settled(database: Database) -> dict[int, list[int]]:
    """What was applied; nothing while the database cannot be asked."""
    try:
        return await applied(database)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        return {}


async def test_a_database_that_is_away_at_the_start_is_waited_for(
    service_database: Database, private: tuple[PostgresServer, Database], kafka: KafkaSettings
) -> None:
    server, database = private
    total = await feed(service_database, 1)
    consumer = consumer_of(database, kafka)
    server.stop()

    async with running(relay_of(service_database, kafka).run, consumer.run):
        await eventually(lambda: refused(consumer))
        server.start()
        await eventually(lambda: settled(database), has_all(total), timeout=60)

    assert_each_once_in_order(await applied(database))


async def refused(consumer: Consumer) -> bool:
    """Whether the consumer has been given partitions and was refused by its database."""
    member = consumer._member
    return member is not None and member.waits_for_database


async def test_a_full_disk_is_waited_out_and_nothing_is_parked_for_it(
    service_database: Database, private: tuple[PostgresServer, Database], kafka: KafkaSettings
) -> None:
    server, database = private
    server.query(
        """
        CREATE TABLE fullness AS SELECT 1;
        CREATE SEQUENCE refusals;
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
          IF EXISTS (SELECT FROM fullness) THEN
            PERFORM nextval('refusals');
            RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full';
          END IF;
          RETURN NEW;
        END $$;
        CREATE TRIGGER refuse BEFORE INSERT ON applied FOR EACH ROW EXECUTE FUNCTION refuse();
        """,
        "feedback",
    )
    consumer = consumer_of(database, kafka)

    async with running(relay_of(service_database, kafka).run, consumer.run):
        await append(service_database, *events_in(PARTS[0], 1))
        await eventually(lambda: refusals(server), lambda count: count >= 3)
        behind = await consumer.lag()
        assert (behind.passes, behind.observed) == (True, 1), "operators see what waits; it is no reason to be sent no requests"
        server.query("DELETE FROM fullness", "feedback")
        await eventually(lambda: settled(database), has_all(1))

    assert server.query("SELECT count(*) FROM dead_letter", "feedback") == "0"


async def refusals(server: PostgresServer) -> int:
    """How often the disk was too full; a sequence survives the rollback."""
    return int(server.query("SELECT last_value FROM refusals", "feedback"))


async def test_a_second_instance_takes_its_share(service_database: Database, reader_database: Database, kafka: KafkaSettings) -> None:
    settings = replace(kafka, session_timeout_ms=6000, rebalance_timeout_ms=6000)
    first, second = (Consumer(reader_database, "feedback", ordinal, [TICKETS], note, settings) for ordinal in (0, 1))
    total = 0
    async with running(relay_of(service_database, kafka).run, first.run):
        total += await feed(service_database, 2)
        await eventually(lambda: applied(reader_database), has_all(total))
        async with running(second.run):
            for _ in range(10):
                total += await feed(service_database, 1)
            await eventually(lambda: shares(first, second), lambda found: found == (6, 6), timeout=60)
            total += await feed(service_database, 2)
            await eventually(lambda: applied(reader_database), has_all(total))

    assert_each_once_in_order(await applied(reader_database))


async def test_a_client_that_stops_to_ask_without_a_word_is_thrown_away(
    service_database: Database, reader_database: Database, kafka: KafkaSettings
) -> None:
    consumer = Consumer(reader_database, "feedback", 0, [TICKETS], note, kafka, stuck_after=3.0)
    async with running(relay_of(service_database, kafka).run, consumer.run):
        total = await feed(service_database, 1)
        await eventually(lambda: applied(reader_database), has_all(total))
        assert consumer._member is not None
        # what has been seen of it after a broker came back: no record, no error, no sign
        fetcher = consumer._member._consumer._fetcher
        for task in (fetcher._fetch_task, *fetcher._pending_tasks):
            task.cancel()

        total += await feed(service_database, 1)
        await eventually(lambda: applied(reader_database), has_all(total), timeout=60)

    assert_each_once_in_order(await applied(reader_database))


async def shares(*consumers: Consumer) -> tuple[int, ...]:
    """Logs of each."""
    await asyncio.sleep(0)
    return tuple([(await consumer.partitions()).observed for consumer in consumers])
