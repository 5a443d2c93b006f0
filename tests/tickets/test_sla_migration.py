"""An installation of the first version is brought to the newest: its history names the policies that its promises came from."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from uuid import uuid4

import asyncpg
import pytest

from services.tickets import sla
from services.tickets.store import loading, views
from services.tickets.workflow.evolution import replay
from shared import migrations
from shared.database import Database
from tests.databases import with_database
from tests.servers import Servers
from tests.tickets.builders import CUSTOMER_ID, DAY, HOUR, NOON
from tests.tickets.test_migrations import upgrade

pytestmark = pytest.mark.postgres

TICKET = """
INSERT INTO ticket (number, series, version, status, customer_id, channel, locale, tier, type, priority, opened_at, changed_at, episode,
                    words)
VALUES ('AS-O', 'AS-O', 1, 'new', $1, 'web', 'en', 'standard', 'complaint', 'high', $2, $2, 0, '')
"""
CLOCKS = """
INSERT INTO sla_clock (number, target, started_at, budget_ms, policy_version, due_at, paused_ms)
VALUES ('AS-O', 'first_response', $1, 3600000, 1, $1::timestamptz + interval '1 hour', 0),
       ('AS-O', 'resolution', $1, 86400000, 1, $1::timestamptz + interval '1 day', 0)
"""
HISTORY = "INSERT INTO history (number, version, type, at, actor, data) VALUES ('AS-O', 1, 'ticket.opened', $1, 'customer', $2::jsonb)"
OPENED = {
    "number": "AS-O",
    "series": "AS-O",
    "customer_id": str(CUSTOMER_ID),
    "channel": "web",
    "locale": "en",
    "tier": "standard",
    "type": "complaint",
    "priority": "high",
    "product_model": None,
    "promise": {"policy_version": 1, "first_response_ms": 3_600_000, "resolution_ms": 86_400_000},
    "request_id": str(uuid4()),
    "digest": "d",
    "linked_to": None,
}


async def test_a_history_of_the_first_version_rebuilds_its_ticket(servers: Servers) -> None:
    admin_url = servers.postgres()
    admin = await asyncpg.connect(admin_url)
    await admin.execute("DROP DATABASE IF EXISTS promises_of_old")
    await admin.execute("CREATE DATABASE promises_of_old")
    url = with_database(admin_url, "promises_of_old")
    try:
        await asyncio.to_thread(upgrade, url, "0001")
        old = await asyncpg.connect(url)
        await old.execute(TICKET, CUSTOMER_ID, NOON)
        await old.execute(CLOCKS, NOON)
        await old.execute(HISTORY, NOON, json.dumps(OPENED))
        await old.close()

        await asyncio.to_thread(migrations.upgrade, "tickets", url)

        database = Database(url, pool_size=2, application_name="tests")
        async with database.transaction() as tx:
            ticket = (await loading.load(tx, ["AS-O"]))["AS-O"]
            rebuilt = replay(await views.changes(tx, "AS-O"))
        await database.close()
    finally:
        await admin.execute("DROP DATABASE promises_of_old WITH (FORCE)")
        await admin.close()

    assert rebuilt == ticket
    assert (ticket.resolution.promise.policy.id, ticket.resolution.promise.hours.id) == ("standard-high", "always")
    assert (ticket.first_response.budget, sla.due_at(ticket.resolution, NOON)) == (timedelta(hours=1), NOON + DAY)
    assert sla.due_at(ticket.first_response, NOON) == NOON + HOUR
