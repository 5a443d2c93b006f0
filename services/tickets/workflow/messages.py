"""What a customer's further word does to a ticket: a message (in_reply_to) or the answer to the survey of one resolution."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from services.tickets.sla import ServiceLevels
from services.tickets.workflow.actions import record
from services.tickets.workflow.changes import Change, Confirmed, MessageAdded, Reopened, StatusChanged
from services.tickets.workflow.clocks import promise_of_next_response
from services.tickets.workflow.commands import CUSTOMER
from services.tickets.workflow.status import OPEN, Action, Status
from services.tickets.workflow.ticket import Ticket

CUSTOMER_REPLY: Final = "customer_reply"
LOW_ANSWER: Final = "low_answer"
NO_CUSTOMER_ANSWER: Final = "no_customer_answer"
LOW_SCORE: Final = 2
"""Of 5; this and less is a low answer."""


@dataclass(frozen=True, slots=True)
class Message:
    """A customer's message, without its words."""

    request_id: UUID
    reference: str
    digest: str
    only_thanks: bool
    matched_by: str | None = None
    """Why it is this ticket's."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the customer said about one resolution."""

    episode: int
    overall: int | None
    solved: Literal["yes", "partly", "no"] | None

    @property
    def is_low(self) -> bool:
        """Dissatisfied, or not solved; "partly" alone is not."""
        return self.solved == "no" or (self.overall is not None and self.overall <= LOW_SCORE)


def joins(ticket: Ticket, message: Message, at: datetime) -> bool:
    """Whether the message, written at ``at``, belongs to this ticket; otherwise it opens a linked one.

    Thanks alone never open a ticket, so they join in any status.
    """
    return message.only_thanks or ticket.status in OPEN or ticket.may_reopen(at)


def add(ticket: Ticket, message: Message, at: datetime, policy: ServiceLevels) -> tuple[Ticket, tuple[Change, ...]]:
    """The message joins: the awaited answer resumes the work, a reply to a solution reopens it."""
    written_at, at = at, max(at, ticket.changed_at)
    after, changes = record(ticket, _added(ticket, message, written_at, policy), by=CUSTOMER, at=at)
    consequence = _consequence(ticket, message, written_at)
    if consequence is None:
        return after, changes
    after, further = record(after, consequence, by=CUSTOMER, at=at)
    return after, (*changes, *further)


def _added(ticket: Ticket, message: Message, written_at: datetime, policy: ServiceLevels) -> MessageAdded:
    awaited = None if message.only_thanks else promise_of_next_response(ticket, policy, written_at)
    return MessageAdded(message.request_id, message.reference, message.digest, message.only_thanks, message.matched_by, written_at, awaited)


def _consequence(ticket: Ticket, message: Message, written_at: datetime) -> StatusChanged | Reopened | None:
    if ticket.status is Status.WAITING_CUSTOMER:
        return StatusChanged(Status.IN_PROGRESS, Action.RESUME, reason=CUSTOMER_REPLY)
    if not message.only_thanks and ticket.may_reopen(written_at):
        return Reopened(CUSTOMER_REPLY)
    return None


def opens_linked(ticket: Ticket, answer: Answer, at: datetime, series: Iterable[Ticket] = ()) -> bool:
    """Whether a low answer, given at ``at``, came too late to reopen, and nobody works again on the matter of ``series``."""
    if any(other.status in OPEN for other in series):
        return False
    return _is_about(ticket, answer) and answer.is_low and not ticket.may_reopen(at)


def answer(ticket: Ticket, given: Answer, at: datetime) -> tuple[Ticket, tuple[Change, ...]]:
    """A low answer reopens inside the window, a yes confirms; one about an earlier resolution, or after others acted, changes nothing."""
    if not _is_about(ticket, given):
        return ticket, ()
    if given.is_low and ticket.may_reopen(at):
        return record(ticket, Reopened(LOW_ANSWER), by=CUSTOMER, at=max(at, ticket.changed_at))
    if not given.is_low and given.solved == "yes" and ticket.status is Status.RESOLVED:
        return record(ticket, Confirmed(), by=CUSTOMER, at=max(at, ticket.changed_at))
    return ticket, ()


def _is_about(ticket: Ticket, given: Answer) -> bool:
    """Only the newest resolution can still hold or fail, and only while nobody is working on the ticket again."""
    return given.episode == ticket.episode and ticket.status not in OPEN and ticket.status is not Status.MERGED
