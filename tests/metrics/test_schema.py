"""The tables that the migrations make are those that the code declares."""

from __future__ import annotations

import asyncio

import pytest

from services.metrics.handlers import CURRENT
from services.metrics.store import generations
from shared import migrations
from shared.database import Database

pytestmark = pytest.mark.postgres


async def test_the_migrations_make_what_the_models_declare(metrics_database: Database) -> None:
    url = metrics_database.url

    assert await asyncio.to_thread(migrations.check, "metrics", url) == []


async def test_the_first_generation_is_built_by_the_definitions_of_this_release(metrics_database: Database) -> None:
    async with metrics_database.transaction() as tx:
        generation = await generations.active(tx)

    assert generation.definitions == CURRENT
