"""Folding: the changes of a ticket, in order, give the ticket. Nothing else makes one."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import reduce

from services.tickets.sla import Clock
from services.tickets.workflow import clocks
from services.tickets.workflow.changes import (
    Absorbed,
    Assigned,
    Breached,
    Cancelled,
    CaseFact,
    Change,
    Closed,
    Confirmed,
    Escalated,
    Fact,
    Linked,
    Merged,
    MessageAdded,
    Opened,
    Reminded,
    Reopened,
    Replied,
    Resolved,
    Retargeted,
    StatusChanged,
    StepChanged,
    Triaged,
    Unmerged,
    Warned,
)
from services.tickets.workflow.status import Status
from services.tickets.workflow.ticket import Ticket


class OutOfOrder(Exception):
    """The changes are not those of one ticket, in order and without a hole. A bug or a damaged history, never a caller's fault."""


def replay(changes: Iterable[Change]) -> Ticket:
    """Rebuild a ticket from its whole history.

    Raises:
        OutOfOrder: the history does not begin with the opening, or has a hole.
    """
    first, *rest = changes
    return reduce(evolve, rest, opened(first))


def opened(change: Change) -> Ticket:
    """The ticket that the first change made."""
    fact = change.fact
    if change.version != 1 or not isinstance(fact, Opened):
        raise OutOfOrder(f"version {change.version} is a {type(fact).__name__}, not an opening")
    return Ticket(
        number=fact.number,
        series=fact.series,
        version=1,
        status=Status.ASSIGNED if fact.assignee else Status.NEW,
        customer_id=fact.customer_id,
        channel=fact.channel,
        locale=fact.locale,
        tier=fact.tier,
        type=fact.type,
        step=None,
        priority=fact.priority,
        category=fact.category,
        root_topic=fact.root_topic,
        product_model=fact.product_model,
        batch=None,
        team=fact.team,
        assignee=fact.assignee,
        opened_at=change.at,
        changed_at=change.at,
        episode=0,
        resolution_code=None,
        first_resolved_at=None,
        resolved_at=None,
        closed_at=None,
        linked_to=fact.linked_to,
        first_response=Clock(change.at, fact.promise.policy.first_response, fact.promise),
        resolution=Clock(change.at, fact.promise.policy.resolution, fact.promise),
        entered_by=fact.entered_by,
    )


def evolve(ticket: Ticket, change: Change) -> Ticket:
    """The ticket after one more change.

    Raises:
        OutOfOrder: it is not the next one.
    """
    if change.version != ticket.version + 1:
        raise OutOfOrder(f"{ticket.number}: version {change.version} after {ticket.version}")
    changed = ticket._replace(version=change.version, changed_at=max(ticket.changed_at, change.at))
    after = _apply(changed, change.fact, change.at)
    return after if after.status is ticket.status else _entered(after, change.at)


def _entered(ticket: Ticket, at: datetime) -> Ticket:
    """What begins with a status: work, once for all, and the time for which the customer is waited for, each time anew."""
    return ticket._replace(
        started_at=ticket.started_at or (at if ticket.status is Status.IN_PROGRESS else None),
        waiting_since=at if ticket.status is Status.WAITING_CUSTOMER else None,
        reminded_at=None,
    )


def _apply(ticket: Ticket, fact: Fact, at: datetime) -> Ticket:
    match fact:
        case MessageAdded() | Confirmed() | StatusChanged() | Assigned() | Triaged():
            return _apply_progress(ticket, fact, at)
        case Replied(public=public):
            return clocks.answered(ticket, at) if public else ticket
        case Resolved(resolution_code=code):
            return _resolve(ticket, code, at)
        case Reopened():
            return clocks.reopened(ticket)._replace(status=Status.ASSIGNED, closed_at=None)
        case Closed():
            return _unsolved(ticket, at)._replace(status=Status.CLOSED, closed_at=at)
        case Cancelled():
            return clocks.stopped(ticket, at)._replace(status=Status.CANCELLED, closed_at=at)
        case Warned() | Breached() | Escalated() | Retargeted():
            return clocks.apply(ticket, fact, at)
        case Reminded() | StepChanged() | Merged() | Unmerged() | Absorbed() | Linked():
            return _apply_case(ticket, fact, at)
        case Opened():
            raise OutOfOrder(f"{ticket.number} is opened twice")


def _apply_case(ticket: Ticket, fact: CaseFact, at: datetime) -> Ticket:
    match fact:
        case Reminded():
            return ticket._replace(reminded_at=at)
        case StepChanged(step=step):
            return ticket._replace(step=step)
        case Merged(into=into):
            return clocks.stopped(ticket, at)._replace(status=Status.MERGED, closed_at=at, merged_into=into)
        case Unmerged(status=status, paused=paused):
            return clocks.unmerged(ticket, paused)._replace(status=status, closed_at=None, merged_into=None)
        case Absorbed() | Linked():
            return ticket


def _unsolved(ticket: Ticket, at: datetime) -> Ticket:
    """A ticket that is closed without a solution, because its customer does not answer, takes its targets out of every count."""
    return clocks.stopped(ticket, at) if ticket.waiting_since is not None else ticket


def _apply_progress(ticket: Ticket, fact: MessageAdded | Confirmed | StatusChanged | Assigned | Triaged, at: datetime) -> Ticket:
    match fact:
        case MessageAdded():
            return clocks.message_added(ticket, fact, at)
        case Confirmed():
            return ticket._replace(status=Status.CONFIRMED)
        case StatusChanged(status=status, pauses=pauses):
            return clocks.status_changed(ticket, pauses=pauses, at=at)._replace(status=status)
        case Assigned():
            return _assign(ticket, fact, at)
        case Triaged():
            return _triage(ticket, fact, at)


def _assign(ticket: Ticket, fact: Assigned, at: datetime) -> Ticket:
    assigned = ticket._replace(status=fact.status, assignee=fact.assignee, team=fact.team)
    # whoever gets what waits for something goes on waiting
    moved = assigned if fact.status is ticket.status else clocks.status_changed(assigned, pauses=False, at=at)
    return clocks.repromised(moved, fact, at)


def _resolve(ticket: Ticket, code: str, at: datetime) -> Ticket:
    return clocks.resolved(ticket, at)._replace(
        status=Status.RESOLVED,
        episode=ticket.episode + 1,
        resolution_code=code,
        first_resolved_at=ticket.first_resolved_at or at,
        resolved_at=at,
    )


def _triage(ticket: Ticket, fact: Triaged, at: datetime) -> Ticket:
    triaged = ticket._replace(
        status=Status.TRIAGED if ticket.status is Status.NEW else ticket.status,
        type=fact.type,
        priority=fact.priority,
        category=fact.category,
        root_topic=fact.root_topic,
        # the steps of another kind of service say nothing about this one
        step=ticket.step if fact.type == ticket.type else None,
    )
    return clocks.repromised(triaged, fact, at)
