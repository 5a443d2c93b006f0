"""Invitations, answers and non-answers, as staff see them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

from services.feedback.survey.answers import Answers
from services.feedback.survey.complaints import complaint_words
from services.feedback.survey.invitations import Invitation, Purpose, State
from services.feedback.survey.selection import Reason
from shared.events.codes import Locale


class GivenOut(BaseModel):
    """What a customer answered, as staff see it."""

    overall: int | None
    recommend: int | None
    solved: Literal["yes", "partly", "no"] | None
    answers: dict[str, int | str] = Field(description="all answers but the comment, by question id")
    comment: str | None
    is_low: bool = Field(description="the request is taken up again (D11)")
    flags: list[str] = Field(description="what the answer asks for: low, not_solved, complaint")
    complaint_words: list[str] = Field(description="the words of the comment that the flag `complaint` rests on")

    @classmethod
    def of(cls, answers: Answers) -> GivenOut:
        """For staff."""
        return cls(
            overall=answers.overall,
            recommend=answers.recommend,
            solved=answers.solved,
            answers=dict(answers.values),
            comment=answers.comment,
            is_low=answers.is_low,
            flags=list(answers.flags),
            complaint_words=complaint_words(answers.comment),
        )


class InvitationOut(BaseModel):
    """One invitation, with its answer when there is one that leads back to it."""

    id: UUID
    ticket_number: str
    episode: int = Field(description="which resolution of the ticket it asks about, from 1")
    purpose: Purpose = Field(description="survey, or service: the one question after a complaint that got no survey")
    customer_id: UUID
    form: str
    locale: Locale
    state: State
    reason: Reason | None = Field(description="why a rule spared the customer this survey")
    inclusion_probability: float | None = Field(description="with which it was, or was not, sampled; null where the lot was not asked")
    resolved_at: datetime
    send_at: datetime
    invited_at: datetime | None
    expires_at: datetime | None
    reminded_at: datetime | None
    answered_at: datetime | None = Field(description="of an anonymous answer only the beginning of its day")
    cancelled_at: datetime | None
    throttled_at: datetime | None
    is_anonymous: bool = Field(description="its answer, if there is one, is kept where nothing leads back to it")
    answer: GivenOut | None

    @classmethod
    def of(cls, invitation: Invitation, answers: Answers | None, *, is_anonymous: bool, at: datetime) -> InvitationOut:
        """The invitation as it stands at the moment ``at``."""
        return cls(
            id=invitation.id,
            ticket_number=invitation.ticket_number,
            episode=invitation.episode,
            purpose=invitation.purpose,
            customer_id=invitation.customer_id,
            form=invitation.form,
            locale=invitation.locale,
            state=invitation.state(at),
            reason=None if invitation.reason is None else Reason(invitation.reason),
            inclusion_probability=invitation.inclusion,
            resolved_at=invitation.resolved_at,
            send_at=invitation.send_at,
            invited_at=invitation.invited_at,
            expires_at=invitation.expires_at,
            reminded_at=invitation.reminded_at,
            answered_at=invitation.answered_at,
            cancelled_at=invitation.cancelled_at,
            throttled_at=invitation.throttled_at,
            is_anonymous=is_anonymous,
            answer=None if answers is None else GivenOut.of(answers),
        )
