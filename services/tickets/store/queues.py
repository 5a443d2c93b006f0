"""The queues of the teams: who waits, how long, and in which order they are handed out; and the timers that see to it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import uuid4

import asyncpg

from services.tickets.assignment.queue import Waiting
from services.tickets.assignment.staff import Work
from services.tickets.models.expressions import OPEN_NOW, PRIORITY_RANK, TIER_RANK, WAITING
from shared import clock, timers
from shared.database import Transaction
from shared.timers import Timer

HAND_OUT: Final = "hand_out"
"""Timer of a team: somebody waits, or somebody can take more. Whoever makes a match possible sets it in his own transaction."""
TAKE_BACK: Final = "take_back"
"""Timer of an agent: he has gone, and what he has goes back into its queue."""

_TEAM: Final = "team:"
_AGENT: Final = "agent:"


@dataclass(frozen=True, slots=True)
class QueueRecord:
    """One team's queue as it is now."""

    team: str
    name: str
    active: bool
    waiting: int
    by_priority: Mapping[str, int]
    oldest_opened_at: datetime | None
    at_work: int
    """Agents of the team who can be given work."""


# ------------------------------------------------------------------ reading


async def page(tx: Transaction, *, after: str, limit: int, team: str | None = None) -> list[QueueRecord]:
    """Queues in the order of their teams, after that one; or the one of a team."""
    rows = await tx.fetch(
        f"""
        SELECT t.id, t.name, t.active, q.priority, q.waiting, q.oldest,
               (SELECT count(*) FROM agent a WHERE a.teams @> ARRAY[t.id] AND a.active AND a.presence = 'present') AS at_work
          FROM (SELECT id, name, active FROM team WHERE id > $1 AND ($3::text IS NULL OR id = $3) ORDER BY id LIMIT $2) t
          LEFT JOIN LATERAL (SELECT priority, count(*) AS waiting, min(opened_at) AS oldest
                               FROM ticket WHERE team = t.id AND {WAITING} GROUP BY priority) q ON true
         ORDER BY t.id
        """,
        after,
        limit,
        team,
    )
    found: dict[str, list[asyncpg.Record]] = {}
    for row in rows:
        found.setdefault(row["id"], []).append(row)
    return [_queue(rows) for rows in found.values()]


def _queue(rows: list[asyncpg.Record]) -> QueueRecord:
    by_priority = {row["priority"]: row["waiting"] for row in rows if row["priority"] is not None}
    oldest = min((row["oldest"] for row in rows if row["oldest"] is not None), default=None)
    first = rows[0]
    return QueueRecord(first["id"], first["name"], first["active"], sum(by_priority.values()), by_priority, oldest, first["at_work"])


_PLACE: Final = f"{PRIORITY_RANK}, {TIER_RANK}, opened_at, number"
_COLUMNS: Final = "number, type, channel, tier, category, priority, opened_at"


Place = tuple[int, int, datetime, str]


async def waiting(tx: Transaction, team: str, *, after: Place | None, limit: int) -> list[Waiting]:
    """The next of a queue, in the order in which they are handed out, after that place."""
    beyond = "" if after is None else f"AND ({_PLACE}) > ($3, $4, $5, $6)"
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM ticket WHERE team = $1 AND {WAITING} {beyond} ORDER BY {_PLACE} LIMIT $2", team, limit, *(after or ())
    )
    return [_waiting(row) for row in rows]


def _waiting(row: asyncpg.Record) -> Waiting:
    work = Work(row["type"], row["channel"], row["tier"], row["category"])
    return Waiting(row["number"], work, row["priority"], row["opened_at"])


async def open_of_agent(tx: Transaction, agent: str, of_teams: Collection[str] | None, limit: int) -> list[str]:
    """Numbers of open tickets of an agent, in some teams or in all."""
    rows = await tx.fetch(
        f"SELECT number FROM ticket WHERE assignee = $1 AND {OPEN_NOW} AND ($2::text[] IS NULL OR team = ANY($2)) ORDER BY number LIMIT $3",
        agent,
        None if of_teams is None else list(of_teams),
        limit,
    )
    return [row["number"] for row in rows]


# ------------------------------------------------------------------ timers


# each timer has a subject of its own, so that nobody who sets one waits for somebody else who does, or who is working it off


async def arm_hand_out(tx: Transaction, teams: Collection[str], due_at: datetime | None = None) -> None:
    """Have the queues of these teams handed out as soon as this transaction has committed."""
    await timers.arm(tx, [_timer(HAND_OUT, _TEAM, team, due_at) for team in teams])


async def arm_take_back(tx: Transaction, agent: str, due_at: datetime | None = None) -> None:
    """Have the tickets of an agent who has gone looked through as soon as this transaction has committed."""
    await timers.arm(tx, [_timer(TAKE_BACK, _AGENT, agent, due_at)])


def _timer(kind: str, prefix: str, id: str, due_at: datetime | None) -> Timer:
    return Timer(kind, f"{prefix}{id}#{uuid4().hex}", 0, due_at or clock.now())


def is_of_staff(subject: str) -> bool:
    """Whether a timer is about a team or an agent."""
    return subject.startswith((_TEAM, _AGENT))


def teams_of(subjects: Collection[str]) -> list[str]:
    """The teams among the subjects of timers."""
    return sorted({subject.removeprefix(_TEAM).partition("#")[0] for subject in subjects if subject.startswith(_TEAM)})


def agents_of(subjects: Collection[str]) -> list[str]:
    """The agents among the subjects of timers."""
    return sorted({subject.removeprefix(_AGENT).partition("#")[0] for subject in subjects if subject.startswith(_AGENT)})


async def teams_that_can_go_on(tx: Transaction, agents: Collection[str]) -> list[str]:
    """Teams of those agents who are at work and have a limit: one of their tickets less may mean that one is given to them."""
    if not agents:
        return []
    rows = await tx.fetch(
        """
        SELECT DISTINCT unnest(teams) AS team FROM agent
         WHERE id = ANY($1) AND capacity IS NOT NULL AND active AND presence = 'present'
        """,
        list(agents),
    )
    return [row["team"] for row in rows]
