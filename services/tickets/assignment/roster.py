"""The staff of one transaction. It decides ticket after ticket, and each decision counts for the next one: who was given work, how much."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from services.tickets.assignment.routing import Route, TeamVerdict, route
from services.tickets.assignment.staff import Agent, Distribution, Skill, Team, Work
from services.tickets.assignment.turns import Turn, Turns, Verdict, line

ROUND_ROBIN: Final = "round_robin"
DEDICATED: Final = "dedicated"
"""The agent is there for customers of just this tier."""
HANDED_OVER: Final = "handed_over"

_TICK: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Decision:
    """Whose a ticket is, and why. Without an agent it waits in the team's queue; without a team nobody takes it."""

    team: str | None = None
    agent: str | None = None
    code: str | None = None
    """How the agent was found; None without one."""
    needed: tuple[str, ...] = ()
    """Skills that the ticket needs."""
    teams: Mapping[str, TeamVerdict] = field(default_factory=dict)
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    """On each agent of the team, where one was looked for, before one was chosen: for very many tickets the same, and then one mapping."""

    @property
    def candidates(self) -> Mapping[str, Verdict]:
        """Verdict on each agent of the team, where one was looked for."""
        if self.agent is None or self.agent not in self.verdicts:
            return self.verdicts
        return {**self.verdicts, self.agent: Verdict.CHOSEN}


class Roster:
    """Teams, skills and agents as they are now, ``loads`` being the open tickets of those who have a capacity."""

    def __init__(
        self, teams: Iterable[Team] = (), skills: Iterable[Skill] = (), agents: Iterable[Agent] = (), loads: Mapping[str, int] | None = None
    ) -> None:
        self.teams: dict[str, Team] = {team.id: team for team in teams}
        self.skills: dict[str, Skill] = {skill.id: skill for skill in skills}
        self.agents: dict[str, Agent] = {agent.id: agent for agent in agents}
        self._loads: dict[str, int] = dict(loads or {})
        self._given: dict[str, datetime] = {}
        self._routes: dict[Work, Route] = {}
        self._turns: dict[tuple[str, str, tuple[str, ...]], Turns] = {}
        """Of each team, for work of each tier that needs the same; asked for very often, so they are kept while they hold."""
        self._newest = max((agent.given_at for agent in self.agents.values() if agent.given_at is not None), default=None)

    @property
    def given(self) -> Mapping[str, datetime]:
        """Who was given work in this transaction, and when for the last time."""
        return self._given

    def place(self, work: Work, at: datetime, *, team: str | None = None, without: Collection[str] = ()) -> Decision:
        """Find a team, unless one is given, and in it the agent whose turn it is."""
        teams: Mapping[str, TeamVerdict] = {}
        if team is None:
            found = self._route(work)
            team, teams = found.team, found.verdicts
        if team is None:
            return Decision(teams=teams)
        needed = self.needed(work)
        chosen, line = self._turn(team, work, needed, without)
        if chosen is None or self.teams[team].distribution is Distribution.BY_HAND or not self.teams[team].is_active:
            return Decision(team, needed=needed, teams=teams, verdicts=line.verdicts)
        self.give(chosen, at)
        return Decision(team, chosen, DEDICATED if line.is_dedicated else ROUND_ROBIN, needed, teams, line.verdicts)

    def _route(self, work: Work) -> Route:
        found = self._routes.get(work)
        if found is None:
            found = self._routes[work] = route(work, self.teams.values())
        return found

    def _turn(self, team: str, work: Work, needed: tuple[str, ...], without: Collection[str]) -> Turn:
        if without:
            return self._line(team, work, needed, without).turn(self._given)
        key = team, work.tier, needed
        found = self._turns.get(key)
        if found is None:
            found = self._turns[key] = self._line(team, work, needed)
        return found.turn(self._given)

    def _line(self, team: str, work: Work, needed: tuple[str, ...], without: Collection[str] = ()) -> Turns:
        return Turns(line(work, self.members(team), needed=needed, loads=self._loads, without=without))

    def needed(self, work: Work) -> tuple[str, ...]:
        """Skills without which the work cannot be done."""
        return tuple(sorted(skill.id for skill in self.skills.values() if skill.is_needed(work)))

    def members(self, team: str) -> list[Agent]:
        """The agents of a team."""
        return [agent for agent in self.agents.values() if team in agent.teams]

    def has_room(self, team: str) -> bool:
        """Whether anybody of the team can be given anything."""
        return any(
            agent.is_at_work and (agent.capacity is None or self._loads.get(agent.id, 0) < agent.capacity) for agent in self.members(team)
        )

    def give(self, id: str, at: datetime) -> None:
        """Note that an agent was given a ticket: everybody else of this roster comes before him now."""
        at = at if self._newest is None else max(at, self._newest + _TICK)
        self._newest = at
        self._given[id] = at
        load = self._loads[id] = self._loads.get(id, 0) + 1
        if load == self.agents[id].capacity:
            self._turns.clear()  # another verdict on him, and perhaps on others
