"""Whose turn it is: among the agents of a team who are at work, able and below their capacity, the one who was given work longest ago."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from heapq import heapify, heapreplace
from typing import Final, NamedTuple

from services.tickets.assignment.staff import Agent, Presence, Work

_NEVER: Final = datetime.min.replace(tzinfo=UTC)


class Verdict(StrEnum):
    """Why an agent is given a ticket, or is not."""

    CHOSEN = "chosen"
    INACTIVE = "inactive"
    AWAY = "away"
    OFFLINE = "offline"
    GAVE_IT_AWAY = "gave_it_away"
    """He had it, or put it back into the queue: it is somebody else's turn."""
    OTHER_TIER = "other_tier"
    """He is there for customers of other tiers."""
    SKILL_MISSING = "skill_missing"
    AT_CAPACITY = "at_capacity"
    NOT_DEDICATED = "not_dedicated"
    """He could have it, but there are agents for just this tier."""
    LATER_TURN = "later_turn"


@dataclass(frozen=True, slots=True)
class Line:
    """Who of a team may be given one kind of work, whoever's turn it is; the verdicts are those while nobody is chosen."""

    agents: tuple[Agent, ...]
    is_dedicated: bool
    verdicts: Mapping[str, Verdict]


class Turn(NamedTuple):
    """The agent, None where nobody can have it, and the line out of which he was chosen."""

    agent: str | None
    line: Line


def line(
    work: Work, agents: Iterable[Agent], *, needed: Collection[str] = (), loads: Mapping[str, int], without: Collection[str] = ()
) -> Line:
    """Compare the agents of one team; ``without`` those who gave the ticket away, ``loads`` being the open tickets of each agent."""
    known = {agent.id: agent for agent in agents}
    verdicts = {id: _verdict(agent, work, needed, loads.get(id, 0), without) for id, agent in sorted(known.items())}
    able = [known[id] for id, verdict in verdicts.items() if verdict is Verdict.LATER_TURN]
    dedicated = [agent for agent in able if agent.tiers]
    if dedicated:
        verdicts.update({agent.id: Verdict.NOT_DEDICATED for agent in able if not agent.tiers})
    return Line(tuple(dedicated or able), bool(dedicated), verdicts)


class Turns:
    """The turns of a line, one after the other, each found without asking everybody again."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._waiting = [(agent.given_at or _NEVER, agent.id) for agent in line.agents]
        heapify(self._waiting)

    def turn(self, given: Mapping[str, datetime]) -> Turn:
        """Whose turn it is, after those who were ``given`` something meanwhile, and when."""
        waiting = self._waiting
        if not waiting:
            return Turn(None, self._line)
        # whoever was given something comes later than he stands here
        while given.get(waiting[0][1], waiting[0][0]) != waiting[0][0]:
            heapreplace(waiting, (given[waiting[0][1]], waiting[0][1]))
        return Turn(waiting[0][1], self._line)


def _verdict(agent: Agent, work: Work, needed: Collection[str], load: int, without: Collection[str]) -> Verdict:
    """The verdict on one agent before those who are able are compared."""
    if not agent.is_at_work:
        return _ABSENT[agent.presence] if agent.is_active else Verdict.INACTIVE
    if agent.id in without:
        return Verdict.GAVE_IT_AWAY
    if agent.tiers and work.tier not in agent.tiers:
        return Verdict.OTHER_TIER
    if not agent.skills.issuperset(needed):
        return Verdict.SKILL_MISSING
    if agent.capacity is not None and load >= agent.capacity:
        return Verdict.AT_CAPACITY
    return Verdict.LATER_TURN


_ABSENT: Final = {Presence.AWAY: Verdict.AWAY, Presence.OFFLINE: Verdict.OFFLINE}
