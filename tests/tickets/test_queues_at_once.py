"""Everybody at once: batches, timers, people who come, go, take, hand over and solve. No deadlock, no double, nobody above his capacity."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from services.tickets.assignment.staff import Presence
from services.tickets.handlers import desk
from services.tickets.settings import TicketsSettings
from services.tickets.store import views
from services.tickets.workflow.actions import TransitionRefused
from services.tickets.workflow.commands import Actor, Command, Delegation, Queue, Resolve, Take, TakeOver
from services.tickets.workflow.evolution import replay
from services.tickets.workflow.status import Role
from shared import clock
from shared.database import Database
from shared.errors import Invalid, Stale
from shared.runtime import AnyRuntime, Runtime
from tests.tickets.builders import request_received
from tests.tickets.observation import numbers, take_in, ticket
from tests.tickets.staffing import add_agent, add_team, set_presence, timers_fire

pytestmark = pytest.mark.postgres

AGENTS = ("ann", "bob", "cid", "dan")
TEAMS = ("repairs", "returns")


@pytest.fixture
def runtime(tickets_database: Database) -> AnyRuntime:
    values: dict[str, Any] = {"database_url": "postgresql://not-used/", "signing_key": "k" * 40}
    return Runtime.for_tests(tickets_database, TicketsSettings(**values))


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_everybody_at_once(tickets_database: Database, runtime: AnyRuntime, seed: int) -> None:
    chance = random.Random(seed)
    await add_team(tickets_database, "repairs", types=("repair",))
    await add_team(tickets_database, "returns", types=("return",), when_offline="queue")
    for id in AGENTS:
        teams = list(TEAMS)
        chance.shuffle(teams)
        await add_agent(tickets_database, id, *teams, capacity=4)
    batches = [[request_received(type=chance.choice(("repair", "return")), occurred_at=clock.now()) for _ in range(2)] for _ in range(10)]
    known = [request.reference for batch in batches for request in batch]

    async def somebody_acts() -> None:
        by = Actor(chance.choice(AGENTS), chance.choice((Role.AGENT, Role.LEAD)))
        command: Command | Delegation = chance.choice(
            [Take(), TakeOver("expertise"), Queue(), Resolve("repaired"), Delegation(team=chance.choice(TEAMS)), Delegation(agent="ann")]
        )
        number = chance.choice(known)
        if number not in await numbers(tickets_database):
            return
        version = (await ticket(tickets_database, number)).version
        try:
            async with tickets_database.transaction() as tx:
                await desk.act(tx, number, command, by=by, version=version, at=clock.now())
        except (TransitionRefused, Stale, Invalid):
            pass

    async def somebody_comes_or_goes() -> None:
        await set_presence(tickets_database, chance.choice(AGENTS), chance.choice(list(Presence)))

    async with asyncio.TaskGroup() as at_once:
        for batch in batches:
            at_once.create_task(take_in(tickets_database, *batch))
            at_once.create_task(timers_fire(tickets_database, runtime))
            at_once.create_task(somebody_comes_or_goes())
            for _ in range(4):
                at_once.create_task(somebody_acts())
    for id in AGENTS:
        await set_presence(tickets_database, id, Presence.PRESENT)
    await timers_fire(tickets_database, runtime)

    assert await numbers(tickets_database) == sorted(known)
    async with tickets_database.transaction() as tx:
        for number in known:
            assert replay(await views.changes(tx, number)) == await ticket(tickets_database, number)
        given = await tx.fetch("SELECT number, version FROM assignment ORDER BY number, version")
        told = await tx.fetch(
            "SELECT number, version FROM history WHERE type = 'ticket.assigned' OR data->>'team' IS NOT NULL ORDER BY number, version"
        )
    assert given == told, "each change of hands has its reasons"


async def test_nobody_who_takes_nothing_himself_is_ever_above_his_capacity(tickets_database: Database, runtime: AnyRuntime) -> None:
    await add_team(tickets_database, "repairs", types=("repair",))
    for id in AGENTS:
        await add_agent(tickets_database, id, "repairs", capacity=3, presence=Presence.OFFLINE)

    async with asyncio.TaskGroup() as at_once:
        for turn in range(8):
            at_once.create_task(take_in(tickets_database, *(request_received(occurred_at=clock.now()) for _ in range(3))))
            at_once.create_task(set_presence(tickets_database, AGENTS[turn % len(AGENTS)], Presence.PRESENT))
            at_once.create_task(timers_fire(tickets_database, runtime))
    await timers_fire(tickets_database, runtime)

    async with tickets_database.transaction() as tx:
        rows = await tx.fetch("SELECT assignee, count(*) AS n FROM ticket GROUP BY 1")
    assert {row["assignee"]: row["n"] for row in rows} == {"ann": 3, "bob": 3, "cid": 3, "dan": 3, None: 12}
