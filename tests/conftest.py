"""Fixtures for all tests: real PostgreSQL and a real broker, both started when the first test asks for them.

`intake_database`, `tickets_database`, `feedback_database` and `metrics_database` are a service's own database as its migrations leave it,
emptied after each test. `kafka` is a broker with the platform's topics under a prefix that no other test uses.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import hypothesis
import pytest

from shared.database import Database
from shared.kafka import KafkaSettings, topics
from tests import databases
from tests.servers import APACHE_KAFKA, BorrowedServers, OwnServers, Servers, ServersForWorkers

if TYPE_CHECKING:
    from pathlib import Path

# a law says nothing of how long an example takes, and several workers share the machine
hypothesis.settings.register_profile("aftercare", hypothesis.settings.default, deadline=None)
hypothesis.settings.load_profile("aftercare")

_OWN = pytest.StashKey[OwnServers]()
_LENT = pytest.StashKey[ServersForWorkers]()


def pytest_configure(config: pytest.Config) -> None:
    """The process that pytest was started in owns the servers, and lends them to its workers, if it has any."""
    if not hasattr(config, "workerinput"):
        config.stash[_OWN] = OwnServers()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop them."""
    if _OWN in config.stash:
        config.stash[_OWN].stop()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: object) -> None:
    """Called by pytest-xdist for each worker before it starts."""
    config: pytest.Config = node.config  # type: ignore[attr-defined]
    if _LENT not in config.stash:
        config.stash[_LENT] = ServersForWorkers(config.stash[_OWN])
    node.workerinput["servers"] = config.stash[_LENT].address  # type: ignore[attr-defined]


@pytest.fixture(scope="session")
def servers(request: pytest.FixtureRequest) -> Servers:
    """The servers of this run."""
    if hasattr(request.config, "workerinput"):
        return BorrowedServers(request.config.workerinput["servers"])
    return request.config.stash[_OWN]


@pytest.fixture(scope="session")
def worker(request: pytest.FixtureRequest) -> str:
    """Name of this process among the workers."""
    return request.config.workerinput["workerid"] if hasattr(request.config, "workerinput") else "main"


@asynccontextmanager
async def pool(servers: Servers, worker: str, service: str, location: Path | None = None) -> AsyncIterator[Database]:
    """The pool of this worker's database of the service; for the whole run."""
    url = await databases.clone(servers.postgres(), service, worker, location=location)
    database = Database(url, pool_size=20, application_name="tests")
    try:
        yield database
    finally:
        await database.close()


async def emptied(database: Database) -> None:
    """What follows a test that used the database."""
    await databases.reset(database)


@pytest.fixture(scope="session")
async def intake_pool(servers: Servers, worker: str) -> AsyncIterator[Database]:
    async with pool(servers, worker, "intake") as database:
        yield database


@pytest.fixture(scope="session")
async def tickets_pool(servers: Servers, worker: str) -> AsyncIterator[Database]:
    async with pool(servers, worker, "tickets") as database:
        yield database


@pytest.fixture(scope="session")
async def feedback_pool(servers: Servers, worker: str) -> AsyncIterator[Database]:
    async with pool(servers, worker, "feedback") as database:
        yield database


@pytest.fixture(scope="session")
async def metrics_pool(servers: Servers, worker: str) -> AsyncIterator[Database]:
    async with pool(servers, worker, "metrics") as database:
        yield database


@pytest.fixture
async def intake_database(intake_pool: Database) -> AsyncIterator[Database]:
    """Intake's database."""
    yield intake_pool
    await emptied(intake_pool)


@pytest.fixture
async def tickets_database(tickets_pool: Database) -> AsyncIterator[Database]:
    """Tickets' database."""
    yield tickets_pool
    await emptied(tickets_pool)


@pytest.fixture
async def feedback_database(feedback_pool: Database) -> AsyncIterator[Database]:
    """Feedback's database."""
    yield feedback_pool
    await emptied(feedback_pool)


@pytest.fixture
async def metrics_database(metrics_pool: Database) -> AsyncIterator[Database]:
    """Metrics' database."""
    yield metrics_pool
    await emptied(metrics_pool)


@pytest.fixture(scope="session")
def bootstrap_servers(servers: Servers) -> str:
    """The run's broker."""
    return servers.broker()[1]


@pytest.fixture
async def kafka(request: pytest.FixtureRequest, servers: Servers, bootstrap_servers: str) -> AsyncIterator[KafkaSettings]:
    """A broker with the platform's topics, empty, under a prefix of this test's own."""
    if request.node.get_closest_marker("apache_kafka") and servers.broker()[0] != APACHE_KAFKA:
        missing = f"needs Apache Kafka, and the broker is {servers.broker()[0]}"
        pytest.fail(missing) if os.environ.get("CI") == "true" else pytest.skip(missing)
    settings = KafkaSettings(bootstrap_servers, topic_prefix=f"t{secrets.token_hex(4)}.")
    await topics.apply(settings)
    yield settings
    await topics.remove(settings)
