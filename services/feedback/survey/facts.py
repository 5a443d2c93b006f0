"""What the others are told about invitations and answers: numbers and codes, never a comment's words."""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar
from uuid import UUID

from services.feedback.survey.anonymity import AnonymousResponse
from services.feedback.survey.answers import Answers
from services.feedback.survey.invitations import Invitation
from shared.events.codes import Locale
from shared.events.feedback import (
    SurveyAnswered,
    SurveyAnsweredAnonymously,
    SurveyCancelled,
    SurveyEvent,
    SurveyInvited,
    SurveyOptedOut,
    SurveyReminded,
    SurveyThrottled,
)

E = TypeVar("E", bound=SurveyEvent)


def invited(invitation: Invitation) -> SurveyInvited:
    """The fact that the customer was asked."""
    return _fact(SurveyInvited, invitation, invitation.invited_at, resolved_at=invitation.resolved_at, expires_at=invitation.expires_at)


def throttled(invitation: Invitation) -> SurveyThrottled:
    """The fact that a rule spared the customer the survey."""
    return _fact(SurveyThrottled, invitation, invitation.throttled_at, reason=invitation.reason)


def reminded(invitation: Invitation) -> SurveyReminded:
    """The fact that the customer was asked once more."""
    return _fact(SurveyReminded, invitation, invitation.reminded_at)


def cancelled(invitation: Invitation) -> SurveyCancelled:
    """The fact that an invitation that the customer had received is void."""
    return _fact(SurveyCancelled, invitation, invitation.cancelled_at)


def answered(invitation: Invitation, answers: Answers, *, locale: Locale) -> SurveyAnswered:
    """The fact of the answer, as numbers; ``locale`` is the language in which the questions were read."""
    return _fact(
        SurveyAnswered,
        invitation,
        invitation.answered_at,
        resolved_at=invitation.resolved_at,
        overall=answers.overall,
        recommend=answers.recommend,
        solved=answers.solved,
        scores=answers.scores,
        has_comment=answers.comment is not None,
        flags=answers.flags,
        locale=locale,
    )


def answered_anonymously(response: AnonymousResponse, *, midnight: datetime) -> SurveyAnsweredAnonymously:
    """The fact of an anonymous answer, dated at the beginning of its day."""
    return SurveyAnsweredAnonymously(
        occurred_at=midnight,
        response_id=response.id,
        form=response.form,
        answered_on=response.answered_on,
        channel=response.channel,
        type=response.type,
        tier=response.tier,
        overall=response.answers.overall,
        recommend=response.answers.recommend,
        solved=response.answers.solved,
        scores=response.answers.scores,
        has_comment=response.answers.comment is not None,
        locale=response.locale,
    )


def opted_out(customer_id: UUID, *, is_out: bool, by: str, at: datetime) -> SurveyOptedOut:
    """The fact that a customer wants no surveys, or wants them again; ``by`` customer, staff or consent."""
    return SurveyOptedOut(occurred_at=at, customer_id=customer_id, opted_out=is_out, by=by)


def _fact(kind: type[E], invitation: Invitation, at: datetime | None, **more: object) -> E:
    return kind.model_validate(
        {
            "occurred_at": at,
            "invitation_id": invitation.id,
            "ticket_number": invitation.ticket_number,
            "episode": invitation.episode,
            "customer_id": invitation.customer_id,
            "form": invitation.form,
            "dimensions": invitation.dimensions,
            **more,
        }
    )
