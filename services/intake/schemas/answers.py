"""What callers get to read of requests: that they are stored, what to ask next, and how they stand."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from services.intake.language.questions import ASKED_AT_ONCE


class Links(BaseModel):
    """Where to look next."""

    self: str
    track: str = Field(description="the customer's view of what became of it")


class PromptOut(BaseModel):
    """A question to put to the customer, in his language."""

    field: str = Field(description="path in the body", examples=["product.model"])
    question: str
    why: str
    suggestion: str | None = Field(default=None, description="what an earlier request of his says; ask him to confirm it")


class RequestAccepted(BaseModel):
    """The request is stored and will be answered for."""

    request_id: UUID
    reference: str = Field(description="service number for the customer to keep", examples=["AS-20261125EEA182H"])
    received_at: datetime
    completeness: float = Field(ge=0, le=1)
    missing_fields: tuple[str, ...] = Field(description="what to ask the customer for, as paths in the body")
    prompts: tuple[PromptOut, ...] = Field(description=f"the next {ASKED_AT_ONCE} questions at most")
    links: Links


class BatchResult(BaseModel):
    """What became of one item: `body` with 202, `problem` (RFC 9457) with anything else."""

    status: int
    body: RequestAccepted | None = None
    problem: dict[str, Any] | None = None


class BatchAnswer(BaseModel):
    """One result per item, in the order of the items."""

    results: tuple[BatchResult, ...]


class TicketSeen(BaseModel):
    """What intake knows of the ticket that the request opened or joined."""

    number: str
    status: str


class StatusSeen(BaseModel):
    """How the request stands, in the customer's language."""

    code: str = Field(description="status of the ticket; before that received, or dismissed")
    text: str
    next: str = Field(description="what comes next")


class Dismissed(BaseModel):
    """Somebody verified that there is nothing to do."""

    at: datetime
    by: str | None = Field(description="who verified it; null for customers")
    reason_code: str


class Dismissal(Dismissed):
    """What was written down, and what becomes of the ticket."""

    ticket: TicketSeen | None = Field(description="that the request opened or joined, as intake heard last of it; null if of none yet")
    ticket_stays: bool = Field(
        description="the ticket holds more than this request, or somebody works on it: it is not cancelled with the request. Judged by "
        "what intake heard last; tickets decides, and the ticket's history tells"
    )


class RequestLine(BaseModel):
    """A request in a list, as it stands."""

    request_id: UUID
    reference: str
    received_at: datetime
    channel: str
    type: str | None
    subject: str | None
    order_number: str | None
    status: StatusSeen
    joined: bool
    ticket: TicketSeen | None


class RequestView(BaseModel):
    """A request as it was received, and what became of it."""

    request_id: UUID
    reference: str
    customer_id: UUID
    channel: str
    external_id: str | None
    type: str | None
    subject: str | None
    text: str
    product: dict[str, str | None] | None
    expected_resolution_at: datetime | None
    occurred_at: datetime
    occurred_at_clamped: bool
    received_at: datetime
    in_reply_to: str | None
    external_id_reused: bool
    entered_by: str = Field(description="who wrote it down: customer, bot, agent or system")
    conversation_id: str | None
    completes: str | None = Field(description="the request whose missing fields this one brought")
    completeness: float = Field(description="as of now, with what was added since")
    missing_fields: tuple[str, ...]
    prompts: tuple[PromptOut, ...]
    status: StatusSeen
    joined: bool = Field(description="it joined the ticket of an earlier request; its number is an alias of that ticket's")
    ticket: TicketSeen | None = Field(description="null until a ticket has taken it up")
    dismissed: Dismissed | None
    links: Links
