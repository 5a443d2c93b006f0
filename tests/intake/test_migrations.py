"""What the migrations of intake leave behind."""

from __future__ import annotations

import asyncio

import pytest

from services.intake.reference import KEY_BYTES
from shared import migrations
from shared.database import Database

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
