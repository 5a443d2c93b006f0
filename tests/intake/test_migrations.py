"""What the migrations of intake leave behind."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest
from alembic import command

from services.intake.reference import KEY_BYTES
from shared import migrations
from shared.database import Database
from shared.events.topics import FEEDBACK, PARTITIONS
from tests.databases import with_database
from tests.servers import Servers

pytestmark = pytest.mark.postgres


async def test_the_database_is_what_the_code_declares(intake_database: Database) -> None:
    url = intake_database.url

    assert await asyncio.to_thread(migrations.check, "intake", url) == []


async def test_the_key_of_references_was_made_once_and_a_second_migration_leaves_it(intake_database: Database) -> None:
    url = intake_database.url
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


async def test_a_home_of_before_reads_the_facts_of_surveys_from_their_first_number(servers: Servers, worker: str) -> None:
    name = f"{worker}_intake_unread"
    admin = await asyncpg.connect(servers.postgres())
    await admin.execute(f'CREATE DATABASE "{name}"')
    await admin.close()
    url = with_database(servers.postgres(), name)
    await asyncio.to_thread(command.upgrade, migrations._config("intake", url, None), "0005")
    home = await asyncpg.connect(url)
    await home.execute("DELETE FROM consumer_part WHERE topic = 'aftercare.feedback'")
    await home.execute("UPDATE consumer_part SET last_seq = 7")

    await asyncio.to_thread(migrations.upgrade, "intake", url)

    positions = {
        (row["topic"], row["last_seq"]): row["logs"]
        for row in await home.fetch("SELECT topic, last_seq, count(*) AS logs FROM consumer_part GROUP BY topic, last_seq")
    }
    await home.close()
    assert positions == {
        ("aftercare.feedback", 0): PARTITIONS,
        ("aftercare.tickets", 7): PARTITIONS,
        ("aftercare.tickets.outbound", 7): PARTITIONS,
        ("aftercare.feedback.outbound", 7): PARTITIONS,
    }


async def test_feedback_keeps_its_facts_until_intake_has_them_too(servers: Servers, worker: str) -> None:
    name = f"{worker}_feedback_unread"
    admin = await asyncpg.connect(servers.postgres())
    await admin.execute(f'CREATE DATABASE "{name}"')
    await admin.close()
    url = with_database(servers.postgres(), name)
    await asyncio.to_thread(command.upgrade, migrations._config("feedback", url, None), "0002")
    home = await asyncpg.connect(url)
    await home.execute("DELETE FROM outbox_known WHERE topic = 'aftercare.feedback' AND consumer = 'intake'")

    await asyncio.to_thread(migrations.upgrade, "feedback", url)

    known = await home.fetch("SELECT consumer, count(*) AS logs FROM outbox_known WHERE topic = 'aftercare.feedback' GROUP BY consumer")
    await home.close()
    assert {row["consumer"]: row["logs"] for row in known} == dict.fromkeys(FEEDBACK.consumers, PARTITIONS)


async def test_a_tier_of_before_is_the_one_that_the_file_was_given(servers: Servers, worker: str) -> None:
    name = f"{worker}_intake_tiers"
    admin = await asyncpg.connect(servers.postgres())
    await admin.execute(f'CREATE DATABASE "{name}"')
    await admin.close()
    url = with_database(servers.postgres(), name)
    await asyncio.to_thread(command.upgrade, migrations._config("intake", url, None), "0006")
    home = await asyncpg.connect(url)
    await home.execute(
        """
        INSERT INTO customer (customer_id, survivor_id, locale, registered_at, tier, tier_reason)
        SELECT id, id, 'en', now(), tier, reason
          FROM (VALUES (gen_random_uuid(), 'gold', 'value'), (gen_random_uuid(), 'standard', NULL)) f(id, tier, reason)
        """
    )

    await asyncio.to_thread(migrations.upgrade, "intake", url)

    given = await home.fetch("SELECT tier, tier_given, tier_given_reason FROM customer ORDER BY tier")
    await home.close()
    assert [tuple(row) for row in given] == [("gold", "gold", "value"), ("standard", "standard", None)]
