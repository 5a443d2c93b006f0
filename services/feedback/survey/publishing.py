"""What makes a form fit to be published. Everything wrong is told at once, each with its place in the draft.

Figures rely on the items of the question bank: Q0 is always the same five points, N1 always 0 to 10. Their words may be improved from
version to version, their kind and values may not. Other items may be added under ids of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from services.feedback.survey.forms import NOT_APPLICABLE, OVERALL, RECOMMEND, SOLVED, Form, FormType, Half, Kind, Question
from shared.errors import FieldError, Invalid

FEWEST: Final = 5
MOST: Final = 10
"""Items that one customer is asked: enough to see the dimensions, done within two minutes."""

_RATINGS: Final = frozenset({*(f"Q{number}" for number in range(11)), *(f"P{number}" for number in range(1, 5))})
_BANK: Final[Mapping[str, tuple[Kind, tuple[int | str, ...]]]] = {
    **dict.fromkeys(_RATINGS, (Kind.RATING, (1, 2, 3, 4, 5))),
    RECOMMEND: (Kind.SCALE, tuple(range(11))),
    "C1": (Kind.SCALE, tuple(range(1, 8))),
    SOLVED: (Kind.CHOICE, ("yes", "partly", "no")),
    "O1": (Kind.TEXT, ()),
}
"""Kind and values of each item whose answers figures are made of."""


def require_publishable(form: Form) -> None:
    """Nothing when the form may be published.

    Raises:
        Invalid: one error with a pointer for each rule that it breaks.
    """
    errors = [*_size(form), *_repeated(form), *_first(form), *_texts(form), *_items(form)]
    if form.type is FormType.SOLVED and form.is_anonymous:
        errors.append(FieldError("/anonymous", "needs_identity", "whether a complaint is solved can only be asked by name"))
    if errors:
        raise Invalid("the form cannot be published", errors=errors)


def _size(form: Form) -> Iterator[FieldError]:
    if form.type is FormType.SOLVED:
        if [question.id for question in form.questions] != [SOLVED]:
            yield FieldError("/blocks", "one_question", f"{FormType.SOLVED} asks {SOLVED} and nothing else")
        return
    for half in Half:
        count = len(form.of_half(half))
        if not FEWEST <= count <= MOST:
            yield FieldError("/blocks", "item_count", f"the {half} half would be asked {count} items; {FEWEST} to {MOST} are allowed")
            return


def _repeated(form: Form) -> Iterator[FieldError]:
    seen: set[str] = set()
    for place, question in _places(form):
        if question.id in seen:
            yield FieldError(f"{place}/id", "repeated", f"{question.id} is in the form already")
        seen.add(question.id)


def _first(form: Form) -> Iterator[FieldError]:
    """The overall item comes first, alone in its block, so that no other item primes it."""
    if form.type is FormType.SOLVED:
        return
    first = form.blocks[0].questions
    if [question.id for question in first] != [OVERALL] or not first[0].required or first[0].half is not None or first[0].not_applicable:
        yield FieldError(
            "/blocks/0", "overall_first", f"the first block is {OVERALL} alone, required, asked of everybody, without not applicable"
        )


def _texts(form: Form) -> Iterator[FieldError]:
    texts = [place for place, question in _places(form) if question.kind is Kind.TEXT]
    for place in texts[1:]:
        yield FieldError(place, "second_text", "a form has one item for the customer's own words")


def _items(form: Form) -> Iterator[FieldError]:
    for place, question in _places(form):
        yield from _of_the_bank(place, question)
        yield from _values(place, question)
        if question.not_applicable and not question.is_scored:
            yield FieldError(f"{place}/not_applicable", "not_scored", "only ratings and scales can be not applicable")
        if question.required and question.half is not None:
            yield FieldError(f"{place}/required", "half_required", "an item that only one half is asked cannot be required")
        if question.required and question.kind is Kind.TEXT:
            yield FieldError(f"{place}/required", "text_required", "nobody is made to write")


def _of_the_bank(place: str, question: Question) -> Iterator[FieldError]:
    known = _BANK.get(question.id)
    if known is None:
        return
    kind, values = known
    if question.kind is not kind:
        yield FieldError(f"{place}/type", "bank_kind", f"{question.id} is of type {kind}")
    elif tuple(option.value for option in question.options) != values:
        yield FieldError(f"{place}/options", "bank_values", f"the values of {question.id} are {', '.join(map(str, values))}")


def _values(place: str, question: Question) -> Iterator[FieldError]:
    values = [option.value for option in question.options]
    if question.kind is Kind.TEXT:
        if values:
            yield FieldError(f"{place}/options", "text_options", "a text has no options")
        return
    if len(values) < 2 or len(set(values)) != len(values):
        yield FieldError(f"{place}/options", "option_count", "at least two options, each once")
    elif question.is_scored and values != list(range(_low(values), _low(values) + len(values))):
        yield FieldError(f"{place}/options", "not_in_order", "scores are whole numbers, rising by one, the best last")
    elif question.kind is Kind.CHOICE and (NOT_APPLICABLE in values or not all(isinstance(value, str) for value in values)):
        yield FieldError(f"{place}/options", "choice_values", f"choices are codes, and none is {NOT_APPLICABLE}")
    if (question.ends is not None) != (question.kind is Kind.SCALE):
        yield FieldError(f"{place}/ends", "ends", "a scale, and only a scale, has words at its two ends")


def _low(values: list[int | str]) -> int:
    return values[0] if isinstance(values[0], int) else 0


def _places(form: Form) -> Iterator[tuple[str, Question]]:
    for block_place, block in enumerate(form.blocks):
        for place, question in enumerate(block.questions):
            yield f"/blocks/{block_place}/items/{place}", question
