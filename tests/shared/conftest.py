"""Databases with only the shared tables: `service_database` plays tickets, `reader_database` plays feedback, which reads tickets."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from shared.database import Database
from shared.runtime import Runtime
from tests.conftest import emptied, pool
from tests.servers import Servers
from tests.shared.callers import caller, new_key
from tests.shared.sample import sample_app, settings
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


@pytest.fixture(scope="session")
def sample_of_run(service_pool: Database) -> FastAPI:
    return sample_app(Runtime.for_tests(service_pool, settings()))


@pytest.fixture
def sample(sample_of_run: FastAPI, service_database: Database) -> FastAPI:
    """The sample service with an empty database; it remembers nothing of the test before."""
    sample_of_run.state.made.clear()
    sample_of_run.state.runtime.keys.forget()
    return sample_of_run


@pytest.fixture
async def admin(sample: FastAPI, service_database: Database) -> AsyncIterator[httpx.AsyncClient]:
    """A caller who may do everything."""
    async with caller(sample, await new_key(service_database)) as client:
        yield client


@pytest.fixture
async def nobody(sample: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A caller without a key."""
    async with caller(sample) as client:
        yield client
