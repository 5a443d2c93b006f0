"""The questionnaires, as versioned data: an answer is only readable beside the exact words and scale that were shown.

A published version is never edited. Another wording, scale or set of items is a new version; invitations name theirs, so that old links go
on working and old answers keep their meaning. All ratings point the same way: 5 is the best.

What one customer is asked follows from the form and the id of his invitation alone: which half of a split he belongs to, and the order of
the items inside a shuffled block. So the page, REST and the check of his answers agree, and nobody can choose.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final
from uuid import UUID

from services.feedback.survey.chance import draw
from shared.events.codes import Locale

Words = Mapping[Locale, str]
"""One sentence in each of our languages."""

OVERALL: Final = "Q0"
"""Satisfaction as a whole."""
SOLVED: Final = "Y1"
"""Whether the problem is solved, in the customer's eyes."""
RECOMMEND: Final = "N1"
"""Likelihood to recommend."""

NOT_APPLICABLE: Final = "not_applicable"
"""The answer "this does not concern me": an answer, and no score."""


class FormType(StrEnum):
    """What a form is for; the first part of its code."""

    TRANSACTIONAL = "T1"
    """After a resolution."""
    RELATIONSHIP = "T2"
    """How the customer sees us as a whole."""
    PULSE = "T3"
    """After a promotion, a holiday, the launch of a service."""
    SOLVED = "S1"
    """The one question "is it solved?" after a complaint: a service message, not a survey."""

    @classmethod
    def of(cls, code: str) -> FormType:
        """The type of a form by its code, e.g. T1.2."""
        return cls(code.partition(".")[0])


class Kind(StrEnum):
    """How a question is answered."""

    RATING = "rating"
    """One of a few labelled points."""
    SCALE = "scale"
    """A number between two labelled ends."""
    CHOICE = "choice"
    """One of a few words."""
    TEXT = "text"
    """The customer's own words."""


class Half(StrEnum):
    """Which random half of the customers an item is asked of."""

    FIRST = "first"
    SECOND = "second"


@dataclass(frozen=True, slots=True)
class Option:
    """One possible answer: what is stored, and what is shown."""

    value: int | str
    words: Words


@dataclass(frozen=True, slots=True)
class Question:
    """One item of the question bank. ``ends`` are the words at the two ends of a scale; without ``half`` everybody is asked."""

    id: str
    kind: Kind
    words: Words
    required: bool = False
    not_applicable: bool = False
    options: tuple[Option, ...] = ()
    ends: tuple[Words, Words] | None = None
    half: Half | None = None

    @property
    def is_scored(self) -> bool:
        """Answered by a number that counts in figures."""
        return self.kind in (Kind.RATING, Kind.SCALE)


@dataclass(frozen=True, slots=True)
class Block:
    """Items that belong together; ``lead`` is the sentence that they complete. Shuffled: each customer has his own order."""

    questions: tuple[Question, ...]
    lead: Words | None = None
    is_shuffled: bool = False

    def asked_of(self, invitation_id: UUID, half: Half) -> Block:
        """The items of this customer, in his order."""
        questions = [question for question in self.questions if question.half in (None, half)]
        if self.is_shuffled:
            questions.sort(key=lambda question: draw(invitation_id, f"order/{question.id}"))
        return replace(self, questions=tuple(questions))


@dataclass(frozen=True, slots=True)
class Questionnaire:
    """What one customer is asked. ``not_asked`` are the items of the form that the other half gets."""

    code: str
    is_anonymous: bool
    blocks: tuple[Block, ...]
    not_asked: frozenset[str] = frozenset()

    @property
    def questions(self) -> tuple[Question, ...]:
        """All items in their order."""
        return tuple(question for block in self.blocks for question in block.questions)

    @property
    def text_question(self) -> Question | None:
        """The item that takes the comment."""
        return next((question for question in self.questions if question.kind is Kind.TEXT), None)


@dataclass(frozen=True, slots=True)
class Form:
    """A version of a questionnaire. ``code`` is what invitations and events call it."""

    type: FormType
    version: int
    blocks: tuple[Block, ...]
    is_anonymous: bool = False

    @property
    def code(self) -> str:
        """Type and version, e.g. T1.2."""
        return f"{self.type}.{self.version}"

    @property
    def questions(self) -> tuple[Question, ...]:
        """Every item, whoever is asked."""
        return tuple(question for block in self.blocks for question in block.questions)

    def of_half(self, half: Half) -> tuple[Question, ...]:
        """The items that this half is asked, in the order of the form."""
        return tuple(question for question in self.questions if question.half in (None, half))

    def asked_of(self, invitation_id: UUID) -> Questionnaire:
        """What the customer of this invitation is asked, always the same."""
        half = half_of(invitation_id)
        blocks = tuple(block.asked_of(invitation_id, half) for block in self.blocks)
        asked = tuple(block for block in blocks if block.questions)
        ids = {question.id for block in asked for question in block.questions}
        return Questionnaire(self.code, self.is_anonymous, asked, frozenset(question.id for question in self.questions) - ids)


def half_of(invitation_id: UUID) -> Half:
    """The random half that this invitation belongs to."""
    return Half.FIRST if draw(invitation_id, "half") < 0.5 else Half.SECOND
