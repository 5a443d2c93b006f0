"""Intake's database is lost and restored from a dump that is older than the last requests, and nobody follows the procedure.

Real services: requests through intake's door, tickets as the tickets service opens them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx
import pytest
from pydantic import SecretStr

from deploy.local.kafka import KafkaServer
from deploy.local.postgres import programs, run
from deploy.local.unprivileged import User
from services.intake.app import create_app
from services.intake.settings import IntakeSettings
from services.tickets.consumer import create_handler
from services.tickets.settings import TicketsSettings
from shared import clock
from shared.auth import Role, new_key, store_key
from shared.consumer import Consumer
from shared.database import Database
from shared.events.topics import INTAKE
from shared.kafka import KafkaSettings
from shared.positions import PositionsReader
from shared.relay import Relay
from shared.restore import resume_after_restore
from shared.runtime import Runtime
from tests import databases
from tests.kafka.pipeline import running
from tests.servers import Servers
from tests.shared.logs import execute
from tests.waiting import eventually

pytestmark = [pytest.mark.postgres, pytest.mark.kafka, pytest.mark.apache_kafka]


@dataclass(frozen=True)
class Intake:
    """A running intake: its door and its loops."""

    database: Database
    client: httpx.AsyncClient

    async def take(self, count: int, *, since: int) -> list[str]:
        """Hand in so many requests, each of a customer of his own; the references that were given."""
        answers = await asyncio.gather(*(self.post(number) for number in range(since, since + count)))
        assert {answer.status_code for answer in answers} == {202}
        return [answer.json()["reference"] for answer in answers]

    async def post(self, number: int) -> httpx.Response:
        """Hand in one request."""
        body = {"channel": "web", "text": f"request {number}", "customer": {"email": f"customer{number}@example.com"}}
        return await self.client.post("/v1/requests", json=body)


@asynccontextmanager
async def intake(database: Database, kafka: KafkaSettings, home: Path) -> AsyncIterator[Intake]:
    """A process of intake over a database."""
    settings = IntakeSettings(database_url=SecretStr(str(database.engine.url)), home=home, signing_key=SecretStr("k" * 40))
    app = create_app(Runtime.for_tests(database, settings))
    text, row = new_key(role=Role.SERVICE, principal="shop")
    async with database.transaction() as tx:
        await store_key(tx, row)
    relay = Relay(database, kafka, poll=0.02, send_timeout=3, tail_timeout=2, round_timeout=8)
    positions = PositionsReader(database, kafka, "intake")
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://intake", headers={"Authorization": f"Bearer {text}"})
    async with app.router.lifespan_context(app), client, running(relay.run, positions.run):
        yield Intake(database, client)


@asynccontextmanager
async def new_database(servers: Servers, name: str) -> AsyncIterator[str]:
    """An empty database, dropped afterwards; its URL."""
    admin = await asyncpg.connect(servers.postgres())
    try:
        await admin.execute(f'CREATE DATABASE "{name}"')
        yield databases.with_database(servers.postgres(), name)
        await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    finally:
        await admin.close()


async def tickets_of(database: Database) -> list[str]:
    """The number of each ticket: the reference of the request that opened it."""
    async with database.transaction() as tx:
        return [row["number"] for row in await tx.fetch("SELECT number FROM ticket")]


async def stopped_logs(database: Database) -> int:
    """How many logs refuse events."""
    async with database.transaction() as tx:
        return int(await tx.fetchval("SELECT count(*) FROM outbox_head WHERE stopped IS NOT NULL"))


async def next_second() -> None:
    """The procedure takes longer than a second; references count on that."""
    second = int(clock.now().timestamp())

    async def now() -> int:
        return int(clock.now().timestamp())

    await eventually(now, lambda found: found > second)


async def test_every_request_that_was_answered_has_its_ticket_after_the_resume(
    servers: Servers,
    worker: str,
    intake_database: Database,
    tickets_database: Database,
    own_broker: KafkaServer,
    own_kafka: KafkaSettings,
    tmp_path: Path,
) -> None:
    tickets = Runtime.for_tests(
        tickets_database, TicketsSettings(database_url=SecretStr("postgresql://unused/"), signing_key=SecretStr("k" * 40))
    )
    consumer = Consumer(tickets_database, "tickets", 0, [INTAKE], create_handler(tickets), own_kafka)
    tool = programs(User.for_databases(), None)

    async def opened(count: int) -> None:
        await eventually(lambda: tickets_of(tickets_database), lambda found: len(found) >= count, timeout=60)

    async with running(consumer.run), new_database(servers, f"{worker}_restored") as restored_url:
        async with intake(intake_database, own_kafka, tmp_path) as service:
            before = await service.take(20, since=0)
            await opened(20)
            url = intake_database.url
            await asyncio.to_thread(run, tool / "pg_dump", "-Fc", "-f", str(tmp_path / "dump"), url)
            lost = await service.take(20, since=20)
            await opened(40)

        await next_second()
        await asyncio.to_thread(run, tool / "pg_restore", "--no-owner", "-d", restored_url, str(tmp_path / "dump"))
        restored = Database(restored_url, pool_size=10, application_name="tests")
        own_broker.pause()
        async with intake(restored, own_kafka, tmp_path) as service:
            since = await service.take(100, since=40)
            own_broker.resume()
            await eventually(lambda: stopped_logs(restored))

        # as if more time had passed since the service was stopped
        await execute(restored, "UPDATE outbox_cursor SET owned_at = NULL")
        resumed = await resume_after_restore(restored, own_kafka, "intake", by="ada", reason="the disk broke")
        async with intake(restored, own_kafka, tmp_path) as service:
            after = await service.take(5, since=140)
            await opened(145)
        await restored.close()

    found = await tickets_of(tickets_database)
    assert sorted(found) == sorted([*before, *lost, *since, *after])
    assert sum(event.type == "request.received.v1" for log in resumed for event in log.lost) == 20
