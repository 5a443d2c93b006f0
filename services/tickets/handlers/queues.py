"""What the clock brings to queues: a team's queue is handed out, and what an agent has who is gone comes back to it.

A team's timer is set by whoever makes a match possible (see `assigning.py`), an agent's when he goes. Both find out by themselves what is
to be done now: a timer too many costs a look.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from services.tickets.assignment.roster import Roster
from services.tickets.assignment.staff import Agent, Distribution, Presence, Team, WhenOffline
from services.tickets.handlers.assigning import Assigning, queue_of, release, work_of
from services.tickets.sla import ServiceLevels
from services.tickets.store import assignments, loading, queues
from services.tickets.workflow.actions import queued, record
from services.tickets.workflow.changes import Assigned
from services.tickets.workflow.clocks import in_the_hours_of_its_team
from services.tickets.workflow.commands import SYSTEM
from services.tickets.workflow.docket import Docket
from services.tickets.workflow.status import Status
from services.tickets.workflow.ticket import Ticket
from shared import clock
from shared.database import Transaction
from shared.timers import Timer

PAGE: Final = 200
"""Tickets looked at together; at most so many change hands in one transaction and team."""
AGAIN: Final = timedelta(seconds=1)
"""When to look again at what somebody else had locked."""

HOLDER_LEFT: Final = "holder_left"
HOLDER_OFFLINE: Final = "holder_offline"
TEAM_DISSOLVED: Final = "team_dissolved"


async def lock(tx: Transaction, subjects: Sequence[str]) -> list[str]:
    """Lock what timers are about: tickets that nobody else has locked, then agents, who are waited for."""
    of_staff = [subject for subject in subjects if queues.is_of_staff(subject)]
    locked = await loading.lock_idle(tx, [subject for subject in subjects if not queues.is_of_staff(subject)])
    if of_staff:
        await assignments.lock_at_work(tx, queues.teams_of(subjects), also=queues.agents_of(subjects))
    return [*locked, *of_staff]


def apart(timers: Sequence[Timer]) -> tuple[list[Timer], list[Timer]]:
    """The timers of tickets, and those of teams and agents."""
    of_staff = [timer for timer in timers if queues.is_of_staff(timer.subject)]
    return [timer for timer in timers if not queues.is_of_staff(timer.subject)], of_staff


async def see_to(tx: Transaction, docket: Docket, timers: Sequence[Timer], levels: ServiceLevels) -> Assigning:
    """Take back and hand out what these timers are about. The agents are locked by this transaction."""
    if not timers:
        return Assigning()
    teams, now = await assignments.teams(tx), clock.now()
    subjects = [timer.subject for timer in timers]
    for agent in (await assignments.agents_by_id(tx, queues.agents_of(subjects))).values():
        await _take_back(tx, docket, teams, agent, levels, now)
    due = queues.teams_of(subjects)
    assigning = Assigning(await assignments.roster(tx, teams, due, idle=True))
    for team in due:
        if team in assigning.roster.teams:
            await _see_to_queue(tx, docket, assigning, assigning.roster.teams[team], levels, now)
    return assigning


# ------------------------------------------------------------------ coming back


async def _take_back(tx: Transaction, docket: Docket, teams: Sequence[Team], agent: Agent, levels: ServiceLevels, now: datetime) -> None:
    if agent.is_active and agent.presence is not Presence.OFFLINE:
        return  # he is back
    of_teams = [team.id for team in teams if team.when_offline is WhenOffline.QUEUE] if agent.is_active else None
    numbers = await queues.open_of_agent(tx, agent.id, of_teams, PAGE)
    tickets, skipped = await _locked(tx, docket, numbers)
    for ticket in tickets:
        if ticket.assignee == agent.id:
            release(docket, ticket, teams, HOLDER_OFFLINE if agent.is_active else HOLDER_LEFT, levels, now)
    if skipped or len(numbers) == PAGE:
        await queues.arm_take_back(tx, agent.id, now + AGAIN)


async def _locked(tx: Transaction, docket: Docket, numbers: Sequence[str]) -> tuple[list[Ticket], bool]:
    """Put on the docket what nobody else has locked, in this order; and whether there was anything else."""
    locked = set(await loading.lock_idle(tx, numbers))
    docket.add(await loading.load(tx, locked))
    return [docket[number] for number in numbers if number in locked], len(locked) < len(numbers)


# ------------------------------------------------------------------ going out


async def _see_to_queue(tx: Transaction, docket: Docket, assigning: Assigning, team: Team, levels: ServiceLevels, now: datetime) -> None:
    """Look through the queue until so many went out, or nobody can be given anything, or its end."""
    roster, out, after, skipped = assigning.roster, 0, None, False
    while out < PAGE and (not team.is_active or _gives_out(roster, team)):
        page = await queues.waiting(tx, team.id, after=after, limit=PAGE)
        tickets, some = await _locked(tx, docket, [waiting.number for waiting in page])
        skipped |= some
        queued_here = [ticket for ticket in tickets if ticket.is_queued and ticket.team == team.id]
        if team.is_active:
            out += await _hand_out(tx, docket, assigning, queued_here, now)
        else:
            out += _dissolve(docket, roster, queued_here, levels, now)
        if len(page) < PAGE:
            break
        after = page[-1].place
    if skipped or out >= PAGE:
        await queues.arm_hand_out(tx, [team.id], now + AGAIN)


def _gives_out(roster: Roster, team: Team) -> bool:
    return team.distribution is Distribution.ROUND_ROBIN and roster.has_room(team.id)


async def _hand_out(tx: Transaction, docket: Docket, assigning: Assigning, tickets: Sequence[Ticket], now: datetime) -> int:
    """Give each ticket to whose turn it is; how many found somebody."""
    gave_away = await assignments.gave_away(tx, [ticket.number for ticket in tickets])
    found = 0
    for ticket in tickets:
        without = {gave_away[ticket.number]} if ticket.number in gave_away else set()
        decision = assigning.roster.place(work_of(ticket), now, team=ticket.team, without=without)
        if decision.agent is None:
            continue
        found += 1
        assigning.decisions[ticket.number] = decision
        fact = Assigned(decision.agent, decision.team, Status.ASSIGNED, decision.code)
        docket.record(*record(ticket, fact, by=SYSTEM, at=max(now, ticket.changed_at)))
    return found


def _dissolve(docket: Docket, roster: Roster, tickets: Sequence[Ticket], levels: ServiceLevels, now: datetime) -> int:
    """The team is no more: each ticket goes to the queue of the team that takes such tickets now."""
    teams, moved = list(roster.teams.values()), 0
    for ticket in tickets:
        team = queue_of(ticket, teams)
        if team not in (None, ticket.team):
            moved += 1
            fact = in_the_hours_of_its_team(ticket, queued(ticket, team, TEAM_DISSOLVED), levels)
            docket.record(*record(ticket, fact, by=SYSTEM, at=max(now, ticket.changed_at)))
    return moved
