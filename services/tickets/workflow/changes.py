"""What happened to a ticket, as facts from which it can be rebuilt (`evolution.py`).

A change is one row of the history. Its fact holds ids, codes, numbers and salted digests only, so that erasing the texts of a customer
leaves the history whole. A promise is kept there as the ids of its policy and calendar, with the budgets that they gave.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from services.tickets.sla import Priority, Promise, TargetName
from services.tickets.sla.values import often_made
from services.tickets.workflow.status import Action, LinkKind, Status


@often_made(frozen=True, slots=True)
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
    team: str | None = None
    assignee: str | None = None
    assignment: str | None = None
    """How the assignee was found."""
    entered_by: str = "customer"
    """Who wrote the request down."""


@dataclass(frozen=True, slots=True)
class MessageAdded:
    """A further message of the customer. ``next_response`` is what holds for the clock that it starts; None when it starts none."""

    request_id: UUID
    reference: str
    digest: str
    thanks: bool = False
    """Nothing but thanks."""
    matched_by: str | None = None
    """Why it is this ticket's: a code of `matching.py`."""
    written_at: datetime | None = None
    """When he wrote it, where that is not when it joined."""
    next_response: Promise | None = None


@dataclass(frozen=True, slots=True)
class Replied:
    """Staff wrote: to the customer, or an internal note."""

    message_id: UUID
    digest: str
    public: bool


@dataclass(frozen=True, slots=True)
class Triaged:
    """A person said what it is and how soon it matters. A promise is None when its targets stay as they are."""

    type: str
    priority: Priority
    category: str | None
    root_topic: str | None
    promise: Promise | None
    next_response: Promise | None = None


@dataclass(frozen=True, slots=True)
class Assigned:
    """Someone took it or was given it; without an assignee it waits in the team's queue. ``code`` is how, ``reason`` why.

    Another team may work in other hours: then there are other promises for what is still open. None where they stay as they are.
    """

    assignee: str | None
    team: str | None
    status: Status = Status.ASSIGNED
    code: str | None = None
    reason: str | None = None
    promise: Promise | None = None
    next_response: Promise | None = None


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
class Warned:
    """A due time is close; the change is dated at the moment that the policy says."""

    target: TargetName


@dataclass(frozen=True, slots=True)
class Breached:
    """A due time passed; the change is dated at the due time."""

    target: TargetName


@dataclass(frozen=True, slots=True)
class Escalated:
    """Somebody higher has to look: 1 the lead, 2 the manager."""

    level: int
    reason: str
    target: TargetName | None = None


@dataclass(frozen=True, slots=True)
class Retargeted:
    """Service levels were changed with effect on clocks that had started, or (``tier``) the customer was graded anew.

    ``promise`` is for the targets that started with the ticket; None where it stays as it is.
    """

    promise: Promise | None
    next_response: Promise | None = None
    tier: str | None = None


@dataclass(frozen=True, slots=True)
class Reminded:
    """The customer was asked once more for the answer that the ticket waits for."""


@dataclass(frozen=True, slots=True)
class StepChanged:
    """The service is a step further, or had to go back to one."""

    step: str


@dataclass(frozen=True, slots=True)
class Merged:
    """Another ticket goes on for both. For the undoing: the status before, and the targets whose clocks stood still."""

    into: str
    status: Status
    paused: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unmerged:
    """It stands by itself again, as it was."""

    parted_from: str
    status: Status
    paused: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Absorbed:
    """Another ticket was merged into this one, or (``removed``) parted from it."""

    number: str
    removed: bool = False


@dataclass(frozen=True, slots=True)
class Linked:
    """It has to do with another ticket, or (``removed``) no longer."""

    other: str
    kind: LinkKind
    removed: bool = False


ClockFact = Warned | Breached | Escalated | Retargeted

CaseFact = Reminded | StepChanged | Merged | Unmerged | Absorbed | Linked

Fact = (
    CaseFact
    | Opened
    | MessageAdded
    | Replied
    | Triaged
    | Assigned
    | StatusChanged
    | Resolved
    | Confirmed
    | Reopened
    | Closed
    | Cancelled
    | ClockFact
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
    Warned: "sla.warned",
    Breached: "sla.breached",
    Escalated: "ticket.escalated",
    Retargeted: "sla.retargeted",
    Reminded: "ticket.reminded",
    StepChanged: "ticket.step_changed",
    Merged: "ticket.merged",
    Unmerged: "ticket.unmerged",
    Absorbed: "ticket.absorbed",
    Linked: "ticket.linked",
}
"""How the history calls each fact."""


class Change(NamedTuple):
    """One fact about one ticket: the step to ``version``."""

    version: int
    at: datetime
    actor: str
    fact: Fact
