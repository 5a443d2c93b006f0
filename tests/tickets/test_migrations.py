"""An installation with tickets in it is brought to the newest version: what waits for its customer gets its reminders."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import asyncpg
import pytest
from alembic import command

from services.tickets.sla import Case, Priority
from services.tickets.store import loading, staff
from services.tickets.store.levels import service_levels
from services.tickets.store.staff import TEAM
from services.tickets.workflow.status import Status
from shared import clock, migrations
from shared.database import Database
from tests.databases import with_database
from tests.servers import Servers
from tests.tickets.builders import DAY, HOUR, NOON

pytestmark = pytest.mark.postgres

OLD = """
INSERT INTO ticket (number, series, version, status, customer_id, channel, locale, tier, type, priority, assignee, opened_at, changed_at,
                    episode, words)
VALUES ('AS-W', 'AS-W', 4, 'waiting_customer', gen_random_uuid(), 'web', 'en', 'standard', 'repair', 'normal', 'agent-1', $1, $2, 0, ''),
       ('AS-N', 'AS-N', 1, 'new', gen_random_uuid(), 'web', 'en', 'standard', 'repair', 'normal', NULL, $1, $1, 0, '')
"""
CLOCKS = """
INSERT INTO sla_clock (number, target, started_at, budget_ms, policy_version, due_at, paused_ms)
SELECT number, target, $1, hours * 3600000, 1, $1::timestamptz + hours * interval '1 hour', 0
  FROM (VALUES ('AS-W'), ('AS-N')) t(number), (VALUES ('first_response', 4), ('resolution', 72)) c(target, hours)
"""
TEAMS = """
INSERT INTO team (id, version, name, types, channels, tiers, calendar, distribution, when_offline, active)
VALUES ('by-day', 3, 'By day', '{}', '{}', '{}', 'always', 'round_robin', 'keep', true),
       ('lost', 3, 'Lost', '{}', '{}', '{}', 'weekdays', 'round_robin', 'keep', true),
       ('plain', 3, 'Plain', '{}', '{}', '{}', NULL, 'round_robin', 'keep', true)
"""
PAUSE = "INSERT INTO sla_pause (number, target, ordinal, started_at) VALUES ('AS-W', 'resolution', 0, $1)"


def upgrade(url: str, version: str) -> None:
    """Bring an empty database to an older version."""
    with migrations._ONE_AT_A_TIME:
        command.upgrade(migrations._config("tickets", url, None), version)


async def test_tickets_of_the_first_version_go_on(servers: Servers) -> None:
    admin_url = servers.postgres()
    admin = await asyncpg.connect(admin_url)
    await admin.execute("DROP DATABASE IF EXISTS tickets_of_old")
    await admin.execute("CREATE DATABASE tickets_of_old")
    url = with_database(admin_url, "tickets_of_old")
    try:
        await asyncio.to_thread(upgrade, url, "0001")
        old = await asyncpg.connect(url)
        await old.execute(OLD, NOON, NOON + HOUR)
        await old.execute(CLOCKS, NOON)
        await old.execute(PAUSE, NOON + HOUR)
        await old.close()

        await asyncio.to_thread(migrations.upgrade, "tickets", url)

        database = Database(url, pool_size=2, application_name="tests")
        async with database.transaction() as tx:
            tickets = await loading.load(tx, ["AS-W", "AS-N"])
            timers = {(row["subject"], row["kind"]): row["due_at"] for row in await tx.fetch("SELECT subject, kind, due_at FROM timer")}
            due = {row["number"]: row["next_due_at"] for row in await tx.fetch("SELECT number, next_due_at FROM ticket")}
        await database.close()
    finally:
        await admin.execute("DROP DATABASE tickets_of_old WITH (FORCE)")
        await admin.close()

    assert (tickets["AS-W"].status, tickets["AS-W"].waiting_since) == (Status.WAITING_CUSTOMER, NOON + HOUR)
    assert timers["AS-W", "remind"] == NOON + HOUR + 3 * DAY
    assert timers["AS-W", "give_up"] == NOON + HOUR + 7 * DAY
    assert ("AS-N", "remind") not in timers
    # its resolution stands still
    assert due == {"AS-W": NOON + timedelta(hours=4), "AS-N": NOON + timedelta(hours=4)}


async def test_teams_work_by_the_calendars_that_they_named_if_there_are_such(servers: Servers) -> None:
    admin_url = servers.postgres()
    admin = await asyncpg.connect(admin_url)
    await admin.execute("DROP DATABASE IF EXISTS teams_of_old")
    await admin.execute("CREATE DATABASE teams_of_old")
    url = with_database(admin_url, "teams_of_old")
    try:
        await asyncio.to_thread(upgrade, url, "0004")
        old = await asyncpg.connect(url)
        await old.execute(TEAMS)
        await old.close()

        await asyncio.to_thread(migrations.upgrade, "tickets", url)

        database = Database(url, pool_size=2, application_name="tests")
        async with database.transaction() as tx:
            levels, after = await service_levels(tx), clock.now() + DAY
            teams = {row["id"]: (row["version"], row["calendar"]) for row in await tx.fetch("SELECT id, version, calendar FROM team")}
            noted = await staff.changes(tx, TEAM, "lost", after=0, limit=9)
        await database.close()
    finally:
        await admin.execute("DROP DATABASE teams_of_old WITH (FORCE)")
        await admin.close()

    assert teams == {"by-day": (3, "always"), "lost": (4, None), "plain": (3, None)}
    assert [levels.team_calendar(team, after) for team in teams] == ["always", None, None]
    assert [(change.version, change.data) for change in noted] == [(4, {"calendar": None})]
    assert levels.promise(Case("repair", Priority.LOW, "standard"), NOON).hours.id == "always"
