"""Intake behind its REST door, on its own database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient
from pydantic import SecretStr

from services.intake.acceptance import Contact
from services.intake.app import create_app
from services.intake.carriers import Carrier, carriers_of
from services.intake.settings import IntakeSettings
from shared.auth import Role, new_key, store_key
from shared.database import Database
from shared.runtime import Runtime
from tests.apps import as_new
from tests.intake.builders import incoming, rows, take_one


@pytest.fixture(scope="session")
def settings_of_run(intake_pool: Database, tmp_path_factory: pytest.TempPathFactory) -> IntakeSettings:
    return IntakeSettings(database_url=SecretStr(str(intake_pool.engine.url)), home=tmp_path_factory.mktemp("home"))


@pytest.fixture
def settings(settings_of_run: IntakeSettings, intake_database: Database, tmp_path: Path) -> IntakeSettings:
    """Settings of a process that delivers mails as files."""
    return settings_of_run.model_copy(update={"home": tmp_path})


@pytest.fixture
def runtime(intake_database: Database, settings: IntakeSettings) -> Runtime[IntakeSettings]:
    return Runtime.for_tests(intake_database, settings)


@pytest.fixture
async def customer(intake_database: Database) -> UUID:
    """A customer with an address."""
    await take_one(intake_database, incoming(customer=Contact("王伟", email="wang@example.com"), text="My washer is broken"))
    (row,) = await rows(intake_database, "customer")
    return UUID(str(row["customer_id"]))


@pytest.fixture
def maildir(settings: IntakeSettings) -> list[Carrier]:
    """What carries mails to files."""
    return carriers_of(settings)


@pytest.fixture(scope="session")
async def app_of_run(intake_pool: Database, settings_of_run: IntakeSettings) -> AsyncIterator[FastAPI]:
    """The application between its start and its end."""
    app = create_app(Runtime.for_tests(intake_pool, settings_of_run))
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def app(app_of_run: FastAPI, settings: IntakeSettings) -> AsyncIterator[FastAPI]:
    """The application; it remembers nothing of the test before."""
    runtime: Runtime[IntakeSettings] = app_of_run.state.runtime  # its routes know no other
    runtime.settings = settings
    runtime.keys.forget()
    yield as_new(app_of_run, runtime)
    await writers_ended()


async def writers_ended() -> None:
    """What was handed in is written, or given up."""
    if writers := [task for task in asyncio.all_tasks() if task.get_name() == "intake writer"]:
        await asyncio.wait(writers)


@pytest.fixture
async def api(app: FastAPI, intake_database: Database) -> AsyncIterator[AsyncClient]:
    """A system that may hand in and read requests."""
    async with client(app, intake_database, Role.SERVICE, "shop") as found:
        yield found


@pytest.fixture
async def agent(app: FastAPI, intake_database: Database) -> AsyncIterator[AsyncClient]:
    """An agent at his desk."""
    async with client(app, intake_database, Role.AGENT, "lin") as found:
        yield found


def client(app: FastAPI, database: Database, role: Role, principal: str) -> _Client:
    """A caller with a key of that role."""
    return _Client(app, database, role, principal)


class _Client:
    def __init__(self, app: FastAPI, database: Database, role: Role, principal: str) -> None:
        self._database = database
        self._text, self._row = new_key(role=role, principal=principal)
        headers = {"Authorization": f"Bearer {self._text}"}
        self._client = httpx.AsyncClient(transport=ASGITransport(app), base_url="http://intake", headers=headers)

    async def __aenter__(self) -> AsyncClient:
        async with self._database.transaction() as tx:
            await store_key(tx, self._row)
        return await self._client.__aenter__()

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()
