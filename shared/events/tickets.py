"""What tickets tells: the life of every ticket as facts. No text, no name, no address travels here."""

from __future__ import annotations

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from shared.events.envelope import Event, Fact
from shared.events.topics import TICKETS, Topic


class Dimensions(Fact):
    """The ticket after the change, so that reports group by what was true then."""

    type: str | None = None
    status: str
    step: str | None = None
    priority: str
    category: str | None = None
    root_topic: str | None = None
    channel: str
    team: str | None = None
    agent: str | None = None
    tier: str = "standard"
    product_model: str | None = None
    batch: str | None = None


class Target(Fact):
    """One SLA target. Attained when ``met_at <= due_at``; the highest ``policy_version`` counts."""

    started_at: AwareDatetime
    due_at: AwareDatetime
    met_at: AwareDatetime | None = None
    paused_ms: int = Field(default=0, ge=0)
    business_ms: int | None = Field(default=None, ge=0, description="business time from start to met; None while open")
    policy_version: int = Field(ge=1)


class TicketEvent(Event):
    """Root of ticket.* and sla.*; consumers can see a duplicate, a gap or an old one by the version."""

    TOPIC: ClassVar[Topic] = TICKETS
    KEY: ClassVar[str] = "ticket_number"

    ticket_number: str
    ticket_version: int = Field(ge=1)
    customer_id: UUID
    dimensions: Dimensions
    actor: str = Field(description="principal id of staff, or system, customer")


class TicketOpened(TicketEvent):
    """A request became a ticket; already holds its targets and, where known, its triage and assignment."""

    TYPE: ClassVar[str] = "ticket.opened.v1"

    request_id: UUID | None = Field(default=None, description="None when a low answer opened a linked ticket")
    opened_at: AwareDatetime = Field(description="when the request was received: the start of the clocks")
    linked_to: str | None = Field(default=None, description="number of an older ticket on the same matter")
    first_response: Target
    resolution: Target


class TicketMessageAdded(TicketEvent):
    """A customer's further message joined the ticket."""

    TYPE: ClassVar[str] = "ticket.message_added.v1"

    request_id: UUID
    reference: str = Field(description="the message's own service number, from now on an alias of the ticket")


class TicketReplied(TicketEvent):
    """Staff answered the customer."""

    TYPE: ClassVar[str] = "ticket.replied.v1"

    message_id: UUID
    public: bool = True


class TicketTriaged(TicketEvent):
    """Type, priority and category were set by a person."""

    TYPE: ClassVar[str] = "ticket.triaged.v1"


class TicketAssigned(TicketEvent):
    """Someone took it or was given it."""

    TYPE: ClassVar[str] = "ticket.assigned.v1"


class TicketStatusChanged(TicketEvent):
    """A change of status that no event of its own tells."""

    TYPE: ClassVar[str] = "ticket.status_changed.v1"

    previous_status: str
    action: str
    reason: str | None = None


class TicketResolved(TicketEvent):
    """The solution was given. ``episode`` counts resolutions of this ticket, from 1."""

    TYPE: ClassVar[str] = "ticket.resolved.v1"

    episode: int = Field(ge=1)
    resolution_code: str
    opened_at: AwareDatetime
    locale: str
    first_response: Target
    resolution: Target


class TicketConfirmed(TicketEvent):
    """The customer said that it is solved."""

    TYPE: ClassVar[str] = "ticket.confirmed.v1"

    episode: int = Field(ge=1)


class TicketReopened(TicketEvent):
    """Work starts again inside the reopen window."""

    TYPE: ClassVar[str] = "ticket.reopened.v1"

    episode: int = Field(ge=1, description="the resolution that did not hold")
    resolved_at: AwareDatetime = Field(description="when that resolution was given")
    reason: str = Field(description="code: low_answer, customer_reply, staff")
    resolution: Target


class TicketClosed(TicketEvent):
    """The end, after which nothing reopens it once the window is over."""

    TYPE: ClassVar[str] = "ticket.closed.v1"

    reason: str = Field(description="code: window_over, staff, no_customer_answer")


class TicketCancelled(TicketEvent):
    """Ended without a solution: not wanted any more, or not a request at all."""

    TYPE: ClassVar[str] = "ticket.cancelled.v1"

    reason: str


TargetName = Literal["first_response", "resolution"]


class SlaEvent(TicketEvent):
    """Root of the events about one target of one ticket."""

    target: TargetName
    clock: Target


class SlaMet(SlaEvent):
    """A target was fulfilled, in time or late: compare met_at with due_at."""

    TYPE: ClassVar[str] = "sla.met.v1"


class SlaWarned(SlaEvent):
    """A target is close to its due time."""

    TYPE: ClassVar[str] = "sla.warned.v1"


class SlaBreached(SlaEvent):
    """A target's due time passed without fulfilment; occurred_at is the due time, not the moment of the check."""

    TYPE: ClassVar[str] = "sla.breached.v1"


class SlaRetargeted(SlaEvent):
    """A target was changed (policy, priority or a pause); a higher policy_version or a moved due_at."""

    TYPE: ClassVar[str] = "sla.retargeted.v1"
