"""The staff as assignment decides on them, and what it decided.

Agents are locked after tickets and before timers, in the order of their ids. Who can be given work now is locked by whoever gives it, so
that two transactions never see the same turn or the same free place.

Verdicts are kept once, however many tickets they are about, and for ever. They are written after the timers of tickets, in the order of
their digests. Two transactions can write the same ones at once, and one waits, only where nobody is at work: whoever is, is locked.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from operator import attrgetter
from typing import Final

import asyncpg

from services.tickets.assignment.roster import Decision, Roster
from services.tickets.assignment.routing import TeamVerdict
from services.tickets.assignment.staff import Agent, Distribution, Presence, Skill, Team, WhenOffline
from services.tickets.assignment.turns import Verdict
from services.tickets.models.expressions import OPEN_NOW
from shared.database import Transaction, from_json, to_json


@dataclass(frozen=True, slots=True)
class Assignment:
    """Whose a ticket became with one of its versions, and the decision behind it, if there was one to take."""

    number: str
    version: int
    at: datetime
    actor: str
    team: str | None
    agent: str | None
    code: str | None
    reason: str | None
    decision: Decision | None = None


# ------------------------------------------------------------------ staff


async def teams(tx: Transaction) -> list[Team]:
    """All teams."""
    rows = await tx.fetch("SELECT id, types, channels, tiers, distribution, when_offline, active FROM team")
    return [_team(row) for row in rows]


async def skills(tx: Transaction) -> list[Skill]:
    """All skills."""
    rows = await tx.fetch("SELECT id, types, categories, active FROM skill")
    return [Skill(row["id"], frozenset(row["types"]), frozenset(row["categories"]), row["active"]) for row in rows]


async def lock_at_work(tx: Transaction, of_teams: Collection[str], also: Collection[str] = (), *, idle: bool = False) -> set[str]:
    """Lock those who can be given work of these teams, and some others whatever their state; ids of those who are at work.

    ``idle``: only those whom nobody else has locked.
    """
    rows = await tx.fetch(
        f"""
        SELECT id, active AND presence = 'present' AS at_work FROM agent
         WHERE (teams && $1 AND active AND presence = 'present') OR id = ANY($2) ORDER BY id FOR UPDATE {"SKIP LOCKED" if idle else ""}
        """,
        list(of_teams),
        list(also),
    )
    return {row["id"] for row in rows if row["at_work"]}


async def agents(tx: Transaction, of_teams: Collection[str], *, at_work: Collection[str]) -> list[Agent]:
    """The active agents of these teams. Whoever came to work since the others were locked still counts as absent."""
    rows = await tx.fetch(f"{_AGENTS} WHERE teams && $1 AND active", list(of_teams))
    found = [_agent(row) for row in rows]
    return [agent if agent.id in at_work or agent.presence is not Presence.PRESENT else _absent(agent) for agent in found]


async def agents_by_id(tx: Transaction, ids: Collection[str]) -> dict[str, Agent]:
    """These agents, as far as they are known."""
    rows = await tx.fetch(f"{_AGENTS} WHERE id = ANY($1)", list(ids)) if ids else []
    return {row["id"]: _agent(row) for row in rows}


_AGENTS: Final = "SELECT id, teams, skills, tiers, capacity, presence, active, given_at FROM agent"
"""In the order of the fields of `Agent`."""


async def loads(tx: Transaction, ids: Collection[str]) -> dict[str, int]:
    """How many open tickets each agent has."""
    if not ids:
        return {}
    rows = await tx.fetch(f"SELECT assignee, count(*) AS load FROM ticket WHERE assignee = ANY($1) AND {OPEN_NOW} GROUP BY 1", list(ids))
    return {row["assignee"]: row["load"] for row in rows}


async def roster(tx: Transaction, known: Sequence[Team], of_teams: Collection[str], *, idle: bool = False) -> Roster:
    """The staff of these teams, with those locked who can be given work; ``idle``: whom somebody else has locked counts as absent."""
    at_work = await lock_at_work(tx, of_teams, idle=idle)
    members = await agents(tx, of_teams, at_work=at_work)
    limited = [agent.id for agent in members if agent.capacity is not None and agent.is_at_work]
    return Roster(known, await skills(tx), members, await loads(tx, limited))


async def save_given(tx: Transaction, given: Mapping[str, datetime]) -> None:
    """Note when agents, whom this transaction has locked, were given work."""
    if not given:
        return
    await tx.execute(
        "UPDATE agent a SET given_at = u.given_at FROM unnest($1::text[], $2::timestamptz[]) u(id, given_at) WHERE a.id = u.id",
        list(given),
        list(given.values()),
    )


def _team(row: asyncpg.Record) -> Team:
    return Team(
        row["id"],
        frozenset(row["types"]),
        frozenset(row["channels"]),
        frozenset(row["tiers"]),
        Distribution(row["distribution"]),
        WhenOffline(row["when_offline"]),
        row["active"],
    )


def _agent(row: asyncpg.Record) -> Agent:
    id, teams, skills, tiers, capacity, presence, is_active, given_at = row
    return Agent(id, tuple(teams), frozenset(skills), frozenset(tiers), capacity, _PRESENCE[presence], is_active, given_at)


_PRESENCE: Final = {str(presence): presence for presence in Presence}


def _absent(agent: Agent) -> Agent:
    return agent._replace(presence=Presence.OFFLINE)


# ------------------------------------------------------------------ assignments


async def insert(tx: Transaction, assignments: Sequence[Assignment]) -> None:
    """Keep assignments with their reasons."""
    if not assignments:
        return
    decisions = [each.decision or _NONE for each in assignments]
    lines = await _keep_lines(tx, decisions)
    rows = [
        (*_of_assignment(each), *_reasons(decision), lines.get(id(decision.verdicts)))
        for each, decision in zip(assignments, decisions, strict=True)
    ]
    await tx.copy("assignment", _COLUMNS, rows)


_NONE: Final = Decision()
_COPIED: Final = ("number", "version", "at", "actor", "team", "agent", "code", "reason")
_COLUMNS: Final = (*_COPIED, "needed", "teams", "line")
_of_assignment: Final = attrgetter(*_COPIED)


def _reasons(decision: Decision) -> tuple[list[str] | None, str]:
    return list(decision.needed) or None, to_json(dict(decision.teams))


async def _keep_lines(tx: Transaction, decisions: Sequence[Decision]) -> dict[int, bytes]:
    """Have the verdicts of these decisions kept; the digest of each mapping of them, by its identity."""
    # nearly all decisions of a batch share one mapping, which may be long
    mappings = {id(decision.verdicts): decision.verdicts for decision in decisions if decision.verdicts}
    if not mappings:
        return {}
    texts = {key: canonical(verdicts) for key, verdicts in mappings.items()}
    digests = {key: digest(text) for key, text in texts.items()}
    rows = await tx.fetch("SELECT digest FROM assignment_line WHERE digest = ANY($1::bytea[])", list(digests.values()))
    there = {row["digest"] for row in rows}
    await _insert_lines(tx, {digests[key]: text for key, text in texts.items() if digests[key] not in there})
    return digests


async def _insert_lines(tx: Transaction, lines: Mapping[bytes, str]) -> None:
    if not lines:
        return
    ordered = sorted(lines)
    await tx.execute(
        "INSERT INTO assignment_line (digest, verdicts) SELECT * FROM unnest($1::bytea[], $2::jsonb[]) ON CONFLICT DO NOTHING",
        ordered,
        [lines[key] for key in ordered],
    )


def canonical(verdicts: Mapping[str, Verdict]) -> str:
    """One text for the same verdicts, in whatever order they stand."""
    return to_json(dict(sorted(verdicts.items())))


def digest(text: str) -> bytes:
    """What verdicts are found by."""
    return blake2b(text.encode(), digest_size=16).digest()


async def of_ticket(tx: Transaction, number: str) -> list[Assignment]:
    """The ticket's assignments, oldest first."""
    rows = await tx.fetch(
        """
        SELECT number, version, at, actor, team, agent, code, reason, needed, teams, coalesce(l.verdicts, a.candidates) AS verdicts
          FROM assignment a LEFT JOIN assignment_line l ON l.digest = a.line WHERE number = $1 ORDER BY version
        """,
        number,
    )
    return [_assignment(row) for row in rows]


async def gave_away(tx: Transaction, numbers: Collection[str]) -> dict[str, str]:
    """Who put each of these tickets back into its queue last."""
    rows = await tx.fetch(
        """
        SELECT DISTINCT ON (number) number, actor, code FROM assignment WHERE number = ANY($1) ORDER BY number, version DESC
        """,
        list(numbers),
    )
    return {row["number"]: row["actor"] for row in rows if row["code"] == "queued"}


def _assignment(row: asyncpg.Record) -> Assignment:
    decision = Decision(
        team=row["team"],
        agent=row["agent"],
        code=row["code"],
        needed=tuple(row["needed"] or ()),
        teams={id: TeamVerdict(verdict) for id, verdict in from_json(row["teams"]).items()},
        verdicts={id: Verdict(verdict) for id, verdict in (from_json(row["verdicts"]) or {}).items()},
    )
    copied = {name: row[name] for name in _COPIED}
    return Assignment(**copied, decision=decision)
