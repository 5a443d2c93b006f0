"""What goes in and out over REST. Parsed here, checked against the form in `survey/answers.py`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, WithJsonSchema

from services.feedback.survey.answers import Answers
from services.feedback.survey.forms import Form, Kind, Question
from services.feedback.survey.invitations import Invitation, State
from shared.events.codes import MAX_TEXT, Locale
from shared.http.fields import RequestModel, Storable

MAX_ANSWERS: Final = 100
"""Answers in one body; forms have ten questions at most."""

_EXAMPLE: Final[dict[str, Any]] = {"answers": {"Q0": 5, "Y1": "yes", "N1": 9}, "comment": "Quick and friendly."}

Given = Annotated[
    dict[str, Any],
    Field(max_length=MAX_ANSWERS, description="value of each answered question, by its id"),
    WithJsonSchema(
        {"type": "object", "maxProperties": MAX_ANSWERS, "additionalProperties": {"anyOf": [{"type": "integer"}, {"type": "string"}]}}
    ),
]
"""Answers as they came in: which values are right only the form knows."""


class AnswersBody(RequestModel):
    """The answers to one survey."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    answers: Given
    comment: Annotated[str, StringConstraints(strip_whitespace=True, max_length=MAX_TEXT), Storable] | None = Field(
        default=None, description="the customer's own words; the same as an answer to the form's text question"
    )


class OptionOut(BaseModel):
    """One possible answer."""

    value: int | str
    label: str


class QuestionOut(BaseModel):
    """One question, in the language of the answer."""

    id: str
    type: Kind = Field(description="rating and scale take a whole number, choice one of the words, text any text")
    text: str
    required: bool
    options: list[OptionOut]
    low_label: str | None = Field(default=None, description="what the lower end of a scale means")
    high_label: str | None = Field(default=None, description="what the upper end of a scale means")
    max_length: int | None = Field(default=None, description="characters of a text")

    @classmethod
    def of(cls, question: Question, locale: Locale) -> QuestionOut:
        """The question in this language."""
        low, high = (None, None) if question.ends is None else (ends[locale] for ends in question.ends)
        return cls(
            id=question.id,
            type=question.kind,
            text=question.words[locale],
            required=question.required,
            options=[OptionOut(value=option.value, label=option.words[locale]) for option in question.options],
            low_label=low,
            high_label=high,
            max_length=MAX_TEXT if question.kind is Kind.TEXT else None,
        )


class SurveyOut(BaseModel):
    """A survey that may be answered now."""

    form: str = Field(description="form and version, e.g. T1.1")
    ticket_number: str
    locale: Locale
    expires_at: datetime
    questions: list[QuestionOut]

    @classmethod
    def of(cls, invitation: Invitation, form: Form, locale: Locale) -> SurveyOut:
        """The survey in this language."""
        assert invitation.expires_at is not None
        return cls(
            form=form.code,
            ticket_number=invitation.ticket_number,
            locale=locale,
            expires_at=invitation.expires_at,
            questions=[QuestionOut.of(question, locale) for question in form.questions],
        )


class AnsweredOut(BaseModel):
    """The answer was recorded and is final."""

    ticket_number: str
    form: str
    answered_at: datetime
    will_follow_up: bool = Field(description="the answer was low: the request is taken up again")

    @classmethod
    def of(cls, invitation: Invitation, answers: Answers) -> AnsweredOut:
        """What the customer may know about his answer."""
        assert invitation.answered_at is not None
        return cls(
            ticket_number=invitation.ticket_number,
            form=invitation.form,
            answered_at=invitation.answered_at,
            will_follow_up=answers.is_low,
        )


class GivenOut(BaseModel):
    """What a customer answered, as staff see it."""

    overall: int | None
    recommend: int | None
    solved: Literal["yes", "partly", "no"] | None
    answers: dict[str, int | str] = Field(description="all answers but the comment, by question id")
    comment: str | None
    is_low: bool


class InvitationOut(BaseModel):
    """One invitation, with its answer when there is one."""

    id: UUID
    ticket_number: str
    episode: int = Field(description="which resolution of the ticket it asks about, from 1")
    customer_id: UUID
    form: str
    locale: Locale
    state: State
    resolved_at: datetime
    invited_at: datetime | None
    expires_at: datetime | None
    answered_at: datetime | None
    cancelled_at: datetime | None
    answer: GivenOut | None

    @classmethod
    def of(cls, invitation: Invitation, answers: Answers | None, at: datetime) -> InvitationOut:
        """The invitation as it stands at the moment ``at``."""
        return cls(
            id=invitation.id,
            ticket_number=invitation.ticket_number,
            episode=invitation.episode,
            customer_id=invitation.customer_id,
            form=invitation.form,
            locale=invitation.locale,
            state=invitation.state(at),
            resolved_at=invitation.resolved_at,
            invited_at=invitation.invited_at,
            expires_at=invitation.expires_at,
            answered_at=invitation.answered_at,
            cancelled_at=invitation.cancelled_at,
            answer=None if answers is None else _given(answers),
        )


def _given(answers: Answers) -> GivenOut:
    return GivenOut(
        overall=answers.overall,
        recommend=answers.recommend,
        solved=answers.solved,
        answers=dict(answers.values),
        comment=answers.comment,
        is_low=answers.is_low,
    )
