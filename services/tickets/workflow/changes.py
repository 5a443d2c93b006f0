"""What happened to a ticket, as facts from which it can be rebuilt: folding its changes in order gives the ticket.

A change is one row of the history. Its fact holds ids, codes, numbers and salted digests only, so that erasing the texts of a customer
leaves the history whole. Durations are milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import reduce
from typing import Final
from uuid import UUID

from services.tickets import sla
from services.tickets.sla import Clock, Priority, TargetName
from services.tickets.workflow.status import Action, Status
from services.tickets.workflow.ticket import Ticket


@dataclass(frozen=True, slots=True)
class Promise:
    """The budgets of both targets under one version of the policy."""

    policy_version: int
    first_response_ms: int
    resolution_ms: int


@dataclass(frozen=True, slots=True)
class Opened:
    """A request, or a low answer after the reopen window, became a ticket."""

    number: str
    series: str
    customer_id: UUID
    channel: str
    locale: str
    tier: str
    type: str | None
    priority: Priority
    product_model: str | None
    promise: Promise
    request_id: UUID | None
    digest: str | None
    linked_to: str | None
    category: str | None = None
    root_topic: str | None = None
    reference: str | None = None
    """The request's own service number where it is not the ticket's."""


@dataclass(frozen=True, slots=True)
class MessageAdded:
    """A further message of the customer."""

    request_id: UUID
    reference: str
    digest: str


@dataclass(frozen=True, slots=True)
class Replied:
    """Staff wrote: to the customer, or an internal note."""

    message_id: UUID
    digest: str
    public: bool


@dataclass(frozen=True, slots=True)
class Triaged:
    """A person said what it is and how soon it matters. ``promise`` is None when the targets stay as they are."""

    type: str
    priority: Priority
    category: str | None
    root_topic: str | None
    promise: Promise | None


@dataclass(frozen=True, slots=True)
class Assigned:
    """Someone took it."""

    assignee: str
    team: str | None


@dataclass(frozen=True, slots=True)
class StatusChanged:
    """A move without an event of its own. ``pauses``: the resolution clock stands still in the new status."""

    status: Status
    action: Action
    pauses: bool = False
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Resolved:
    """The solution was given."""

    resolution_code: str


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The customer said that it is solved."""


@dataclass(frozen=True, slots=True)
class Reopened:
    """The solution did not hold."""

    reason: str


@dataclass(frozen=True, slots=True)
class Closed:
    """The end."""

    reason: str


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The end without a solution."""

    reason: str


@dataclass(frozen=True, slots=True)
class Breached:
    """A due time passed; the change is dated at the due time."""

    target: TargetName


Fact = (
    Opened | MessageAdded | Replied | Triaged | Assigned | StatusChanged | Resolved | Confirmed | Reopened | Closed | Cancelled | Breached
)

NAMES: Final[dict[type[Fact], str]] = {
    Opened: "ticket.opened",
    MessageAdded: "ticket.message_added",
    Replied: "ticket.replied",
    Triaged: "ticket.triaged",
    Assigned: "ticket.assigned",
    StatusChanged: "ticket.status_changed",
    Resolved: "ticket.resolved",
    Confirmed: "ticket.confirmed",
    Reopened: "ticket.reopened",
    Closed: "ticket.closed",
    Cancelled: "ticket.cancelled",
    Breached: "sla.breached",
}
"""How the history calls each fact."""


@dataclass(frozen=True, slots=True)
class Change:
    """One fact about one ticket: the step to ``version``."""

    version: int
    at: datetime
    actor: str
    fact: Fact


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
        status=Status.NEW,
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
        team=None,
        assignee=None,
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
    return _apply(changed, change.fact, change.at)


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
            return replace(ticket, status=Status.CLOSED, closed_at=at)
        case Cancelled():
            stopped = replace(ticket, first_response=sla.stop(ticket.first_response, at), resolution=sla.stop(ticket.resolution, at))
            return replace(stopped, status=Status.CANCELLED, closed_at=at)
        case Breached(target=target):
            return _replace_clock(ticket, target, sla.announce_breach(ticket.clock(target)))
        case Opened():
            raise OutOfOrder(f"{ticket.number} is opened twice")


def _apply_progress(ticket: Ticket, fact: MessageAdded | Confirmed | StatusChanged | Assigned | Triaged, at: datetime) -> Ticket:
    match fact:
        case MessageAdded():
            return ticket
        case Confirmed():
            return replace(ticket, status=Status.CONFIRMED)
        case StatusChanged(status=status, pauses=pauses):
            resolution = sla.pause(ticket.resolution, at) if pauses else sla.resume(ticket.resolution, at)
            return replace(ticket, status=status, resolution=resolution)
        case Assigned(assignee=assignee, team=team):
            return replace(ticket, status=Status.ASSIGNED, assignee=assignee, team=team)
        case Triaged():
            return _triage(ticket, fact, at)


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
        status=Status.TRIAGED,
        type=fact.type,
        priority=fact.priority,
        category=fact.category,
        root_topic=fact.root_topic,
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
