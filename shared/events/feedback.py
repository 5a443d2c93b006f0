"""What feedback tells: invitations and answers as numbers; never a comment's text."""

from __future__ import annotations

from datetime import date
from typing import ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from shared.events.envelope import Event
from shared.events.tickets import Dimensions
from shared.events.topics import FEEDBACK, Topic


class SurveyEvent(Event):
    """Root of survey.*; the dimensions are the ticket's at the resolution that the survey asks about."""

    TOPIC: ClassVar[Topic] = FEEDBACK
    KEY: ClassVar[str] = "ticket_number"

    invitation_id: UUID
    ticket_number: str
    episode: int = Field(ge=1)
    customer_id: UUID
    form: str = Field(description="form id and version, e.g. T1.1")
    dimensions: Dimensions


class SurveyInvited(SurveyEvent):
    """The customer was asked about one resolution."""

    TYPE: ClassVar[str] = "survey.invited.v1"

    resolved_at: AwareDatetime
    expires_at: AwareDatetime


class SurveyThrottled(SurveyEvent):
    """No invitation, by a rule; it is not tried again."""

    TYPE: ClassVar[str] = "survey.throttled.v1"

    reason: str = Field(default="frequency", description="code: frequency, opted_out, not_sampled, no_consent")


class SurveyCancelled(SurveyEvent):
    """The resolution did not hold before the answer came."""

    TYPE: ClassVar[str] = "survey.cancelled.v1"


class SurveyAnswered(SurveyEvent):
    """The first and final answer to one invitation."""

    TYPE: ClassVar[str] = "survey.answered.v1"

    resolved_at: AwareDatetime
    overall: int | None = Field(default=None, ge=1, le=5, description="Q0, 1 very dissatisfied to 5 very satisfied")
    recommend: int | None = Field(default=None, ge=0, le=10, description="N1")
    solved: Literal["yes", "partly", "no"] | None = Field(default=None, description="Y1")
    scores: dict[str, int] = Field(default_factory=dict, description="all scored items by question id")
    has_comment: bool = False
    flags: tuple[str, ...] = Field(default=(), description="codes of what the answer or its comment asks for: low, not_solved, complaint")
    locale: str


class SurveyReminded(SurveyEvent):
    """The one reminder was sent."""

    TYPE: ClassVar[str] = "survey.reminded.v1"


class SurveyAnsweredAnonymously(Event):
    """An answer without a way back: no ticket, no customer, no invitation; the day only, and coarse segments."""

    TYPE: ClassVar[str] = "survey.answered_anonymously.v1"
    TOPIC: ClassVar[Topic] = FEEDBACK
    KEY: ClassVar[str] = "response_id"

    response_id: UUID = Field(description="random; occurs nowhere else")
    form: str
    answered_on: date = Field(description="the day, in the organisation's zone")
    channel: str
    type: str | None = None
    tier: str | None = None
    overall: int | None = Field(default=None, ge=1, le=5)
    recommend: int | None = Field(default=None, ge=0, le=10)
    solved: Literal["yes", "partly", "no"] | None = None
    scores: dict[str, int] = Field(default_factory=dict)
    has_comment: bool = False
    locale: str


class SurveyOptedOut(Event):
    """The customer wants no surveys, or (``opted_out`` false) wants them again."""

    TYPE: ClassVar[str] = "survey.opted_out.v1"
    TOPIC: ClassVar[Topic] = FEEDBACK
    KEY: ClassVar[str] = "customer_id"

    customer_id: UUID
    opted_out: bool = True
    by: str = Field(description="code: customer, staff, consent")
