"""Databases with only the shared tables: `service_database` plays tickets, `reader_database` plays feedback, which reads tickets."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from shared.database import Database
from tests.conftest import emptied, pool
from tests.servers import Servers
from tests.shared.tables import LOCATION


@pytest.fixture(scope="session")
async def service_pool(servers: Servers, worker: str) -> AsyncIterator[Database]:
    async with pool(servers, worker, "tickets", LOCATION) as database:
        yield database


@pytest.fixture(scope="session")
async def reader_pool(servers: Servers, worker: str) -> AsyncIterator[Database]:
    async with pool(servers, worker, "feedback", LOCATION) as database:
        yield database


@pytest.fixture
async def service_database(service_pool: Database) -> AsyncIterator[Database]:
    """A source of numbered events: the shared tables of tickets."""
    yield service_pool
    await emptied(service_pool)


@pytest.fixture
async def reader_database(reader_pool: Database) -> AsyncIterator[Database]:
    """A consumer of tickets' events: the shared tables of feedback, and `applied`."""
    yield reader_pool
    await emptied(reader_pool)
