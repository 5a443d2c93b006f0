"""The migrations make exactly the tables that the code declares."""

from __future__ import annotations

import asyncio

import pytest

from shared import migrations
from shared.database import Database

pytestmark = pytest.mark.postgres


async def test_the_migrations_make_the_tables_that_the_code_declares(feedback_database: Database) -> None:
    url = feedback_database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)

    assert await asyncio.to_thread(migrations.check, "feedback", url) == []
