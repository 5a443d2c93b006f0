"""Staff for tests: values for deciding, and people put into a database or behind the REST door."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx

from services.tickets.assignment.roster import Decision, Roster
from services.tickets.assignment.staff import Agent, Presence, Skill, Team, Work
from services.tickets.handlers import staff as handler
from services.tickets.store.staff import AGENT, SKILL, TEAM, AgentRecord, SkillRecord, TeamRecord
from services.tickets.timers import create_timers
from shared import clock
from shared.database import Database
from shared.runtime import AnyRuntime
from shared.timers import TimerLoop
from tests.tickets.builders import NOON

DESK = "service-desk"


# ------------------------------------------------------------------ values


def an_agent(id: str, *teams: str, **changes: Any) -> Agent:
    """Somebody at work in the service desk, unless said otherwise."""
    given: dict[str, Any] = {"teams": teams or (DESK,), "presence": Presence.PRESENT}
    return Agent(id, **(given | changes))


def a_team(id: str = DESK, **changes: Any) -> Team:
    """A team; lists become sets."""
    return Team(id, **{name: frozenset(value) if isinstance(value, list) else value for name, value in changes.items()})


def a_skill(id: str, **changes: Any) -> Skill:
    """A skill; lists become sets."""
    return Skill(id, **{name: frozenset(value) if isinstance(value, list) else value for name, value in changes.items()})


def work(**changes: Any) -> Work:
    """A repair that came over the web, of a standard customer."""
    given: dict[str, Any] = {"type": "repair", "channel": "web", "tier": "standard"}
    return Work(**(given | changes))


def a_roster(*agents: Agent, teams: Sequence[Team] = (), skills: Sequence[Skill] = (), loads: dict[str, int] | None = None) -> Roster:
    """These agents in the service desk, unless other teams are named."""
    return Roster(teams or [a_team()], skills, agents, loads)


def placed(roster: Roster, **changes: Any) -> Decision:
    """Where one more ticket goes."""
    return roster.place(work(**changes), NOON)


# ------------------------------------------------------------------ in the database


async def add_team(database: Database, id: str = DESK, **changes: Any) -> TeamRecord:
    """A team, as a lead adds it."""
    given: dict[str, Any] = {
        "name": id.title(),
        "types": (),
        "channels": (),
        "tiers": (),
        "calendar": None,
        "distribution": "round_robin",
        "when_offline": "keep",
    }
    async with database.transaction() as tx:
        return await handler.create(tx, TEAM, TeamRecord(id, **(given | changes)), by="lead-1", at=clock.now())


async def add_skill(database: Database, id: str, *, types: tuple[str, ...] = (), categories: tuple[str, ...] = ()) -> SkillRecord:
    """A skill, as a lead adds it."""
    async with database.transaction() as tx:
        return await handler.create(tx, SKILL, SkillRecord(id, id.title(), types, categories), by="lead-1", at=clock.now())


async def add_agent(database: Database, id: str, *teams: str, presence: Presence = Presence.PRESENT, **changes: Any) -> AgentRecord:
    """Somebody, as a lead adds him; in the service desk and at work, unless said otherwise."""
    given: dict[str, Any] = {
        "name": f"Name of {id}",
        "position": None,
        "teams": teams or (DESK,),
        "skills": (),
        "tiers": (),
        "capacity": None,
        "presence": presence.value,
        "presence_at": clock.now(),
    }
    async with database.transaction() as tx:
        return await handler.create(tx, AGENT, AgentRecord(id, **(given | changes)), by="lead-1", at=clock.now())


async def set_presence(database: Database, id: str, presence: Presence) -> None:
    """He comes or goes."""
    async with database.transaction() as tx:
        await handler.set_presence(tx, id, presence, by=id, at=clock.now())


async def change_agent(database: Database, id: str, **fields: Any) -> None:
    """A lead changes somebody."""
    async with database.transaction() as tx:
        version = (await handler.locked(tx, AGENT, id)).version
        await handler.change(tx, AGENT, id, fields, by="lead-1", version=version, at=clock.now())


async def change_team(database: Database, id: str, **fields: Any) -> None:
    """A lead changes a team."""
    async with database.transaction() as tx:
        version = (await handler.locked(tx, TEAM, id)).version
        await handler.change(tx, TEAM, id, fields, by="lead-1", version=version, at=clock.now())


async def timers_fire(database: Database, runtime: AnyRuntime) -> int:
    """Everything that is due now, until nothing is; how many timers."""
    loop = TimerLoop(database, create_timers(runtime))
    fired = 0
    while some := await loop.round():
        fired += some
    return fired


# ------------------------------------------------------------------ behind the door


async def put_presence(caller: httpx.AsyncClient, agent: str, presence: str) -> httpx.Response:
    """Say whether somebody is at work."""
    return await caller.put(f"/v1/agents/{agent}/presence", json={"presence": presence})
