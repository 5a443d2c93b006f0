"""The migrations make what the code declares, and the database refuses what the workflow would."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from services.tickets.store.policy import policy_in_force
from shared import migrations
from shared.database import Database
from tests.tickets.builders import NOON, POLICY, request_received
from tests.tickets.observation import take_in

pytestmark = pytest.mark.postgres


async def test_the_database_is_what_the_code_declares(tickets_database: Database) -> None:
    url = tickets_database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)

    assert await asyncio.to_thread(migrations.check, "tickets", url) == []


async def test_the_first_policy_is_seeded(tickets_database: Database) -> None:
    async with tickets_database.transaction() as tx:
        assert await policy_in_force(tx, NOON) == POLICY


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


async def test_a_policy_comes_into_force_at_its_time(tickets_database: Database) -> None:
    async with tickets_database.transaction() as tx:
        await tx.execute("INSERT INTO sla_policy (version, valid_from, pauses_on) VALUES (2, $1, '{customer,parts}')", NOON)
        await tx.execute("INSERT INTO sla_budget SELECT 2, priority, 60000, 120000 FROM sla_budget WHERE version = 1")

    async with tickets_database.transaction() as tx:
        before = await policy_in_force(tx, NOON.replace(hour=11))
        after = await policy_in_force(tx, NOON)
    assert (before.version, after.version, after.pauses_on) == (1, 2, {"customer", "parts"})
