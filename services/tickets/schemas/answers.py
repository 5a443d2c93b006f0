"""Tickets as callers see them. Codes in answers are open lists: show an unknown one as it is."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field

from services.tickets.sla import ClockState, Priority
from services.tickets.workflow.status import Action, Status


class TargetView(BaseModel):
    """One promise, as it stands when the answer is written."""

    due_at: AwareDatetime = Field(description="while paused it moves on with the time")
    state: ClockState
    met_at: AwareDatetime | None
    paused_ms: int = Field(description="business time")
    policy: str = Field(description="id of the policy that promises it")
    calendar: str = Field(description="id of the business calendar in which it is reckoned")


class SlaView(BaseModel):
    """The promises of a ticket."""

    first_response: TargetView
    next_response: TargetView | None = Field(description="of the oldest unanswered message, or the last one that was answered")
    resolution: TargetView


class ProductView(BaseModel):
    """The thing that the ticket is about, as the customer named it."""

    model: str | None
    serial_number: str | None
    purchase_date: str | None
    order_number: str | None


class TicketView(BaseModel):
    """A ticket. Lists of codes may grow: show an unknown one as it is."""

    number: str
    version: int = Field(description="send it back in If-Match to change the ticket")
    status: Status
    step: str | None
    type: str | None
    priority: Priority
    category: str | None
    root_topic: str | None
    customer_id: UUID
    channel: str
    locale: str
    tier: str
    subject: str | None
    product: ProductView
    opened_at: AwareDatetime
    changed_at: AwareDatetime
    expected_resolution_at: AwareDatetime | None
    assignee: str | None
    team: str | None
    episode: int = Field(description="how many times it was resolved")
    resolution_code: str | None
    first_resolved_at: AwareDatetime | None
    resolved_at: AwareDatetime | None = Field(description="the last resolve")
    closed_at: AwareDatetime | None
    linked_to: str | None = Field(description="the older ticket on the same matter, whose reopen window was over")
    merged_into: str | None = Field(description="the ticket that goes on for both")
    started_at: AwareDatetime | None = Field(description="when work first began")
    waiting_since: AwareDatetime | None = Field(description="since when it waits for the customer")
    sla: SlaView
    entered_by: str = Field(description="who wrote the request down: customer, bot, agent, system")
    escalation: int = Field(description="how high it was escalated: 0 not at all, 1 the lead, 2 the manager")


class DifferenceView(BaseModel):
    """A field that a step changed."""

    field: str
    before: str | None
    after: str | None


class HistoryView(BaseModel):
    """One step of a ticket's life; `data` holds ids, codes, numbers and digests, never words."""

    version: int
    type: str
    at: AwareDatetime
    actor: str = Field(description="principal id of staff, or system, customer")
    data: dict[str, Any]
    sentence: str = Field(description="what happened, in the language of Accept-Language (zh-CN, zh-TW, en)")
    differences: list[DifferenceView] = Field(description="fields that the step changed")


class MessageView(BaseModel):
    """What somebody wrote."""

    id: UUID
    number: str = Field(description="the ticket that it was written on; another one where that was merged into this")
    version: int = Field(description="of that ticket, with this message")
    author: str = Field(description="principal id of staff, or customer")
    author_kind: Literal["customer", "staff"]
    entered_by: str | None = Field(description="who wrote it down for the customer (agent, bot, system); null is himself")
    public: bool = Field(description="false: a note, which the customer never sees")
    at: AwareDatetime = Field(description="when it was written")
    received_at: AwareDatetime | None = Field(description="when we had it")
    channel: str | None
    reference: str | None = Field(description="the customer's service number for this message")
    text: str
    truncated: bool = Field(description="the whole text is in intake")


class ActionView(BaseModel):
    """What the caller may do now."""

    action: Action
    params_schema: dict[str, Any] = Field(description="JSON Schema of params")


class ActionList(BaseModel):
    """Everything that the caller may do now."""

    items: list[ActionView]


class LinkView(BaseModel):
    """Another ticket, and what this one has to do with it."""

    number: str
    kind: str = Field(description="related, duplicate, caused_by, causes, continues, continued_by, merged_into, merged")
    status: Status
    type: str | None
    subject: str | None
    opened_at: AwareDatetime
    linked_at: AwareDatetime | None
    linked_by: str | None = Field(description="principal id; null where the link came about by itself")


class LinkList(BaseModel):
    """Tickets that have to do with this one, and open ones of the same customer that may."""

    items: list[LinkView]
    suggestions: list[LinkView]


class TrackedMessage(BaseModel):
    """What was written to or by the customer."""

    at: AwareDatetime
    from_customer: bool
    text: str


class ExpectedOfCustomer(BaseModel):
    """What the customer should do now."""

    code: str = Field(description="answer, check, nothing, ended")
    until: AwareDatetime | None
    text: str


class Tracking(BaseModel):
    """A ticket as its customer sees it; texts are in `locale`."""

    reference: str
    number: str
    locale: str
    status: Status
    status_text: str
    step: str | None
    step_text: str | None
    opened_at: AwareDatetime
    changed_at: AwareDatetime
    resolved_at: AwareDatetime | None
    closed_at: AwareDatetime | None
    expected: ExpectedOfCustomer
    messages: list[TrackedMessage]
