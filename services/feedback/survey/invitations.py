"""What becomes of an invitation: planned at a resolution, sent, then answered, cancelled by a reopening, or expired.

The state is not stored: it follows from the moments that are. Answered and cancelled are final, whatever comes later; an expired survey
can be neither. A survey asks about one resolution of one ticket, with the dimensions that the ticket had then, so that a later
reassignment moves no credit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar, Final
from uuid import UUID, uuid5

from services.feedback.survey.answers import Answers
from services.feedback.survey.forms import AFTER_RESOLUTION
from shared.errors import Conflict, Gone
from shared.events.codes import Channel, Locale
from shared.events.feedback import SurveyAnswered, SurveyCancelled, SurveyInvited
from shared.events.tickets import Dimensions, TicketReopened, TicketResolved

INVITATION_IDS: Final = UUID("6f6b2c0e-51d5-4d0b-8f0c-0a2f3e6f5b11")
"""Namespace: ticket and episode give the id, so that an event read twice speaks of the same invitation."""

IMMEDIATE: Final = frozenset({Channel.CHAT, Channel.APP, Channel.BOT})
"""Channels where the customer is still there: asked at once."""

EpisodeKey = tuple[str, int]
"""Ticket number and the number of the resolution."""


class State(StrEnum):
    """Where an invitation stands at a moment."""

    SCHEDULED = "scheduled"
    OPEN = "open"
    ANSWERED = "answered"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class AlreadyAnswered(Conflict):
    """The first answer is final."""

    code: ClassVar[str] = "survey_answered"

    def __init__(self, answered_at: datetime) -> None:
        super().__init__("this survey has been answered; the first answer is final", facts={"answered_at": answered_at.isoformat()})
        self.answered_at = answered_at


class NotSent(Conflict):
    """Nobody was asked yet. A customer cannot meet it: the link does not exist before the invitation is sent."""

    code: ClassVar[str] = "survey_not_sent"

    def __init__(self) -> None:
        super().__init__("this survey has not been sent yet")


class SurveyEnded(Gone):
    """Too late: it has expired, or the ticket was reopened before the answer came."""

    code: ClassVar[str] = "survey_ended"

    def __init__(self, reason: State, ended_at: datetime, ticket_number: str) -> None:
        hint = (
            "the request was taken up again; a new survey comes with the next solution"
            if reason is State.CANCELLED
            else f"the survey has expired; you can still write to us, please name request {ticket_number}"
        )
        super().__init__(hint, facts={"reason": reason.value, "ended_at": ended_at.isoformat(), "ticket_number": ticket_number})
        self.reason = reason
        self.ended_at = ended_at
        self.ticket_number = ticket_number


@dataclass(frozen=True, slots=True)
class Timing:
    """When surveys are sent and how long they may be answered."""

    delay: timedelta
    lifetime: timedelta

    def send_at(self, resolved: TicketResolved) -> datetime:
        """When the customer of this resolution is to be asked."""
        return resolved.occurred_at + (timedelta(0) if resolved.dimensions.channel in IMMEDIATE else self.delay)

    def is_too_late(self, resolved: TicketResolved, at: datetime) -> bool:
        """Whether asking makes no sense any more: an old log that is read again must not write to customers."""
        return at - resolved.occurred_at >= self.delay + self.lifetime


@dataclass(frozen=True, slots=True)
class Invitation:
    """One survey for one resolution of one ticket. Moments are None until they happen."""

    id: UUID
    ticket_number: str
    episode: int
    customer_id: UUID
    form: str
    locale: Locale
    dimensions: Dimensions
    resolved_at: datetime
    send_at: datetime
    invited_at: datetime | None = None
    expires_at: datetime | None = None
    answered_at: datetime | None = None
    cancelled_at: datetime | None = None

    @property
    def key(self) -> EpisodeKey:
        """What there is at most one invitation for."""
        return (self.ticket_number, self.episode)

    def state(self, at: datetime) -> State:
        """Where it stands at the moment ``at``; expired from the very instant of ``expires_at``."""
        if self.answered_at is not None:
            return State.ANSWERED
        if self.cancelled_at is not None:
            return State.CANCELLED
        if self.expires_at is None:
            return State.SCHEDULED
        return State.EXPIRED if at >= self.expires_at else State.OPEN


def plan(resolved: TicketResolved, *, locale: Locale, timing: Timing) -> Invitation:
    """The invitation that a resolution calls for; not sent yet."""
    return Invitation(
        id=uuid5(INVITATION_IDS, f"{resolved.ticket_number}/{resolved.episode}"),
        ticket_number=resolved.ticket_number,
        episode=resolved.episode,
        customer_id=resolved.customer_id,
        form=AFTER_RESOLUTION.code,
        locale=locale,
        dimensions=resolved.dimensions,
        resolved_at=resolved.occurred_at,
        send_at=timing.send_at(resolved),
    )


def send(invitation: Invitation, *, at: datetime, timing: Timing) -> Invitation:
    """Open it for answers. Only a scheduled one is sent; any other stays as it is."""
    if invitation.state(at) is not State.SCHEDULED:
        return invitation
    return replace(invitation, invited_at=at, expires_at=at + timing.lifetime)


def cancel(invitation: Invitation, *, at: datetime) -> Invitation:
    """The resolution did not hold. What is answered, cancelled or expired stays as it is."""
    if invitation.state(at) not in (State.SCHEDULED, State.OPEN):
        return invitation
    return replace(invitation, cancelled_at=at)


def require_open(invitation: Invitation, *, at: datetime) -> None:
    """Nothing when it may be answered at ``at``.

    Raises:
        NotSent: it is only planned.
        AlreadyAnswered: it has its answer.
        SurveyEnded: it was cancelled or has expired.
    """
    match invitation.state(at):
        case State.SCHEDULED:
            raise NotSent
        case State.ANSWERED if invitation.answered_at is not None:
            raise AlreadyAnswered(invitation.answered_at)
        case State.CANCELLED if invitation.cancelled_at is not None:
            raise SurveyEnded(State.CANCELLED, invitation.cancelled_at, invitation.ticket_number)
        case State.EXPIRED if invitation.expires_at is not None:
            raise SurveyEnded(State.EXPIRED, invitation.expires_at, invitation.ticket_number)


def answer(invitation: Invitation, *, at: datetime) -> Invitation:
    """Take the first answer, which is final.

    Raises:
        NotSent: it is only planned.
        AlreadyAnswered: it has its answer.
        SurveyEnded: it was cancelled or has expired.
    """
    require_open(invitation, at=at)
    return replace(invitation, answered_at=at)


def follow(
    known: Mapping[EpisodeKey, Invitation],
    facts: Sequence[TicketResolved | TicketReopened],
    *,
    locale_of: Callable[[TicketResolved], Locale],
    timing: Timing,
    at: datetime,
) -> dict[EpisodeKey, Invitation]:
    """The invitations after tickets were resolved and reopened, in the order of the facts.

    A fact that comes again changes nothing. A resolution that is reopened before its invitation was sent never gets sent.
    """
    after = dict(known)
    for fact in facts:
        key = (fact.ticket_number, fact.episode)
        invitation = after.get(key)
        if isinstance(fact, TicketReopened):
            if invitation is not None:
                after[key] = cancel(invitation, at=at)
        elif invitation is None and not timing.is_too_late(fact, at):
            after[key] = plan(fact, locale=locale_of(fact), timing=timing)
    return {key: send(invitation, at=at, timing=timing) if invitation.send_at <= at else invitation for key, invitation in after.items()}


def invited(invitation: Invitation) -> SurveyInvited:
    """The fact that the customer was asked."""
    assert invitation.invited_at is not None
    assert invitation.expires_at is not None
    return SurveyInvited(
        occurred_at=invitation.invited_at,
        invitation_id=invitation.id,
        ticket_number=invitation.ticket_number,
        episode=invitation.episode,
        customer_id=invitation.customer_id,
        form=invitation.form,
        dimensions=invitation.dimensions,
        resolved_at=invitation.resolved_at,
        expires_at=invitation.expires_at,
    )


def cancelled(invitation: Invitation) -> SurveyCancelled:
    """The fact that an invitation that the customer had received is void."""
    assert invitation.cancelled_at is not None
    return SurveyCancelled(
        occurred_at=invitation.cancelled_at,
        invitation_id=invitation.id,
        ticket_number=invitation.ticket_number,
        episode=invitation.episode,
        customer_id=invitation.customer_id,
        form=invitation.form,
        dimensions=invitation.dimensions,
    )


def answered(invitation: Invitation, answers: Answers, *, locale: Locale) -> SurveyAnswered:
    """The fact of the answer, as numbers; ``locale`` is the language in which the questions were read."""
    assert invitation.answered_at is not None
    return SurveyAnswered(
        occurred_at=invitation.answered_at,
        invitation_id=invitation.id,
        ticket_number=invitation.ticket_number,
        episode=invitation.episode,
        customer_id=invitation.customer_id,
        form=invitation.form,
        dimensions=invitation.dimensions,
        resolved_at=invitation.resolved_at,
        overall=answers.overall,
        recommend=answers.recommend,
        solved=answers.solved,
        scores=answers.scores,
        has_comment=answers.comment is not None,
        locale=locale,
    )
