"""A tickets service over this worker's database, and callers with keys of each role."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from services.tickets.app import create_app
from services.tickets.settings import TicketsSettings
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

    async def caller(self, role: Role, principal: str | None = None, **headers: str) -> httpx.AsyncClient:
        """A client with a key of its own."""
        text, row = auth.new_key(role=role, principal=principal or f"{role}-1")
        async with self.database.transaction() as tx:
            await auth.store_key(tx, row)
        return self.client(Authorization=f"Bearer {text}", **headers)

    def client(self, **headers: str) -> httpx.AsyncClient:
        """A client with these headers."""
        client = httpx.AsyncClient(transport=httpx.ASGITransport(app=self.app), base_url="http://tickets", headers=headers)
        self.clients.append(client)
        return client


@cache
def settings() -> TicketsSettings:
    values: dict[str, Any] = {"database_url": "postgresql://not-used/", "signing_key": "k" * 40}
    return TicketsSettings(**values)


def runtime_over(database: Database) -> Runtime[TicketsSettings]:
    return Runtime.for_tests(database, settings())


@pytest.fixture(scope="session")
def app_of_run(tickets_pool: Database) -> FastAPI:
    return create_app(runtime_over(tickets_pool))


@pytest.fixture
async def door(app_of_run: FastAPI, tickets_database: Database) -> AsyncIterator[Door]:
    door = Door(as_new(app_of_run, runtime_over(tickets_database)), tickets_database)
    yield door
    for client in door.clients:
        await client.aclose()


@pytest.fixture
async def agent(door: Door) -> httpx.AsyncClient:
    """An agent."""
    return await door.caller(Role.AGENT)


@pytest.fixture
async def lead(door: Door) -> httpx.AsyncClient:
    """A lead."""
    return await door.caller(Role.LEAD)
