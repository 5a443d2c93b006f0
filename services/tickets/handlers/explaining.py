"""Why a ticket's targets stand as they do, or would under another policy or priority, or in another team. Nothing is changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.tickets.sla import Case, Clock, Policy, Priority, Promise, ServiceLevels, TargetName
from services.tickets.store import loading, staff, views
from services.tickets.store.levels import service_levels
from services.tickets.store.staff import TEAM
from services.tickets.workflow.chronicle import Step, chronicle, supposed
from services.tickets.workflow.clocks import case
from services.tickets.workflow.ticket import Ticket
from shared.database import Transaction
from shared.errors import NotFound


@dataclass(frozen=True, slots=True)
class Supposition:
    """What if: another policy, or the policy of another priority, or the hours of another team. Nothing named: as it is."""

    policy: str | None = None
    version: int | None = None
    priority: Priority | None = None
    team: str | None = None


@dataclass(frozen=True, slots=True)
class Reckoning:
    """What an explanation is made of."""

    ticket: Ticket
    levels: ServiceLevels
    case: Case
    clocks: Mapping[TargetName, Clock]
    steps: Sequence[Step]
    is_supposed: bool


async def explain(tx: Transaction, number: str, asked: Supposition, at: datetime) -> Reckoning:
    """The reckoning of a ticket's targets.

    Raises:
        NotFound: there is no such policy, or no such team.
    """
    ticket = (await loading.load(tx, [number]))[number]
    levels = await service_levels(tx)
    if asked.team is not None and await staff.find(tx, TEAM, asked.team) is None:
        raise NotFound(f"There is no team {asked.team}.")
    is_now = case(ticket)
    chosen_by = is_now._replace(priority=asked.priority or is_now.priority, team=asked.team or is_now.team)
    if asked == Supposition():
        return Reckoning(ticket, levels, chosen_by, ticket.clocks, [*chronicle(await views.changes(tx, number))], is_supposed=False)
    policy = None if asked.policy is None else _policy(levels, asked)
    clocks = {
        target: clock
        for target, own in ticket.clocks.items()
        if (clock := supposed(ticket, target, _promise(levels, policy, chosen_by, own.started_at), at)) is not None
    }
    return Reckoning(ticket, levels, chosen_by, clocks, (), is_supposed=True)


def _policy(levels: ServiceLevels, asked: Supposition) -> Policy:
    policy = levels.policy(asked.policy or "", asked.version)
    if policy is None:
        raise NotFound(f"There is no policy {asked.policy} of that version.")
    return policy


def _promise(levels: ServiceLevels, policy: Policy | None, chosen_by: Case, started_at: datetime) -> Promise:
    return levels.promise(chosen_by, started_at) if policy is None else levels.under(policy, chosen_by.team, started_at)
