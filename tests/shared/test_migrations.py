"""A database comes to its newest version from any state, once, and agrees with what the code declares."""

from __future__ import annotations

import asyncio
import sys

import pytest

from shared import migrations, schema
from shared.database import Database
from tests import databases
from tests.servers import Servers
from tests.shared.tables import LOCATION

pytestmark = pytest.mark.postgres


def url_of(database: Database) -> str:
    return database.url


async def test_the_database_agrees_with_the_declared_tables(service_database: Database) -> None:
    differences = await asyncio.to_thread(migrations.check, "tickets", url_of(service_database), location=LOCATION)

    assert differences == []


async def test_a_table_that_nobody_declared_is_a_difference(service_database: Database) -> None:
    async with service_database.transaction() as tx:
        await tx.execute("CREATE TABLE stray (id int PRIMARY KEY)")

    differences = await asyncio.to_thread(migrations.check, "tickets", url_of(service_database), location=LOCATION)

    async with service_database.transaction() as tx:
        await tx.execute("DROP TABLE stray")
    assert "stray" in str(differences)


async def test_four_processes_that_start_at_once_migrate_once(servers: Servers, worker: str) -> None:
    admin = Database(servers.postgres(), pool_size=1, application_name="tests")
    name = f"{worker}_fresh"
    async with admin.engine.connect() as connection:
        raw = (await connection.get_raw_connection()).driver_connection
        assert raw is not None
        await raw.execute(f"DROP DATABASE IF EXISTS {name}")
        await raw.execute(f"CREATE DATABASE {name}")
    await admin.close()
    url = databases.with_database(servers.postgres(), name)

    migrate = f"from shared import migrations; migrations.upgrade('tickets', {url!r}, location={str(LOCATION)!r})"
    processes = [await asyncio.create_subprocess_exec(sys.executable, "-c", migrate) for _ in range(4)]
    assert [await process.wait() for process in processes] == [0, 0, 0, 0]

    fresh = Database(url, pool_size=1, application_name="tests")
    assert await schema.is_current("tickets", fresh, location=LOCATION)
    async with fresh.transaction() as tx:
        assert await tx.fetchval("SELECT count(*) FROM outbox_head") == 24
        assert await tx.fetchval("SELECT count(*) FROM outbox_known") == 12 * 3 + 12
        assert await tx.fetchval("SELECT count(*) FROM consumer_part") == 24
    await fresh.close()


async def test_a_database_without_tables_is_not_current(servers: Servers) -> None:
    empty = Database(servers.postgres(), pool_size=1, application_name="tests")

    current = await schema.is_current("tickets", empty, location=LOCATION)

    await empty.close()
    assert not current
