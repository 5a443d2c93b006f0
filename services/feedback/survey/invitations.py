"""What becomes of an invitation: planned at a resolution, then sent or throttled; once sent it is answered, cancelled by a reopening, or
expires.

The state is not stored: it follows from the moments that are. Answered, cancelled and throttled are final, whatever comes later; an expired
survey can be none of them. A survey asks about one resolution of one ticket, with the dimensions that the ticket had then, so that a later
reassignment moves no credit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar, Final
from uuid import UUID, uuid5

from services.feedback.survey.rules import Rules
from shared.errors import Conflict, Gone
from shared.events.codes import Locale, RequestType
from shared.events.tickets import Dimensions, TicketMerged, TicketReopened, TicketResolved

INVITATION_IDS: Final = UUID("6f6b2c0e-51d5-4d0b-8f0c-0a2f3e6f5b11")
"""Namespace: ticket, episode and purpose give the id, so that an event read twice speaks of the same invitation."""


class Purpose(StrEnum):
    """Why the customer is asked."""

    SURVEY = "survey"
    """To learn how it went; spared those who do not want it or were asked not long ago."""
    SERVICE = "service"
    """To know whether a complaint is really solved: part of the service, asked whoever was spared the survey."""


class State(StrEnum):
    """Where an invitation stands at a moment."""

    SCHEDULED = "scheduled"
    OPEN = "open"
    ANSWERED = "answered"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    THROTTLED = "throttled"


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
class Invitation:
    """One question to one customer about one resolution of one ticket. Moments are None until they happen."""

    id: UUID
    ticket_number: str
    episode: int
    purpose: Purpose
    customer_id: UUID
    form: str
    locale: Locale
    dimensions: Dimensions
    resolved_at: datetime
    send_at: datetime
    inclusion: float | None = None
    """The probability with which it was, or was not, sampled; None where the lot was not asked."""
    invited_at: datetime | None = None
    expires_at: datetime | None = None
    reminded_at: datetime | None = None
    answered_at: datetime | None = None
    cancelled_at: datetime | None = None
    throttled_at: datetime | None = None
    reason: str | None = None
    """Why it was throttled."""

    def state(self, at: datetime) -> State:
        """Where it stands at the moment ``at``; expired from the very instant of ``expires_at``."""
        if self.throttled_at is not None:
            return State.THROTTLED
        if self.answered_at is not None:
            return State.ANSWERED
        if self.cancelled_at is not None:
            return State.CANCELLED
        if self.expires_at is None:
            return State.SCHEDULED
        return State.EXPIRED if at >= self.expires_at else State.OPEN

    @property
    def is_complaint(self) -> bool:
        """Whether the ticket is a complaint."""
        return self.dimensions.type == RequestType.COMPLAINT


def invitation_id(ticket_number: str, episode: int, purpose: Purpose = Purpose.SURVEY) -> UUID:
    """The one invitation that a resolution can have for this purpose."""
    name = f"{ticket_number}/{episode}"
    return uuid5(INVITATION_IDS, name if purpose is Purpose.SURVEY else f"{name}/{purpose}")


def ids_of(fact: TicketResolved | TicketReopened) -> list[UUID]:
    """All invitations that a resolution may have."""
    return [invitation_id(fact.ticket_number, fact.episode, purpose) for purpose in Purpose]


def is_too_late(resolved: TicketResolved, rules: Rules, at: datetime) -> bool:
    """Whether asking makes no sense any more: an old log that is read again must not write to customers."""
    channel = resolved.dimensions.channel
    return at - resolved.occurred_at >= rules.delay.of(channel) + rules.lifetime.of(channel)


def plan(resolved: TicketResolved, *, form: str, locale: Locale, rules: Rules) -> Invitation:
    """The survey that a resolution calls for; not sent yet."""
    return Invitation(
        id=invitation_id(resolved.ticket_number, resolved.episode),
        ticket_number=resolved.ticket_number,
        episode=resolved.episode,
        purpose=Purpose.SURVEY,
        customer_id=resolved.customer_id,
        form=form,
        locale=locale,
        dimensions=resolved.dimensions,
        resolved_at=resolved.occurred_at,
        send_at=resolved.occurred_at + rules.delay.of(resolved.dimensions.channel),
    )


def service_question(survey: Invitation, *, form: str, at: datetime, lifetime: timedelta) -> Invitation:
    """What the customer of a complaint is asked when the survey is not sent to him: only whether it is solved."""
    planned = replace(
        survey,
        id=invitation_id(survey.ticket_number, survey.episode, Purpose.SERVICE),
        purpose=Purpose.SERVICE,
        form=form,
        inclusion=None,
        throttled_at=None,
        reason=None,
    )
    return send(planned, at=at, lifetime=lifetime)


def send(invitation: Invitation, *, at: datetime, lifetime: timedelta) -> Invitation:
    """Open it for answers. Only a scheduled one is sent; any other stays as it is."""
    if invitation.state(at) is not State.SCHEDULED:
        return invitation
    return replace(invitation, invited_at=at, expires_at=at + lifetime)


def throttle(invitation: Invitation, *, at: datetime, reason: str) -> Invitation:
    """Leave it, for good. Only a scheduled one can be left; any other stays as it is."""
    if invitation.state(at) is not State.SCHEDULED:
        return invitation
    return replace(invitation, throttled_at=at, reason=reason)


def cancel(invitation: Invitation, *, at: datetime) -> Invitation:
    """The resolution did not hold. What is answered, cancelled, throttled or expired stays as it is."""
    if invitation.state(at) not in (State.SCHEDULED, State.OPEN):
        return invitation
    return replace(invitation, cancelled_at=at)


def remind(invitation: Invitation, *, at: datetime) -> Invitation:
    """Ask once more. Only an open survey that was not reminded is; any other stays as it is."""
    if invitation.state(at) is not State.OPEN or invitation.reminded_at is not None:
        return invitation
    return replace(invitation, reminded_at=at)


def reminder_at(invitation: Invitation, rules: Rules) -> datetime | None:
    """When a sent survey is to be reminded of; None when that is never, or would come too late to help."""
    if invitation.purpose is Purpose.SERVICE or rules.reminder_after is None:
        return None
    if invitation.invited_at is None or invitation.expires_at is None:
        return None
    at = invitation.invited_at + rules.reminder_after
    return at if at < invitation.expires_at else None


def require_open(invitation: Invitation, *, at: datetime) -> None:
    """Nothing when it may be answered at ``at``.

    Raises:
        NotSent: it is only planned, or was never sent.
        AlreadyAnswered: it has its answer.
        SurveyEnded: it was cancelled or has expired.
    """
    match invitation.state(at):
        case State.SCHEDULED | State.THROTTLED:
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
    known: Mapping[UUID, Invitation],
    facts: Sequence[TicketResolved | TicketReopened | TicketMerged],
    *,
    form: str,
    locale_of: Callable[[TicketResolved], Locale],
    rules: Rules,
    at: datetime,
) -> dict[UUID, Invitation]:
    """The invitations, by id, after tickets were resolved, reopened or merged, in the order of the facts; nothing is sent yet.

    A fact that comes again changes nothing. A resolution that is reopened before its survey was sent never gets one; a ticket that was
    merged into another one is not asked about any more.
    """
    after = dict(known)
    for fact in facts:
        if isinstance(fact, TicketMerged):
            mine = [id_ for id_, invitation in after.items() if invitation.ticket_number == fact.ticket_number]
        else:
            mine = [id_ for id_ in ids_of(fact) if id_ in after]
        if not isinstance(fact, TicketResolved):
            after |= {id_: cancel(after[id_], at=at) for id_ in mine}
        elif not mine and not is_too_late(fact, rules, at):
            planned = plan(fact, form=form, locale=locale_of(fact), rules=rules)
            after[planned.id] = planned
    return after


def due(invitations: Mapping[UUID, Invitation], *, at: datetime) -> list[Invitation]:
    """Those whose time to be sent has come."""
    return [invitation for invitation in invitations.values() if invitation.state(at) is State.SCHEDULED and invitation.send_at <= at]
