"""Assignment behind all doors: who gets what a transaction opens, and what follows from what it changed.

A queue holds only what nobody can be given. So whoever makes a match possible (a ticket joins a queue, an agent comes to work or has room
again) sets the team's timer in his own transaction; once he has committed, the timer hands the queue out. Nothing else has to be locked
for that, and no wake-up is lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from services.tickets.assignment.roster import Decision, Roster
from services.tickets.assignment.routing import route
from services.tickets.assignment.staff import Team, Work
from services.tickets.sla import ServiceLevels
from services.tickets.store import assignments, queues, saving
from services.tickets.store.assignments import Assignment
from services.tickets.store.levels import service_levels
from services.tickets.store.saving import Particulars
from services.tickets.workflow.actions import queued, record
from services.tickets.workflow.changes import Assigned, Change, Opened
from services.tickets.workflow.clocks import in_the_hours_of_its_team
from services.tickets.workflow.commands import SYSTEM
from services.tickets.workflow.docket import Docket
from services.tickets.workflow.opening import Place
from services.tickets.workflow.status import DONE, OPEN, Status
from services.tickets.workflow.ticket import Ticket
from shared.database import Transaction

HOLDER_GONE = "holder_gone"
REROUTED = "rerouted"
"""It turned out to be, or became, another team's."""


@dataclass
class Assigning:
    """The decisions of one transaction."""

    roster: Roster = field(default_factory=Roster)
    decisions: dict[str, Decision] = field(default_factory=dict)
    """By ticket."""

    def place(self, number: str, work: Work, at: datetime) -> Place:
        """Decide whose a fresh ticket is."""
        if not self.roster.teams:
            return Place()
        decision = self.decisions[number] = self.roster.place(work, at)
        return Place(decision.team, decision.agent, decision.code)


def work_of(ticket: Ticket) -> Work:
    """What assignment looks at of a ticket."""
    return Work(ticket.type, ticket.channel, ticket.tier, ticket.category)


async def prepare(tx: Transaction, expected: Iterable[Work]) -> Assigning:
    """Lock and load the staff who may be given the expected work. Tickets have been locked before, or will be new."""
    teams = await assignments.teams(tx)
    if not teams:
        return Assigning()
    wanted = {route(work, teams).team for work in set(expected)} - {None}
    return Assigning(await assignments.roster(tx, teams, [team for team in wanted if team is not None]))


async def save(tx: Transaction, docket: Docket, particulars: Mapping[str, Particulars], assigning: Assigning | None = None) -> None:
    """Write everything that happened to the tickets, whose they are now and why, and have queues handed out that this changed."""
    assigning = assigning or Assigning()
    await _let_go(tx, docket)
    await saving.save(tx, docket, particulars)
    await assignments.insert(tx, _assignments(docket.history, assigning.decisions))
    await assignments.save_given(tx, assigning.roster.given)
    changed = docket.changed()
    joined = {after.team for after in docket.fresh() if after.is_queued}
    joined |= {after.team for before, after in changed if after.is_queued and _where_and_what(before) != _where_and_what(after)}
    relieved = {before.assignee for before, after in changed if _is_relief(before, after)}
    teams = await queues.teams_that_can_go_on(tx, [agent for agent in relieved if agent])
    await queues.arm_hand_out(tx, sorted({team for team in joined if team} | set(teams)))


def _where_and_what(ticket: Ticket) -> tuple[bool, str | None, Work]:
    """Another queue, and other needs, may mean that somebody can have it."""
    return ticket.is_queued, ticket.team, work_of(ticket)


def _is_relief(before: Ticket, after: Ticket) -> bool:
    """Whether somebody has one open ticket less."""
    return before.status in OPEN and (after.status not in OPEN or after.assignee != before.assignee)


# ------------------------------------------------------------------ consequences


async def _let_go(tx: Transaction, docket: Docket) -> None:
    """A reopened ticket whose agent has gone waits in the queue, and what turns out to be another team's waits in that one's."""
    changed = docket.changed()
    reopened = [after for before, after in changed if before.status in DONE and after.status in OPEN and after.assignee]
    renamed = [after for before, after in changed if _is_nobodys(before) and _is_nobodys(after) and work_of(before) != work_of(after)]
    if not reopened and not renamed:
        return
    teams, levels = await assignments.teams(tx), await service_levels(tx)
    holders = await assignments.agents_by_id(tx, {ticket.assignee for ticket in reopened if ticket.assignee})
    for ticket in reopened:
        holder = holders.get(ticket.assignee or "")
        # whom nobody registered is nobody's to judge: without configured staff everything stays with whoever had it
        if holder and not (holder.is_active and (ticket.team in holder.teams or ticket.team is None)):
            release(docket, ticket, teams, HOLDER_GONE, levels)
    for ticket in renamed:
        team = route(work_of(ticket), teams).team
        if team not in (None, ticket.team):
            fact = in_the_hours_of_its_team(ticket, queued(ticket, team, REROUTED), levels)
            docket.record(*record(ticket, fact, by=SYSTEM, at=ticket.changed_at))


def _is_nobodys(ticket: Ticket) -> bool:
    return ticket.assignee is None and ticket.status in (Status.NEW, Status.TRIAGED)


def release(docket: Docket, ticket: Ticket, teams: Sequence[Team], reason: str, levels: ServiceLevels, at: datetime | None = None) -> None:
    """Put a ticket back into its team's queue."""
    fact = in_the_hours_of_its_team(ticket, queued(ticket, queue_of(ticket, teams), reason), levels)
    docket.record(*record(ticket, fact, by=SYSTEM, at=max(ticket.changed_at, at or ticket.changed_at)))


def queue_of(ticket: Ticket, teams: Sequence[Team]) -> str | None:
    """The team in whose queue a ticket waits: its own while there is one, else the one that takes such tickets."""
    active = {team.id for team in teams if team.is_active}
    return ticket.team if ticket.team in active or not teams else route(work_of(ticket), teams).team


# ------------------------------------------------------------------ reasons


def _assignments(history: Sequence[tuple[str, Change]], decisions: Mapping[str, Decision]) -> list[Assignment]:
    found = []
    for number, change in history:
        match change.fact:
            case Opened(team=str(team), assignee=agent, assignment=code):
                reason = None
            case Assigned(team=team, assignee=agent, code=code, reason=reason):
                pass
            case _:
                continue
        decision = decisions.get(number)
        if decision and (decision.team, decision.agent) != (team, agent):
            decision = None
        found.append(Assignment(number, change.version, change.at, change.actor, team, agent, code, reason, decision))
    return found
