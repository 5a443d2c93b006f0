"""PostgreSQL crashes and stays away: whatever was accepted before or after has its effect once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from deploy.local.postgres import PostgresServer
from shared import migrations
from shared.clock import monotonic
from shared.database import Database, is_transient
from shared.events.topics import TICKETS
from shared.kafka import KafkaSettings
from tests.kafka.pipeline import Pipeline
from tests.shared.events import opened
from tests.shared.flow import running
from tests.shared.logs import append, keys_in
from tests.shared.tables import LOCATION
from tests.waiting import eventually

pytestmark = [pytest.mark.postgres, pytest.mark.kafka]

LOG = (TICKETS.name, 3)


@pytest.fixture
async def postgres() -> AsyncIterator[PostgresServer]:
    """A server of this test's own."""
    with PostgresServer.temporary() as server:
        yield server


async def database_of(server: PostgresServer, service: str) -> Database:
    """A migrated database on that server."""
    server.create_database(service)
    await asyncio.to_thread(migrations.upgrade, service, server.url(service), location=LOCATION)
    return Database(server.url(service), pool_size=6, application_name="tests")


async def test_a_database_that_is_away_for_ten_seconds_costs_time_only(postgres: PostgresServer, kafka: KafkaSettings) -> None:
    source, reader = await database_of(postgres, "tickets"), await database_of(postgres, "feedback")
    pipeline = Pipeline(source, reader, kafka)
    keys = keys_in(LOG[1])
    acknowledged: list[str] = []

    async def traffic(stop: asyncio.Event) -> None:
        while not stop.is_set():
            key = next(keys)
            try:
                await append(source, opened(key))
            except Exception as error:
                if not is_transient(error):
                    raise
            else:
                acknowledged.append(key)
            await asyncio.sleep(0.02)

    async def accepted(count: int) -> None:
        enough = len(acknowledged) + count

        async def look() -> int:
            return len(acknowledged)

        await eventually(look, lambda found: found >= enough)

    async with pipeline.running():
        async with running(traffic):
            await accepted(50)
            postgres.kill()
            away = monotonic()
            await asyncio.sleep(10)
            await asyncio.to_thread(postgres.start)
            assert monotonic() - away >= 10
            await accepted(50)
        head = await head_of(source)
        await pipeline.until_applied({LOG: head}, timeout=60)

    async with reader.transaction() as tx:
        effects = [row["key"] for row in await tx.fetch("SELECT key FROM applied ORDER BY id")]
    assert [key for key in effects if key in set(acknowledged)] == acknowledged
    assert len(effects) == len(set(effects))
    await source.close()
    await reader.close()


async def head_of(source: Database) -> int:
    """The highest number of the log."""
    async with source.transaction() as tx:
        return int(await tx.fetchval("SELECT head FROM outbox_head WHERE (topic, part) = ($1, $2)", *LOG))
