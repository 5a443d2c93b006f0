"""What feedback tells: invitations and answers as numbers; never a comment's text."""

from __future__ import annotations

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
    """No invitation, because the customer was asked recently."""

    TYPE: ClassVar[str] = "survey.throttled.v1"


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
    locale: str
