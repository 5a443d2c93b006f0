"""A form as JSON: what managers publish, what staff read, and how it is kept in the database."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.feedback.survey.forms import Block, Form, FormType, Half, Kind, Option, Question, Words
from shared.events.codes import Locale
from shared.http.fields import Boolean, Line, RequestModel

QuestionId = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9]{0,9}$")]
Score = Annotated[int, Field(strict=True, ge=0, le=10)]
Choice = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]{0,19}$")]

_WORDS: Final[dict[str, Any]] = {"zh-CN": "服务响应速度", "zh-TW": "服務回應速度", "en": "Speed of our response"}

_DISSATISFIED: Final = {"zh-CN": "非常不满意", "zh-TW": "非常不滿意", "en": "Very dissatisfied"}
_SATISFIED: Final = {"zh-CN": "非常满意", "zh-TW": "非常滿意", "en": "Very satisfied"}
_FORM: Final[dict[str, Any]] = {
    "blocks": [
        {
            "lead": {
                "zh-CN": "您对以下各方面满意吗？",
                "zh-TW": "您對以下各方面滿意嗎？",
                "en": "How satisfied are you with each of these?",
            },
            "shuffled": True,
            "items": [
                {
                    "id": "X1",
                    "type": "rating",
                    "texts": _WORDS,
                    "not_applicable": True,
                    "options": [{"value": 1, "texts": _DISSATISFIED}, {"value": 2, "texts": _SATISFIED}],
                }
            ],
        }
    ],
    "anonymous": False,
}
"""The shape alone; a form that is fit to be published has five items or more."""


class TextsBody(RequestModel):
    """One sentence in each of our languages, reviewed by people: none may be missing."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True, json_schema_extra={"examples": [_WORDS]})

    zh_cn: Line = Field(alias="zh-CN")
    zh_tw: Line = Field(alias="zh-TW")
    en: Line

    @property
    def words(self) -> Words:
        """By language."""
        return {Locale.ZH_CN: self.zh_cn, Locale.ZH_TW: self.zh_tw, Locale.EN: self.en}

    @classmethod
    def of(cls, words: Words) -> TextsBody:
        """The same as JSON."""
        return cls.model_validate({locale.value: text for locale, text in words.items()})


class OptionBody(RequestModel):
    """One labelled point of a rating (a score) or one choice (a code)."""

    value: Score | Choice
    texts: TextsBody

    @property
    def option(self) -> Option:
        """For the trade."""
        return Option(self.value, self.texts.words)


class ScaleBody(RequestModel):
    """All whole numbers from low to high, with words at both ends."""

    low: Score
    high: Score
    low_texts: TextsBody
    high_texts: TextsBody

    @property
    def options(self) -> tuple[Option, ...]:
        """Each number, in figures."""
        return tuple(Option(number, dict.fromkeys(Locale, str(number))) for number in range(self.low, self.high + 1))


class QuestionBody(RequestModel):
    """One item."""

    id: QuestionId = Field(description="of the question bank, such as Q1, or one of your own")
    type: Kind = Field(description="rating: 1 to 5, each point labelled; scale: labelled at its ends; choice: one of a few words; text")
    texts: TextsBody
    required: Boolean = False
    not_applicable: Boolean = Field(default=False, description="whether 'does not concern me' may be chosen; it counts as no score")
    options: list[OptionBody] = Field(default=[], max_length=11, description="of a rating or choice")
    scale: ScaleBody | None = Field(default=None, description="of a scale")
    asked_of: Half | None = Field(default=None, description="a random half of the customers; without it everybody")

    @property
    def question(self) -> Question:
        """For the trade."""
        options = self.scale.options if self.scale else tuple(option.option for option in self.options)
        ends = (self.scale.low_texts.words, self.scale.high_texts.words) if self.scale else None
        return Question(self.id, self.type, self.texts.words, self.required, self.not_applicable, options, ends, self.asked_of)

    @classmethod
    def of(cls, question: Question) -> QuestionBody:
        """The same as JSON."""
        return cls(
            id=question.id,
            type=question.kind,
            texts=TextsBody.of(question.words),
            required=question.required,
            not_applicable=question.not_applicable,
            options=[OptionBody(value=option.value, texts=TextsBody.of(option.words)) for option in question.options if not question.ends],
            scale=_scale(question),
            asked_of=question.half,
        )


class BlockBody(RequestModel):
    """Items that belong together."""

    items: list[QuestionBody] = Field(min_length=1, max_length=20)
    lead: TextsBody | None = Field(default=None, description="the sentence that the items complete")
    shuffled: Boolean = Field(default=False, description="whether each customer gets the items in an order of his own")

    @property
    def block(self) -> Block:
        """For the trade."""
        return Block(tuple(item.question for item in self.items), self.lead.words if self.lead else None, self.shuffled)

    @classmethod
    def of(cls, block: Block) -> BlockBody:
        """The same as JSON."""
        items = [QuestionBody.of(question) for question in block.questions]
        return cls(items=items, lead=TextsBody.of(block.lead) if block.lead else None, shuffled=block.is_shuffled)


class FormBody(RequestModel):
    """A new version of a form."""

    model_config = ConfigDict(json_schema_extra={"examples": [_FORM]})

    blocks: list[BlockBody] = Field(min_length=1, max_length=10)
    anonymous: Boolean = Field(default=False, description="answers are kept without any key that leads back; nobody can follow them up")

    def form(self, type_: FormType, version: int) -> Form:
        """For the trade, as this version."""
        return Form(type_, version, tuple(block.block for block in self.blocks), self.anonymous)

    @classmethod
    def of(cls, form: Form) -> FormBody:
        """The same as JSON."""
        return cls(blocks=[BlockBody.of(block) for block in form.blocks], anonymous=form.is_anonymous)


class FormOut(BaseModel):
    """A published version."""

    form: str = Field(description="type and version, e.g. T1.2")
    type: FormType = Field(description="T1 after a resolution, T2 relationship, T3 pulse, S1 the one question after a complaint")
    version: int
    is_active: bool = Field(description="whether new invitations ask it")
    published_at: datetime
    published_by: str
    anonymous: bool
    blocks: list[BlockBody]

    @classmethod
    def of(cls, form: Form, *, is_active: bool, published_at: datetime, published_by: str) -> FormOut:
        """As staff read it."""
        return cls(
            form=form.code,
            type=form.type,
            version=form.version,
            is_active=is_active,
            published_at=published_at,
            published_by=published_by,
            anonymous=form.is_anonymous,
            blocks=FormBody.of(form).blocks,
        )


def _scale(question: Question) -> ScaleBody | None:
    if question.ends is None:
        return None
    low, high = question.ends
    return ScaleBody(
        low=int(question.options[0].value),
        high=int(question.options[-1].value),
        low_texts=TextsBody.of(low),
        high_texts=TextsBody.of(high),
    )
