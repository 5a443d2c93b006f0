"""What counts as an answer. Everything wrong is told at once, each with its place, so that nobody corrects one field after the other."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, cast

from services.feedback.survey.complaints import complaint_words
from services.feedback.survey.forms import NOT_APPLICABLE, OVERALL, RECOMMEND, SOLVED, Kind, Question, Questionnaire
from shared.errors import FieldError, Invalid
from shared.events.codes import MAX_TEXT

LOW_OVERALL: Final = 2
"""The highest overall score that still says that something went wrong (D11)."""

LOW: Final = "low"
NOT_SOLVED: Final = "not_solved"
COMPLAINT: Final = "complaint"
FLAGS: Final = (LOW, NOT_SOLVED, COMPLAINT)
"""What an answer can ask for, as codes."""

Solved = Literal["yes", "partly", "no"]

COMMENT_POINTER: Final = "/comment"
_PLAIN: Final = re.compile(r"[A-Za-z0-9_]{1,20}")
_NUMBER: Final = re.compile(r"[0-9]{1,3}")
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")
"""NUL and lone halves of surrogate pairs: no database and no UTF-8 message can hold them."""


@dataclass(frozen=True, slots=True)
class Answers:
    """A customer's answers to one questionnaire, checked. ``values`` by question id, without the comment."""

    values: Mapping[str, int | str] = field(default_factory=dict)
    comment: str | None = None

    @property
    def scores(self) -> dict[str, int]:
        """The answers that are numbers, by question id."""
        return {id_: value for id_, value in self.values.items() if isinstance(value, int)}

    @property
    def overall(self) -> int | None:
        """Satisfaction as a whole, 1 to 5."""
        return self.scores.get(OVERALL)

    @property
    def recommend(self) -> int | None:
        """Likelihood to recommend, 0 to 10."""
        return self.scores.get(RECOMMEND)

    @property
    def solved(self) -> Solved | None:
        """Whether the problem is solved, in the customer's eyes."""
        return cast("Solved | None", self.values.get(SOLVED))

    @property
    def is_low(self) -> bool:
        """Whether the case must be taken up again: overall 2 or less, or not solved. Partly solved alone is not low (D11)."""
        return self.solved == "no" or (self.overall is not None and self.overall <= LOW_OVERALL)

    @property
    def flags(self) -> tuple[str, ...]:
        """What the answer asks for: low scores, not solved, a complaint in the comment."""
        asked = (self.is_low, self.solved == "no", bool(complaint_words(self.comment)))
        return tuple(flag for flag, is_asked in zip(FLAGS, asked, strict=True) if is_asked)


def check(form: Questionnaire, given: Mapping[str, object], comment: object = None) -> Answers:
    """The answers to a questionnaire, from values as they came in. The comment may also come under the id of the form's text question.

    Raises:
        Invalid: unknown question, one that only other customers are asked, value of the wrong type or out of range, required answer
            missing, text that cannot be kept; one error with a pointer for each.
    """
    errors = list(_unknown(form, given))
    values: dict[str, int | str] = {}
    for question in form.questions:
        if question.kind is Kind.TEXT:
            continue
        value = given.get(question.id)
        if value is None:
            errors += [_error(question.id, "required", "an answer is required")] if question.required else []
        elif (error := _wrong(question, value)) is not None:
            errors.append(error)
        else:
            values[question.id] = cast("int | str", value)
    text, wrong_text = _comment(form, given, comment)
    errors += wrong_text
    if errors:
        raise Invalid("the answers do not fit the form", errors=errors)
    return Answers(values, text)


def from_fields(form: Questionnaire, fields: Mapping[str, str]) -> dict[str, object]:
    """The values behind the fields of an HTML form, where everything is text: numbers of scored questions become numbers."""
    scored = {question.id for question in form.questions if question.is_scored}
    return {name: int(text) if name in scored and _NUMBER.fullmatch(text) else text for name, text in fields.items() if text != ""}


def _unknown(form: Questionnaire, given: Mapping[str, object]) -> Iterator[FieldError]:
    known = {question.id for question in form.questions}
    for name in given:
        if name in form.not_asked:
            yield _error(name, "not_asked", "this survey does not ask this question; read its questions first")
        elif name not in known:
            # a name that is not even plain is not repeated: it may not be printable
            yield _error(name if _PLAIN.fullmatch(name) else None, "unknown_question", "the form has no such question")


def _wrong(question: Question, value: object) -> FieldError | None:
    if question.not_applicable and value == NOT_APPLICABLE:
        return None
    expected = int if question.is_scored else str
    # True is an int in Python; in an answer it is a mistake
    if isinstance(value, bool) or not isinstance(value, expected):
        return _error(question.id, "wrong_type", "a whole number is expected" if question.is_scored else "a text is expected")
    allowed = [option.value for option in question.options]
    if value in allowed:
        return None
    if question.is_scored:
        return _error(question.id, "out_of_range", f"a whole number from {allowed[0]} to {allowed[-1]} is expected")
    return _error(question.id, "unknown_option", f"one of {', '.join(map(str, allowed))} is expected")


def _comment(form: Questionnaire, given: Mapping[str, object], comment: object) -> tuple[str | None, list[FieldError]]:
    question = form.text_question
    inside = None if question is None else given.get(question.id)
    if question is None or inside is None:
        return _text(comment, COMMENT_POINTER)
    if comment is not None:
        return None, [FieldError(COMMENT_POINTER, "duplicate", f"give the comment once: here or as answer to {question.id}")]
    return _text(inside, f"/answers/{question.id}")


def _text(value: object, pointer: str) -> tuple[str | None, list[FieldError]]:
    if value is None:
        return None, []
    if not isinstance(value, str):
        return None, [FieldError(pointer, "wrong_type", "a text is expected")]
    if _UNSTORABLE.search(value):
        return None, [FieldError(pointer, "bad_text", "NUL characters and lone surrogates are not text")]
    text = value.replace("\r\n", "\n").strip()
    if len(text) > MAX_TEXT:
        return None, [FieldError(pointer, "too_long", f"at most {MAX_TEXT} characters")]
    return text or None, []


def _error(question_id: str | None, code: str, detail: str) -> FieldError:
    return FieldError("/answers" if question_id is None else f"/answers/{question_id}", code, detail)
