"""What tickets tells: the life of every ticket as facts. No text, no name, no address travels here."""

from __future__ import annotations

from typing import ClassVar
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
    policy: str | None = Field(default=None, description="id of the policy that was chosen")
    calendar: str | None = Field(default=None, description="id of the business calendar that was used")


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
    entered_by: str = Field(default="customer", description="who wrote the request down: customer, bot, agent, system")
    assignment: str | None = Field(default=None, description="code of why this team and agent, e.g. round_robin; None when unassigned")
    first_response: Target
    resolution: Target


class TicketMessageAdded(TicketEvent):
    """A customer's further message joined the ticket."""

    TYPE: ClassVar[str] = "ticket.message_added.v1"

    request_id: UUID
    reference: str = Field(description="the message's own service number, from now on an alias of the ticket")
    thanks: bool = Field(default=False, description="nothing but thanks: no work follows (D13)")
    matched_by: str | None = Field(default=None, description="code of why it joined: in_reply_to, conversation, product, channel, merged")
    next_response: Target | None = Field(default=None, description="the clock of the oldest unanswered message, when one runs")


class TicketReplied(TicketEvent):
    """Staff answered the customer."""

    TYPE: ClassVar[str] = "ticket.replied.v1"

    message_id: UUID
    public: bool = True


class TicketTriaged(TicketEvent):
    """Type, priority and category were set by a person."""

    TYPE: ClassVar[str] = "ticket.triaged.v1"


class TicketAssigned(TicketEvent):
    """Someone took it or was given it; ``dimensions`` say who has it now. Without agent: it waits in the team's queue."""

    TYPE: ClassVar[str] = "ticket.assigned.v1"

    previous_agent: str | None = None
    previous_team: str | None = None
    reason: str | None = Field(default=None, description="code: taken, taken_over, handed_over, round_robin, queued, reopened")


class TicketStatusChanged(TicketEvent):
    """A change of status that no event of its own tells."""

    TYPE: ClassVar[str] = "ticket.status_changed.v1"

    previous_status: str
    action: str
    reason: str | None = None


class TicketStepChanged(TicketEvent):
    """Progress inside the type of service; ``dimensions.step`` is where it stands now."""

    TYPE: ClassVar[str] = "ticket.step_changed.v1"

    previous_step: str | None = None


class TicketLinked(TicketEvent):
    """The ticket has to do with another one, or (``removed``) no longer."""

    TYPE: ClassVar[str] = "ticket.linked.v1"

    other_number: str
    kind: str = Field(description="code: related, duplicate, caused_by; merged: the other one was merged into this one")
    removed: bool = False


class TicketMerged(TicketEvent):
    """It was the same matter as another ticket, which goes on for both; this one counts nowhere."""

    TYPE: ClassVar[str] = "ticket.merged.v1"

    into_number: str
    previous_status: str


class TicketUnmerged(TicketEvent):
    """The merge was undone: the ticket stands by itself again, in the status that it had."""

    TYPE: ClassVar[str] = "ticket.unmerged.v1"

    from_number: str
    first_response: Target
    resolution: Target


class TicketEscalated(TicketEvent):
    """Somebody higher has to look: a deadline is near or over, or staff asked for it."""

    TYPE: ClassVar[str] = "ticket.escalated.v1"

    level: int = Field(ge=1)
    reason: str = Field(description="code: sla_warned, sla_breached, staff, repeated_complaint")
    target: str | None = None


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


class SlaEvent(TicketEvent):
    """Root of the events about one target of one ticket."""

    target: str = Field(description="code: first_response, next_response, resolution")
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


class AgentUpdated(Event):
    """A member of staff as he is now: teams, skills, presence. Ids and codes, no name."""

    TYPE: ClassVar[str] = "agent.updated.v1"
    TOPIC: ClassVar[Topic] = TICKETS
    KEY: ClassVar[str] = "agent"

    agent: str = Field(description="principal id")
    version: int = Field(ge=1)
    teams: tuple[str, ...] = ()
    skills: tuple[str, ...] = ()
    presence: str = Field(description="code: present, away, offline")
    active: bool = True
    actor: str


class TeamUpdated(Event):
    """A team as it is now."""

    TYPE: ClassVar[str] = "team.updated.v1"
    TOPIC: ClassVar[Topic] = TICKETS
    KEY: ClassVar[str] = "team"

    team: str = Field(description="id of the team")
    version: int = Field(ge=1)
    types: tuple[str, ...] = Field(default=(), description="request types that it takes")
    channels: tuple[str, ...] = Field(default=(), description="channels that it takes; none named: all")
    calendar: str | None = None
    active: bool = True
    actor: str
