"""Valid tickets, requests and policies for tests; every argument has a sensible default."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from services.tickets.sla import Policy, Priority, ServiceLevels
from services.tickets.sla.calendar import AROUND_THE_CLOCK
from services.tickets.workflow.actions import advance
from services.tickets.workflow.changes import Change
from services.tickets.workflow.commands import Actor, Cancel, Close, Command, Confirm, Resolve, Start, Take, Triage, Wait
from services.tickets.workflow.evolution import opened
from services.tickets.workflow.opening import Request, open_request
from services.tickets.workflow.status import Cause, Role, Status
from services.tickets.workflow.ticket import Ticket
from shared.events.intake import CustomerRegistered, Product, RequestReceived

NOON: Final = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
MILLISECOND: Final = timedelta(milliseconds=1)


def a_policy(priority: Priority | None, first_response: timedelta, resolution: timedelta, **changes: Any) -> Policy:
    """A policy around the clock that warns nobody."""
    given: dict[str, Any] = {
        "id": f"standard-{priority}",
        "version": 1,
        "calendar": "always",
        "first_response": first_response,
        "next_response": first_response,
        "resolution": resolution,
        "priority": priority,
    }
    return Policy(**(given | changes))


POLICY: Final = ServiceLevels(
    1,
    [
        a_policy(Priority.LOW, 8 * HOUR, 5 * DAY),
        a_policy(Priority.NORMAL, 4 * HOUR, 3 * DAY),
        a_policy(Priority.HIGH, HOUR, DAY),
        a_policy(Priority.URGENT, HOUR / 4, 4 * HOUR),
    ],
    [AROUND_THE_CLOCK],
)
"""The service levels that the migrations leave, but for warnings and escalations."""

AGENT: Final = Actor("ak-agent", Role.AGENT)
OTHER_AGENT: Final = Actor("ak-other", Role.AGENT)
LEAD: Final = Actor("ak-lead", Role.LEAD)

CUSTOMER_ID: Final = UUID("7b1d0d0e-5c0c-4a51-8d0a-0a6f5a1f0001")


def a_request(**changes: Any) -> Request:
    """A request without its words."""
    given: dict[str, Any] = {
        "request_id": uuid4(),
        "reference": "AS-20261125-7K3F9Q4",
        "customer_id": CUSTOMER_ID,
        "channel": "web",
        "locale": "en",
        "tier": "standard",
        "type": "repair",
        "product_model": "WM-8000",
        "digest": "d1",
    }
    return Request(**(given | changes))


def an_opening(at: datetime = NOON, **changes: Any) -> Change:
    """The first change of a ticket."""
    return open_request(a_request(**changes), at, POLICY)


def a_ticket(status: Status = Status.NEW, *, at: datetime = NOON, **changes: Any) -> Ticket:
    """A ticket that reached ``status`` on the shortest way, all at ``at``."""
    return a_history(status, at=at, **changes)[0]


def a_history(status: Status = Status.NEW, *, at: datetime = NOON, **changes: Any) -> tuple[Ticket, list[Change]]:
    """The same with everything that happened."""
    opening = an_opening(at, **changes)
    ticket, history = opened(opening), [opening]
    for command, actor in WAYS[status]:
        ticket, more = advance(ticket, command, by=actor, at=at, policy=POLICY)
        history += more
    return ticket, history


def act(ticket: Ticket, command: Command, at: datetime = NOON, by: Actor = AGENT) -> Ticket:
    """The ticket after one action."""
    return advance(ticket, command, by=by, at=at, policy=POLICY)[0]


def request_received(**changes: Any) -> RequestReceived:
    """What intake publishes for one request."""
    given: dict[str, Any] = {
        "occurred_at": NOON,
        "request_id": uuid4(),
        "reference": a_reference(),
        "customer_id": uuid4(),
        "channel": "web",
        "type": "repair",
        "locale": "en",
        "subject": "The machine does not spin",
        "text": "It hums, then stops.",
        "product": Product(model="WM-8000", serial_number="SN-1"),
        "received_at": NOON,
        "completeness": 1.0,
    }
    return RequestReceived(**(given | changes))


def customer_registered(**changes: Any) -> CustomerRegistered:
    """What intake publishes for a new customer."""
    given: dict[str, Any] = {"occurred_at": NOON, "customer_id": uuid4(), "name": "Li Wei", "locale": "zh-CN"}
    return CustomerRegistered(**(given | changes))


def a_reference() -> str:
    """A service number that no other test has."""
    return f"AS-20261125-{uuid4().hex[:7].upper()}"


_WORK: Final[list[tuple[Command, Actor]]] = [(Take(), AGENT), (Start(), AGENT)]
_DONE: Final[list[tuple[Command, Actor]]] = [*_WORK, (Resolve("repaired"), AGENT)]

WAYS: Final[dict[Status, list[tuple[Command, Actor]]]] = {
    Status.NEW: [],
    Status.TRIAGED: [(Triage(priority=Priority.NORMAL), AGENT)],
    Status.ASSIGNED: [(Take(), AGENT)],
    Status.IN_PROGRESS: _WORK,
    Status.WAITING_CUSTOMER: [*_WORK, (Wait(Cause.CUSTOMER), AGENT)],
    Status.WAITING_PARTS: [*_WORK, (Wait(Cause.PARTS), AGENT)],
    Status.WAITING_THIRD_PARTY: [*_WORK, (Wait(Cause.THIRD_PARTY), AGENT)],
    Status.RESOLVED: _DONE,
    Status.CONFIRMED: [*_DONE, (Confirm(), AGENT)],
    Status.CLOSED: [*_DONE, (Close("staff"), LEAD)],
    Status.CANCELLED: [(Cancel("withdrawn"), AGENT)],
}
"""Shortest way to each status that an action leads to."""
