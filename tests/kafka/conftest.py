"""A source of numbered events, a consumer of them, and a broker that may be hurt.

The run's own servers are shared with other tests, so whoever kills or freezes one starts his own.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Iterator

import pytest

from deploy.local.kafka import KafkaServer, KafkaUnavailable, java, resolve_jars
from shared.database import Database
from shared.kafka import KafkaSettings, topics
from tests.conftest import emptied, pool
from tests.servers import Servers
from tests.shared.tables import LOCATION


@pytest.fixture(scope="session")
async def source_pool(servers: Servers, worker: str) -> AsyncIterator[Database]:
    async with pool(servers, f"{worker}_kafka", "tickets", LOCATION) as database:
        yield database


@pytest.fixture(scope="session")
async def reader_pool(servers: Servers, worker: str) -> AsyncIterator[Database]:
    async with pool(servers, f"{worker}_kafka", "feedback", LOCATION) as database:
        yield database


@pytest.fixture
async def source(source_pool: Database) -> AsyncIterator[Database]:
    """A source of numbered events: the shared tables of tickets."""
    yield source_pool
    await emptied(source_pool)


@pytest.fixture
async def reader(reader_pool: Database) -> AsyncIterator[Database]:
    """A consumer of tickets' events: the shared tables of feedback, and `applied`."""
    yield reader_pool
    await emptied(reader_pool)


@pytest.fixture(scope="session")
def own_broker() -> Iterator[KafkaServer]:
    """An Apache Kafka that these tests may kill, cut and freeze; it runs again after each of them."""
    try:
        java()
        resolve_jars()
    except KafkaUnavailable as missing:
        pytest.fail(str(missing)) if os.environ.get("CI") == "true" else pytest.skip(str(missing))
    with KafkaServer.temporary() as server:
        yield server


@pytest.fixture
async def own_kafka(own_broker: KafkaServer) -> KafkaSettings:
    """The platform's topics on that broker, empty, under a prefix of this test's own."""
    settings = KafkaSettings(own_broker.bootstrap_servers, topic_prefix=f"t{secrets.token_hex(4)}.", request_timeout_ms=2000)
    await topics.apply(settings)
    return settings
