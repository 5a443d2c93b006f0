"""Folding: the changes of a ticket, in order, give the ticket. Nothing else makes one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import reduce

from services.tickets import sla
from services.tickets.sla import Clock, TargetName
from services.tickets.workflow.changes import (
    Absorbed,
    Assigned,
    Breached,
    Cancelled,
    CaseFact,
    Change,
    Closed,
    Confirmed,
    Fact,
    Linked,
    Merged,
    MessageAdded,
    Opened,
    Reminded,
    Reopened,
    Replied,
    Resolved,
    StatusChanged,
    StepChanged,
    Triaged,
    Unmerged,
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
        first_response=Clock(change.at, _span(fact.promise.first_response_ms), fact.promise.policy_version),
        resolution=Clock(change.at, _span(fact.promise.resolution_ms), fact.promise.policy_version),
    )


def evolve(ticket: Ticket, change: Change) -> Ticket:
    """The ticket after one more change.

    Raises:
        OutOfOrder: it is not the next one.
    """
    if change.version != ticket.version + 1:
        raise OutOfOrder(f"{ticket.number}: version {change.version} after {ticket.version}")
    changed = replace(ticket, version=change.version, changed_at=max(ticket.changed_at, change.at))
    after = _apply(changed, change.fact, change.at)
    return after if after.status is ticket.status else _entered(after, change.at)


def _entered(ticket: Ticket, at: datetime) -> Ticket:
    """What begins with a status: work, once for all, and the time for which the customer is waited for, each time anew."""
    return replace(
        ticket,
        started_at=ticket.started_at or (at if ticket.status is Status.IN_PROGRESS else None),
        waiting_since=at if ticket.status is Status.WAITING_CUSTOMER else None,
        reminded_at=None,
    )


def _apply(ticket: Ticket, fact: Fact, at: datetime) -> Ticket:
    match fact:
        case MessageAdded() | Confirmed() | StatusChanged() | Assigned() | Triaged():
            return _apply_progress(ticket, fact, at)
        case Replied(public=public):
            return replace(ticket, first_response=sla.meet(ticket.first_response, at)) if public else ticket
        case Resolved(resolution_code=code):
            return _resolve(ticket, code, at)
        case Reopened():
            return replace(ticket, status=Status.ASSIGNED, closed_at=None, resolution=sla.restart(ticket.resolution))
        case Closed():
            return replace(_unsolved(ticket, at), status=Status.CLOSED, closed_at=at)
        case Cancelled():
            return replace(_stopped(ticket, at), status=Status.CANCELLED, closed_at=at)
        case Breached(target=target):
            return _replace_clock(ticket, target, sla.announce_breach(ticket.clock(target)))
        case Reminded() | StepChanged() | Merged() | Unmerged() | Absorbed() | Linked():
            return _apply_case(ticket, fact, at)
        case Opened():
            raise OutOfOrder(f"{ticket.number} is opened twice")


def _apply_case(ticket: Ticket, fact: CaseFact, at: datetime) -> Ticket:
    match fact:
        case Reminded():
            return replace(ticket, reminded_at=at)
        case StepChanged(step=step):
            return replace(ticket, step=step)
        case Merged(into=into):
            return replace(_stopped(ticket, at), status=Status.MERGED, closed_at=at, merged_into=into)
        case Unmerged(status=status, paused=paused):
            restored = replace(ticket, status=status, closed_at=None, merged_into=None)
            for target in TargetName:
                restored = _replace_clock(restored, target, sla.unstop(ticket.clock(target), paused=target in paused))
            return restored
        case Absorbed() | Linked():
            return ticket


def _stopped(ticket: Ticket, at: datetime) -> Ticket:
    """No open target counts any more."""
    for target in TargetName:
        ticket = _replace_clock(ticket, target, sla.stop(ticket.clock(target), at))
    return ticket


def _unsolved(ticket: Ticket, at: datetime) -> Ticket:
    """A ticket that is closed without a solution, because its customer does not answer, takes its targets out of every count."""
    return _stopped(ticket, at) if ticket.waiting_since is not None else ticket


def _apply_progress(ticket: Ticket, fact: MessageAdded | Confirmed | StatusChanged | Assigned | Triaged, at: datetime) -> Ticket:
    match fact:
        case MessageAdded():
            return ticket
        case Confirmed():
            return replace(ticket, status=Status.CONFIRMED)
        case StatusChanged(status=status, pauses=pauses):
            resolution = sla.pause(ticket.resolution, at) if pauses else sla.resume(ticket.resolution, at)
            return replace(ticket, status=status, resolution=resolution)
        case Assigned():
            return _assign(ticket, fact, at)
        case Triaged():
            return _triage(ticket, fact, at)


def _assign(ticket: Ticket, fact: Assigned, at: datetime) -> Ticket:
    assigned = replace(ticket, status=fact.status, assignee=fact.assignee, team=fact.team)
    # whoever gets what waits for something goes on waiting
    return assigned if fact.status is ticket.status else replace(assigned, resolution=sla.resume(ticket.resolution, at))


def _resolve(ticket: Ticket, code: str, at: datetime) -> Ticket:
    return replace(
        ticket,
        status=Status.RESOLVED,
        episode=ticket.episode + 1,
        resolution_code=code,
        first_resolved_at=ticket.first_resolved_at or at,
        resolved_at=at,
        resolution=sla.meet(ticket.resolution, at),
    )


def _triage(ticket: Ticket, fact: Triaged, at: datetime) -> Ticket:
    triaged = replace(
        ticket,
        status=Status.TRIAGED if ticket.status is Status.NEW else ticket.status,
        type=fact.type,
        priority=fact.priority,
        category=fact.category,
        root_topic=fact.root_topic,
        # the steps of another kind of service say nothing about this one
        step=ticket.step if fact.type == ticket.type else None,
    )
    if fact.promise is None:
        return triaged
    version = fact.promise.policy_version
    return replace(
        triaged,
        first_response=sla.retarget(ticket.first_response, _span(fact.promise.first_response_ms), version, at),
        resolution=sla.retarget(ticket.resolution, _span(fact.promise.resolution_ms), version, at),
    )


def _replace_clock(ticket: Ticket, target: TargetName, clock: Clock) -> Ticket:
    if target is TargetName.FIRST_RESPONSE:
        return replace(ticket, first_response=clock)
    return replace(ticket, resolution=clock)


def _span(milliseconds: int) -> timedelta:
    return timedelta(milliseconds=milliseconds)
