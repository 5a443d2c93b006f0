"""What the migrations of intake leave behind."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest
from alembic import command

from services.intake.reference import KEY_BYTES
from shared import migrations
from shared.database import Database
from tests.databases import with_database
from tests.servers import Servers

pytestmark = pytest.mark.postgres


async def test_the_database_is_what_the_code_declares(intake_database: Database) -> None:
    url = intake_database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)

    assert await asyncio.to_thread(migrations.check, "intake", url) == []


async def test_the_key_of_references_was_made_once_and_a_second_migration_leaves_it(intake_database: Database) -> None:
    url = intake_database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    async with intake_database.transaction() as tx:
        before = await tx.fetch("SELECT key FROM reference_key")

    await asyncio.to_thread(migrations.upgrade, "intake", url)

    async with intake_database.transaction() as tx:
        assert await tx.fetch("SELECT key FROM reference_key") == before
    assert [len(row["key"]) for row in before] == [KEY_BYTES]


async def test_customers_and_requests_of_before_have_files_afterwards(servers: Servers, worker: str) -> None:
    name = f"{worker}_intake_before"
    admin = await asyncpg.connect(servers.postgres())
    await admin.execute(f'CREATE DATABASE "{name}"')
    await admin.close()
    url = with_database(servers.postgres(), name)
    await asyncio.to_thread(command.upgrade, migrations._config("intake", url, None), "0001")
    before = await asyncpg.connect(url)
    await before.execute(
        """
        INSERT INTO customer (customer_id, name, locale, registered_at)
        VALUES ('00000000-0000-0000-0000-000000000001', 'Anna Li', 'en', now());
        INSERT INTO identity (scheme, value) VALUES ('phone', '+8613800138000'), ('email', 'a@example.com');
        INSERT INTO customer_identity (customer_id, scheme, value, address, matches, linked_at)
        SELECT '00000000-0000-0000-0000-000000000001', scheme, value, value, scheme = 'phone', now() FROM identity;
        """
    )

    await asyncio.to_thread(migrations.upgrade, "intake", url)

    customer = await before.fetchrow("SELECT * FROM customer")
    links = await before.fetch("SELECT * FROM customer_identity ORDER BY scheme")
    await before.close()
    assert customer is not None
    assert (customer["survivor_id"], customer["name_key"], customer["version"]) == (customer["customer_id"], "anna li", 1)
    assert [(link["scheme"], link["evidence"], link["origin_id"]) for link in links] == [
        ("email", "claimed", customer["customer_id"]),
        ("phone", "shown", customer["customer_id"]),
    ]
    assert await asyncio.to_thread(migrations.check, "intake", url) == []
