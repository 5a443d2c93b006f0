"""The migrations make what the code declares, and the database refuses what the workflow would."""

from __future__ import annotations

import asyncio
from datetime import datetime
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from services.tickets.sla import Case, Priority
from services.tickets.store.levels import service_levels
from shared import migrations
from shared.database import Database
from tests.tickets.builders import NOON, POLICY, request_received
from tests.tickets.observation import take_in, ticket

pytestmark = pytest.mark.postgres


async def test_the_database_is_what_the_code_declares(tickets_database: Database) -> None:
    url = tickets_database.url

    assert await asyncio.to_thread(migrations.check, "tickets", url) == []


async def test_something_is_promised_whenever_the_customer_wrote(tickets_database: Database) -> None:
    request = request_received(occurred_at=datetime(1900, 1, 1, tzinfo=ZoneInfo("Asia/Shanghai")))

    await take_in(tickets_database, request)

    assert (await ticket(tickets_database, request.reference)).resolution.promise.policy.id == "standard-normal"


@pytest.mark.parametrize("priority", list(Priority))
async def test_the_first_policies_are_seeded(tickets_database: Database, priority: Priority) -> None:
    case = Case("repair", priority, "gold")
    async with tickets_database.transaction() as tx:
        found = (await service_levels(tx)).promise(case, NOON)

    expected = POLICY.promise(case, NOON)
    assert found == expected
    assert found.hours.is_always_open
    assert (found.policy.first_response, found.policy.next_response, found.policy.resolution) == (
        expected.policy.first_response,
        expected.policy.next_response,
        expected.policy.resolution,
    )


@pytest.mark.parametrize(
    "change",
    [
        "status = 'lost'",
        "priority = 'asap'",
        "status = 'assigned'",
        "status = 'resolved', assignee = 'x'",
        "status = 'closed'",
        "closed_at = now()",
        "resolved_at = now()",
        "linked_to = number",
        "version = 0",
    ],
)
async def test_the_database_refuses_what_makes_no_sense(tickets_database: Database, change: str) -> None:
    await take_in(tickets_database, request_received())

    with pytest.raises(asyncpg.CheckViolationError):
        async with tickets_database.transaction() as tx:
            await tx.execute(f"UPDATE ticket SET {change}")
