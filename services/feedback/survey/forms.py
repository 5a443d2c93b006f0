"""The questionnaires, as versioned data: an answer is only readable beside the exact words and scale that were shown.

A form is never edited. Another wording, scale or set of items is a new version; invitations name theirs, so that old links go on working
and old answers keep their meaning. All ratings point the same way: 5 is the best.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from shared.events.codes import Locale

Words = Mapping[Locale, str]
"""One sentence in each of our languages."""


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


@dataclass(frozen=True, slots=True)
class Option:
    """One possible answer: what is stored, and what is shown."""

    value: int | str
    words: Words


@dataclass(frozen=True, slots=True)
class Question:
    """One item of the question bank. ``ends`` are the words at the two ends of a scale."""

    id: str
    kind: Kind
    words: Words
    required: bool = False
    options: tuple[Option, ...] = ()
    ends: tuple[Words, Words] | None = None

    @property
    def is_scored(self) -> bool:
        """Answered by a number that counts in figures."""
        return self.kind in (Kind.RATING, Kind.SCALE)


@dataclass(frozen=True, slots=True)
class Form:
    """A questionnaire. ``code`` is what invitations and events call it."""

    id: str
    version: int
    questions: tuple[Question, ...]

    @property
    def code(self) -> str:
        """Id and version, e.g. T1.1."""
        return f"{self.id}.{self.version}"

    @property
    def text_question(self) -> Question | None:
        """The item that takes the comment."""
        return next((question for question in self.questions if question.kind is Kind.TEXT), None)


def _words(zh_cn: str, zh_tw: str, en: str) -> Words:
    return {Locale.ZH_CN: zh_cn, Locale.ZH_TW: zh_tw, Locale.EN: en}


SATISFACTION: Final = (
    Option(1, _words("非常不满意", "非常不滿意", "Very dissatisfied")),
    Option(2, _words("不满意", "不滿意", "Dissatisfied")),
    Option(3, _words("一般", "普通", "Neutral")),
    Option(4, _words("满意", "滿意", "Satisfied")),
    Option(5, _words("非常满意", "非常滿意", "Very satisfied")),
)

OVERALL: Final = Question(
    id="Q0",
    kind=Kind.RATING,
    words=_words("您对本次服务整体满意吗？", "您對本次服務整體滿意嗎？", "Overall, how satisfied are you with this service?"),
    required=True,
    options=SATISFACTION,
)
SOLVED: Final = Question(
    id="Y1",
    kind=Kind.CHOICE,
    words=_words("您的问题解决了吗？", "您的問題解決了嗎？", "Has your problem been solved?"),
    options=(
        Option("yes", _words("是", "是", "Yes")),
        Option("partly", _words("部分", "部分", "Partly")),
        Option("no", _words("否", "否", "No")),
    ),
)
RECOMMEND: Final = Question(
    id="N1",
    kind=Kind.SCALE,
    words=_words("您有多大可能向朋友推荐我们？", "您有多大可能向朋友推薦我們？", "How likely are you to recommend us to a friend?"),
    options=tuple(Option(number, _words(str(number), str(number), str(number))) for number in range(11)),
    ends=(_words("完全不可能", "完全不可能", "Not at all likely"), _words("非常可能", "非常可能", "Extremely likely")),
)
COMMENT: Final = Question(
    id="O1",
    kind=Kind.TEXT,
    words=_words("还有哪些需要改进的地方？", "還有哪些需要改進的地方？", "What should we improve?"),
)

T1_1: Final = Form(id="T1", version=1, questions=(OVERALL, SOLVED, RECOMMEND, COMMENT))
"""Transactional survey after a resolution."""

FORMS: Final[Mapping[str, Form]] = {form.code: form for form in (T1_1,)}
"""Every version that an invitation may still name."""

AFTER_RESOLUTION: Final = T1_1
"""What new invitations ask."""
