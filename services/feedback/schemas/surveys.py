"""A survey as a customer's program reads and answers it. Parsed here, checked against the questionnaire in `survey/answers.py`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, WithJsonSchema

from services.feedback.survey.forms import NOT_APPLICABLE, Kind, Question, Questionnaire, Words
from services.feedback.survey.invitations import Invitation
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
    not_applicable: bool = Field(description=f"whether `{NOT_APPLICABLE}` may be answered; it counts as no score")
    lead: str | None = Field(default=None, description="the sentence that the question completes")
    options: list[OptionOut]
    low_label: str | None = Field(default=None, description="what the lower end of a scale means")
    high_label: str | None = Field(default=None, description="what the upper end of a scale means")
    max_length: int | None = Field(default=None, description="characters of a text")

    @classmethod
    def of(cls, question: Question, lead: Words | None, locale: Locale) -> QuestionOut:
        """The question in this language."""
        low, high = (None, None) if question.ends is None else (ends[locale] for ends in question.ends)
        return cls(
            id=question.id,
            type=question.kind,
            text=question.words[locale],
            required=question.required,
            not_applicable=question.not_applicable,
            lead=None if lead is None else lead[locale],
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
    anonymous: bool = Field(description="the answers are kept without any key that leads back; nobody can follow them up")
    questions: list[QuestionOut] = Field(description="what this customer is asked, in his order; other items of the form are refused")

    @classmethod
    def of(cls, invitation: Invitation, questionnaire: Questionnaire, locale: Locale) -> SurveyOut:
        """The survey in this language."""
        assert invitation.expires_at is not None
        return cls(
            form=questionnaire.code,
            ticket_number=invitation.ticket_number,
            locale=locale,
            expires_at=invitation.expires_at,
            anonymous=questionnaire.is_anonymous,
            questions=[QuestionOut.of(question, block.lead, locale) for block in questionnaire.blocks for question in block.questions],
        )


class AnsweredOut(BaseModel):
    """The answer was recorded and is final."""

    ticket_number: str
    form: str
    answered_at: datetime = Field(description="of an anonymous answer the beginning of the day")
    will_follow_up: bool = Field(description="the answer was low: the request is taken up again; never after an anonymous one")

    @classmethod
    def of(cls, invitation: Invitation, *, will_follow_up: bool) -> AnsweredOut:
        """What the customer may know about his answer."""
        assert invitation.answered_at is not None
        return cls(
            ticket_number=invitation.ticket_number,
            form=invitation.form,
            answered_at=invitation.answered_at,
            will_follow_up=will_follow_up,
        )
