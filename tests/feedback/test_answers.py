"""What counts as an answer, and which one calls for more work."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.feedback.survey.answers import Answers, check, from_fields
from services.feedback.survey.forms import NOT_APPLICABLE, Half, half_of
from services.feedback.survey.invitations import invitation_id
from shared.errors import Invalid
from shared.events.codes import MAX_TEXT
from tests.feedback.builders import NUMBER, T1_1, T1_2, new_number

pytestmark = pytest.mark.pure

OLD = T1_1.asked_of(invitation_id(NUMBER, 1))
"""Four questions: Q0, Y1, N1, O1."""

ratings = st.integers(1, 5)
choices = st.sampled_from(["yes", "partly", "no"])
likelihoods = st.integers(0, 10)
words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=200)
legal = st.fixed_dictionaries({"Q0": ratings}, optional={"Y1": choices, "N1": likelihoods})
junk = st.none() | st.booleans() | st.floats() | st.integers() | st.text() | st.lists(st.integers()) | st.dictionaries(st.text(), st.none())


def _codes(answers: object, comment: object = None) -> dict[str, str]:
    with pytest.raises(Invalid) as refused:
        check(OLD, answers, comment)  # type: ignore[arg-type]
    return {error.pointer: error.code for error in refused.value.errors}


@given(legal, st.none() | words)
def test_every_legal_answer_is_taken_as_it_is(values: dict[str, int | str], comment: str | None) -> None:
    answers = check(OLD, values, comment)

    assert answers.values == values
    assert answers.scores == {id_: value for id_, value in values.items() if id_ in {"Q0", "N1"}}
    assert (answers.overall, answers.solved, answers.recommend) == (values["Q0"], values.get("Y1"), values.get("N1"))
    assert answers.comment == ((comment or "").replace("\r\n", "\n").strip() or None)


@given(legal)
def test_an_html_form_says_the_same_in_text(values: dict[str, int | str]) -> None:
    fields = {id_: str(value) for id_, value in values.items()} | {"O1": ""}

    assert check(OLD, from_fields(OLD, fields)) == check(OLD, values)


@given(st.dictionaries(st.sampled_from(["Q0", "Y1", "N1", "O1", "Q9", "\ud800", "a/b"]) | st.text(max_size=5), junk), junk)
def test_whatever_comes_in_is_either_an_answer_or_refused_with_its_places(values: dict[str, object], comment: object) -> None:
    try:
        answers = check(OLD, values, comment)
    except Invalid as error:
        answers, refused = None, error.errors
    else:
        refused = ()

    assert (answers is None) == bool(refused)
    assert all(error.pointer.encode().startswith((b"/answers", b"/comment")) for error in refused)
    assert answers is None or answers.overall in range(1, 6)
    assert answers is None or answers.recommend in {None, *range(11)}
    assert answers is None or answers.solved in {None, "yes", "partly", "no"}


@pytest.mark.parametrize("score", [0, 6, -1, 10**30])
def test_a_score_out_of_range_is_refused_by_name(score: int) -> None:
    assert _codes({"Q0": score}) == {"/answers/Q0": "out_of_range"}


@pytest.mark.parametrize("value", [True, "5", 4.0, [5], {"value": 5}])
def test_a_score_of_another_type_is_refused(value: object) -> None:
    assert _codes({"Q0": value}) == {"/answers/Q0": "wrong_type"}


def test_an_unknown_question_is_refused() -> None:
    assert _codes({"Q0": 5, "Q7": 5}) == {"/answers/Q7": "unknown_question"}


def test_a_name_that_cannot_be_printed_is_not_repeated() -> None:
    assert _codes({"Q0": 5, "\ud800": 1}) == {"/answers": "unknown_question"}


def test_a_missing_overall_score_is_named() -> None:
    assert _codes({}) == {"/answers/Q0": "required"}
    assert _codes({"Q0": None}) == {"/answers/Q0": "required"}


def test_an_unknown_choice_is_refused() -> None:
    assert _codes({"Q0": 3, "Y1": "maybe"}) == {"/answers/Y1": "unknown_option"}
    assert _codes({"Q0": 3, "Y1": 1}) == {"/answers/Y1": "wrong_type"}


def test_everything_wrong_is_told_at_once() -> None:
    assert _codes({"Q0": 9, "Y1": "si", "N1": 11, "Z": 1}, comment=5) == {
        "/answers/Q0": "out_of_range",
        "/answers/Y1": "unknown_option",
        "/answers/N1": "out_of_range",
        "/answers/Z": "unknown_question",
        "/comment": "wrong_type",
    }


@pytest.mark.parametrize("text", ["a\0b", "\ud83d", "half \udc00 pair"])
def test_text_that_no_database_holds_is_refused(text: str) -> None:
    assert _codes({"Q0": 5}, comment=text) == {"/comment": "bad_text"}
    assert _codes({"Q0": 5, "O1": text}) == {"/answers/O1": "bad_text"}


def test_the_longest_comment_is_taken_and_one_character_more_is_not() -> None:
    assert check(OLD, {"Q0": 5}, "好" * MAX_TEXT).comment == "好" * MAX_TEXT
    assert _codes({"Q0": 5}, comment="好" * (MAX_TEXT + 1)) == {"/comment": "too_long"}


def test_the_comment_may_come_as_answer_to_its_question_but_only_once() -> None:
    assert check(OLD, {"Q0": 5, "O1": " well done "}).comment == "well done"
    assert _codes({"Q0": 5, "O1": "a"}, comment="b") == {"/comment": "duplicate"}


def test_a_comment_of_blanks_is_none() -> None:
    assert check(OLD, {"Q0": 5}, " \r\n ").comment is None


@pytest.mark.parametrize(
    ("values", "is_low"),
    [
        ({"Q0": 1}, True),
        ({"Q0": 2, "Y1": "yes"}, True),
        ({"Q0": 3}, False),
        ({"Q0": 5, "Y1": "no"}, True),
        ({"Q0": 3, "Y1": "partly"}, False),
        ({"Q0": 3, "N1": 0}, False),
    ],
)
def test_low_is_an_overall_score_up_to_two_or_not_solved(values: dict[str, int | str], is_low: bool) -> None:
    assert Answers(values).is_low is is_low


@given(ratings, ratings, choices)
def test_a_better_score_never_makes_an_answer_low(one: int, other: int, solved: str) -> None:
    worse, better = sorted([one, other])

    assert Answers({"Q0": worse, "Y1": solved}).is_low or not Answers({"Q0": better, "Y1": solved}).is_low


@pytest.mark.parametrize(("half", "other"), [(Half.FIRST, "Q5"), (Half.SECOND, "N1")])
def test_an_item_that_only_the_other_half_is_asked_is_refused_as_not_asked(half: Half, other: str) -> None:
    questionnaire = T1_2.asked_of(invitation_id(new_number(half), 1))

    with pytest.raises(Invalid) as refused:
        check(questionnaire, {"Q0": 5, other: 5})

    assert [(error.pointer, error.code) for error in refused.value.errors] == [(f"/answers/{other}", "not_asked")]


def test_not_applicable_is_an_answer_and_no_score() -> None:
    questionnaire = T1_2.asked_of(invitation_id(NUMBER, 1))

    answers = check(questionnaire, {"Q0": 4, "Q3": NOT_APPLICABLE, "Q4": 2})

    assert answers.values == {"Q0": 4, "Q3": NOT_APPLICABLE, "Q4": 2}
    assert answers.scores == {"Q0": 4, "Q4": 2}


def test_the_overall_score_is_never_not_applicable() -> None:
    assert _codes({"Q0": NOT_APPLICABLE}) == {"/answers/Q0": "wrong_type"}


@pytest.mark.parametrize(
    ("values", "comment", "flags"),
    [
        ({"Q0": 5}, None, ()),
        ({"Q0": 2}, None, ("low",)),
        ({"Q0": 5, "Y1": "no"}, None, ("low", "not_solved")),
        ({"Q0": 5, "Y1": "partly"}, "I want a refund", ("complaint",)),
        ({"Q0": 1, "Y1": "no"}, "我要投诉", ("low", "not_solved", "complaint")),
    ],
)
def test_flags_say_what_an_answer_asks_for(values: dict[str, int | str], comment: str | None, flags: tuple[str, ...]) -> None:
    assert Answers(values, comment).flags == flags


def test_both_halves_are_about_as_large() -> None:
    first = sum(half_of(invitation_id(f"AS-{place}", 1)) is Half.FIRST for place in range(2_000))

    # five standard deviations of a fair coin
    assert abs(first - 1_000) < 5 * (2_000 * 0.25) ** 0.5
