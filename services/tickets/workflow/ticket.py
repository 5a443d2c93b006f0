"""A ticket as a value for deciding. What only people read (subject, texts, serial number) stays in the database."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from services.tickets import sla
from services.tickets.sla import Clock, TargetName
from services.tickets.workflow.status import DONE, Status

REOPEN_WINDOW: Final = timedelta(days=7)
"""After the last resolve, both ends included: how long a solution may turn out not to hold. Afterwards a new, linked ticket is opened."""

REMIND_AFTER: Final = timedelta(days=3)
"""How long a ticket waits for the customer before he is reminded."""

GIVE_UP_AFTER: Final = timedelta(days=7)
"""How long a ticket waits for the customer before it is closed without his answer."""

CLOSE: Final = "close"
"""Name of the deadline at which the reopen window ends."""
REMIND: Final = "remind"
"""Name of the deadline at which the customer is reminded; the deadlines of targets are named after them."""
RETARGET: Final = "retarget"
"""Name of the timer at which changed service levels reach a ticket. Whoever changes them sets it, so it is no deadline of the ticket."""
GIVE_UP: Final = "give_up"
"""Name of the deadline at which nobody waits for the customer's answer any longer."""


class Ticket(NamedTuple):
    """The state after ``version`` changes. A tuple, because it is made anew with each of them: so that takes a fifth of the time."""

    number: str
    series: str
    """Number of the first ticket on this matter: its own, unless it was opened as a linked one."""
    version: int
    status: Status
    customer_id: UUID
    channel: str
    locale: str
    tier: str
    type: str | None
    step: str | None
    priority: sla.Priority
    category: str | None
    root_topic: str | None
    product_model: str | None
    batch: str | None
    team: str | None
    assignee: str | None
    opened_at: datetime
    changed_at: datetime
    """Time of the newest change; a later change is never dated before it."""
    episode: int
    """How many times it was resolved."""
    resolution_code: str | None
    first_resolved_at: datetime | None
    resolved_at: datetime | None
    """The last resolve: "service completed"."""
    closed_at: datetime | None
    linked_to: str | None
    first_response: Clock
    resolution: Clock
    next_response: Clock | None = None
    """Of the oldest unanswered message, or the last one that was answered; None before the first."""
    entered_by: str = "customer"
    """Who wrote the request down: customer, bot, agent or system."""
    contacted_at: datetime | None = None
    """First public message of staff on a ticket that an agent entered: it tells what was written down and answers nothing yet."""
    escalation: int = 0
    """How high it was escalated: 1 the lead, 2 the manager."""
    started_at: datetime | None = None
    """When somebody first began to work on it."""
    waiting_since: datetime | None = None
    """Since when it waits for the customer; None while it does not."""
    reminded_at: datetime | None = None
    """When the customer was reminded of this waiting."""
    merged_into: str | None = None
    """The ticket that goes on for both; itself perhaps merged into a third one."""

    @property
    def window_ends_at(self) -> datetime | None:
        """Last moment at which it may be reopened; None while it was never resolved."""
        return None if self.resolved_at is None else self.resolved_at + REOPEN_WINDOW

    @property
    def is_queued(self) -> bool:
        """Whether it is in a team's queue."""
        return self.assignee is None and self.team is not None and self.status in (Status.NEW, Status.TRIAGED)

    def may_reopen(self, at: datetime) -> bool:
        """Whether the last solution can still turn out not to hold."""
        return self.status in DONE and self.window_ends_at is not None and at <= self.window_ends_at

    @property
    def clocks(self) -> Mapping[TargetName, Clock]:
        """Every target that has a clock."""
        both = {TargetName.FIRST_RESPONSE: self.first_response, TargetName.RESOLUTION: self.resolution}
        return both if self.next_response is None else both | {TargetName.NEXT_RESPONSE: self.next_response}

    def clock(self, target: TargetName) -> Clock | None:
        """The clock of one target; only the next response may have none."""
        return self.clocks.get(target)

    def with_clock(self, target: TargetName, clock: Clock) -> Ticket:
        """The same ticket with another clock of one target."""
        match target:
            case TargetName.FIRST_RESPONSE:
                return self._replace(first_response=clock)
            case TargetName.NEXT_RESPONSE:
                return self._replace(next_response=clock)
            case TargetName.RESOLUTION:
                return self._replace(resolution=clock)


_TARGETS: Final = (str(TargetName.FIRST_RESPONSE), str(TargetName.RESOLUTION), str(TargetName.NEXT_RESPONSE))


def deadlines(ticket: Ticket) -> Mapping[str, datetime]:
    """What a timer has to announce or do about the ticket, and when."""
    found = {}
    for target, clock in zip(_TARGETS, (ticket.first_response, ticket.resolution, ticket.next_response), strict=True):
        if clock is not None and (told := sla.announcement(clock)) is not None:
            found[target] = told[1]
    if ticket.status in (Status.RESOLVED, Status.CONFIRMED) and ticket.window_ends_at is not None:
        found[CLOSE] = ticket.window_ends_at
    if ticket.waiting_since is not None:
        found[GIVE_UP] = ticket.waiting_since + GIVE_UP_AFTER
        if ticket.reminded_at is None:
            found[REMIND] = ticket.waiting_since + REMIND_AFTER
    return found


def next_due(ticket: Ticket) -> datetime | None:
    """The earliest promise that is running, also one that is broken and still not kept; what "due first" sorts by."""
    clocks = (ticket.first_response, ticket.resolution, ticket.next_response)
    running = [clock for clock in clocks if clock is not None and clock.is_open and not clock.is_paused]
    return min([sla.due_at(clock, clock.started_at) for clock in running], default=None)
