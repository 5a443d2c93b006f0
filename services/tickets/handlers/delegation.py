"""What staff ask about whose a ticket is, made complete: who is the new holder, may he have it, is the old one there to be asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from services.tickets.assignment.roster import HANDED_OVER, Roster
from services.tickets.assignment.staff import Agent, Team
from services.tickets.handlers.assigning import Assigning, queue_of, work_of
from services.tickets.store import assignments
from services.tickets.workflow.actions import TransitionRefused, allowed
from services.tickets.workflow.commands import Actor, Command, Delegation, HandOver, Queue, Take, TakeOver
from services.tickets.workflow.status import Action
from services.tickets.workflow.ticket import Ticket
from shared.database import Transaction
from shared.errors import Invalid

AGENT_INACTIVE = "agent_inactive"


async def complete(
    tx: Transaction, assigning: Assigning, ticket: Ticket, asked: Command | Delegation, *, by: Actor, at: datetime
) -> Command:
    """The command with everything that the workflow does not know by itself.

    Raises:
        Invalid: a team or an agent that there is not.
        TransitionRefused: who asks has left.
    """
    match asked:
        case Take():
            return await _take(tx, ticket, asked, by, at)
        case TakeOver():
            holder = (await assignments.agents_by_id(tx, [ticket.assignee])).get(ticket.assignee) if ticket.assignee else None
            return replace(asked, holder_is_present=holder is not None and holder.is_at_work)
        case Queue():
            return replace(asked, team=queue_of(ticket, await assignments.teams(tx)))
        case Delegation(agent=str(agent)):
            return await _hand_to_agent(tx, assigning, ticket, asked, agent, at)
        case Delegation(team=team):
            return await _hand_to_team(tx, assigning, ticket, asked, team or "", at)
        case _:
            return asked


async def _take(tx: Transaction, ticket: Ticket, asked: Take, by: Actor, at: datetime) -> Take:
    teams = await assignments.teams(tx)
    _demand_team(asked.team, teams)
    taker = (await assignments.agents_by_id(tx, [by.id])).get(by.id)
    if taker is not None and not taker.is_active:
        raise TransitionRefused(ticket, Action.TAKE, AGENT_INACTIVE, allowed(ticket, by, at))
    home = taker.teams[0] if taker and taker.teams else None
    return replace(asked, team=asked.team or ticket.team or home)


def _demand_team(team: str | None, teams: Sequence[Team]) -> None:
    """Once there are teams, a ticket goes to one of them."""
    if team is not None and teams and team not in {known.id for known in teams if known.is_active}:
        raise Invalid.field("#/params/team", "unknown_team", f"There is no active team {team}.")


async def _hand_to_agent(tx: Transaction, assigning: Assigning, ticket: Ticket, asked: Delegation, agent_id: str, at: datetime) -> HandOver:
    teams = await assignments.teams(tx)
    _demand_team(asked.team, teams)
    await assignments.lock_at_work(tx, [], also=[agent_id])
    agent = (await assignments.agents_by_id(tx, [agent_id])).get(agent_id)
    if agent is None:
        raise Invalid.field("#/params/agent", "unknown_agent", f"There is no agent {agent_id}.")
    if asked.team is not None and asked.team not in agent.teams:
        raise Invalid.field("#/params/team", "not_in_team", f"{agent_id} is not in the team {asked.team}.")
    assigning.roster = Roster(agents=[agent])
    assigning.roster.give(agent.id, at)
    obstacle = None if agent.is_active else AGENT_INACTIVE
    return HandOver(agent.id, asked.team or _team_of(agent, ticket), HANDED_OVER, asked.reason, obstacle)


def _team_of(agent: Agent, ticket: Ticket) -> str | None:
    """The ticket stays with its team if the new holder is one of it; else it goes with him to his home."""
    return ticket.team if ticket.team in agent.teams or not agent.teams else agent.teams[0]


async def _hand_to_team(tx: Transaction, assigning: Assigning, ticket: Ticket, asked: Delegation, team: str, at: datetime) -> HandOver:
    teams = await assignments.teams(tx)
    if team not in {known.id for known in teams if known.is_active}:
        raise Invalid.field("#/params/team", "unknown_team", f"There is no active team {team}.")
    assigning.roster = await assignments.roster(tx, teams, [team])
    without = {ticket.assignee} if ticket.assignee else set()
    decision = assigning.roster.place(work_of(ticket), at, team=team, without=without)
    assigning.decisions[ticket.number] = decision
    return HandOver(decision.agent, team, HANDED_OVER, asked.reason)
