"""Feedback through its HTTP door, on a real database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from services.feedback.app import create_app
from services.feedback.handlers import inviting as handlers
from services.feedback.handlers.inviting import Inviting
from services.feedback.settings import FeedbackSettings
from shared import auth, clock
from shared.auth import Role
from shared.database import Database
from shared.events.envelope import Event
from shared.events.notification import FeedbackNotificationRequested
from shared.runtime import Runtime
from tests.apps import as_new
from tests.feedback.builders import new_number, reopened, resolved
from tests.feedback.outbox import told


@dataclass(frozen=True)
class Surveys:
    """Makes surveys in the state that a test is about."""

    database: Database
    inviting: Inviting

    @classmethod
    def of(cls, runtime: Runtime[FeedbackSettings]) -> Surveys:
        return cls(runtime.database, Inviting.told_by(runtime.settings))

    async def follow(self, *facts: Event, at: datetime) -> None:
        async with self.database.transaction() as tx:
            await handlers.follow(tx, facts, inviting=self.inviting, at=at)

    async def open(self, number: str | None = None, *, ago: timedelta = timedelta(0), **changes: object) -> str:
        """The token of a survey that was sent so long ago."""
        number = number or new_number()
        at = clock.now() - ago
        await self.follow(resolved(**{"ticket_number": number, "customer_id": uuid4(), "occurred_at": at, **changes}), at=at)
        return await self.token_of(number)

    async def token_of(self, number: str) -> str:
        """The token in the last mail about a ticket."""
        mails = await told(self.database, FeedbackNotificationRequested)
        link = [mail.link for mail in mails if mail.ticket_number == number][-1]
        assert link is not None
        return link.rpartition("/")[2]

    async def expired(self) -> str:
        return await self.open(ago=timedelta(days=15))

    async def cancelled(self) -> str:
        number = new_number()
        token = await self.open(number)
        await self.follow(reopened(ticket_number=number), at=clock.now())
        return token


@cache
def usual_settings() -> FeedbackSettings:
    return FeedbackSettings(
        database_url=SecretStr("postgresql://unused"),
        local=True,
        signing_key=SecretStr("a key for the tests that nobody can guess"),
        feedback_public_url="https://feedback.example",
        contact_url="https://shop.example/contact",
    )


@pytest.fixture
def settings() -> FeedbackSettings:
    return usual_settings()


@pytest.fixture
def surveys(feedback_database: Database, settings: FeedbackSettings) -> Surveys:
    return Surveys(feedback_database, Inviting.told_by(settings))


@pytest.fixture(scope="session")
def app_of_run(feedback_pool: Database) -> FastAPI:
    return create_app(Runtime.for_tests(feedback_pool, usual_settings()))


@pytest.fixture
async def client(app_of_run: FastAPI, feedback_database: Database, settings: FeedbackSettings) -> AsyncIterator[httpx.AsyncClient]:
    """A caller without a key, as customers are."""
    app = as_new(app_of_run, Runtime.for_tests(feedback_database, settings))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://feedback.example") as client:
        yield client


@pytest.fixture
async def staff(feedback_database: Database, client: httpx.AsyncClient) -> dict[str, str]:
    """Headers of an agent."""
    return await headers_of(feedback_database, Role.AGENT)


async def headers_of(database: Database, role: Role) -> dict[str, str]:
    text, row = auth.new_key(role=role, principal=f"{role}-1")
    async with database.transaction() as tx:
        await auth.store_key(tx, row)
    return {"Authorization": f"Bearer {text}"}
