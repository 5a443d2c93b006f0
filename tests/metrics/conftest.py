"""A metrics service over this worker's database, and callers with keys."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from services.metrics.api import Board
from services.metrics.app import create_app
from services.metrics.settings import MetricsSettings
from shared import auth
from shared.auth import Role
from shared.database import Database
from shared.runtime import Runtime
from tests.apps import as_new


@dataclass
class Door:
    """The REST door, and a way through it for each role."""

    app: FastAPI
    database: Database
    clients: list[httpx.AsyncClient] = field(default_factory=list)

    async def caller(self, role: Role) -> httpx.AsyncClient:
        """A client with a key of its own."""
        text, row = auth.new_key(role=role, principal=f"{role}-1")
        async with self.database.transaction() as tx:
            await auth.store_key(tx, row)
        return self.client(Authorization=f"Bearer {text}")

    def client(self, **headers: str) -> httpx.AsyncClient:
        """A client with these headers."""
        client = httpx.AsyncClient(transport=httpx.ASGITransport(app=self.app), base_url="http://metrics", headers=headers)
        self.clients.append(client)
        return client


@cache
def settings() -> MetricsSettings:
    values: dict[str, Any] = {"database_url": "postgresql://not-used/", "signing_key": "k" * 40}
    return MetricsSettings(**values)


def runtime_over(database: Database) -> Runtime[MetricsSettings]:
    return Runtime.for_tests(database, settings())


@pytest.fixture(scope="session")
def app_of_run(metrics_pool: Database) -> FastAPI:
    return create_app(runtime_over(metrics_pool))


@pytest.fixture
async def door(app_of_run: FastAPI, metrics_database: Database) -> AsyncIterator[Door]:
    runtime = runtime_over(metrics_database)
    app_of_run.state.board = Board(metrics_database, runtime.settings.zone, runtime.health)
    door = Door(as_new(app_of_run, runtime), metrics_database)
    yield door
    for client in door.clients:
        await client.aclose()


@pytest.fixture
async def manager(door: Door) -> httpx.AsyncClient:
    """A manager."""
    return await door.caller(Role.MANAGER)
