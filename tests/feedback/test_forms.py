"""The questionnaires: complete in every language, the same for a customer whenever he looks, and fit to be published."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.feedback.migrations import first_forms
from services.feedback.schemas.forms import FormBody
from services.feedback.survey.forms import Block, Form, FormType, Half, Kind, Question, Words, half_of
from services.feedback.survey.publishing import FEWEST, MOST, require_publishable
from shared.errors import Invalid
from shared.events.codes import Locale
from tests.feedback.builders import FORMS, S1_1, T1_1, T1_2, T2_1

pytestmark = pytest.mark.pure

invitations = st.uuids()


def _all_words() -> Iterator[Words]:
    for form in FORMS:
        yield from (block.lead for block in form.blocks if block.lead)
        for question in form.questions:
            yield question.words
            yield from (option.words for option in question.options)
            yield from question.ends or ()


def test_every_word_is_there_in_every_language() -> None:
    for words in _all_words():
        assert set(words) == set(Locale)
        assert all(text.strip() for text in words.values())


def test_traditional_words_were_not_left_simplified() -> None:
    simplified = set("务满问题决业态为进还给没让经过处时间应专")

    assert {text for words in _all_words() for text in [words[Locale.ZH_TW]] if simplified & set(text)} == set()


def test_the_survey_after_a_resolution_asks_eight_items_of_all_and_one_more_of_each_half() -> None:
    assert {question.id for question in T1_2.questions if question.half is None} == {"Q0", "Q1", "Q2", "Q3", "Q4", "Q6", "Y1", "O1"}
    assert {question.id: question.half for question in T1_2.questions if question.half} == {"N1": Half.FIRST, "Q5": Half.SECOND}
    assert [question.id for question in T1_2.questions if question.required] == ["Q0"]
    assert {question.id for question in T1_2.questions if question.not_applicable} == {"Q1", "Q2", "Q3", "Q4", "Q5", "Q6"}


def test_the_first_form_stays_readable_for_those_who_have_its_link() -> None:
    asked = {question.id: question for question in T1_1.asked_of(UUID(int=7)).questions}

    assert list(asked) == ["Q0", "Y1", "N1", "O1"]
    assert [option.value for option in asked["Q0"].options] == [1, 2, 3, 4, 5]
    assert [option.value for option in asked["Y1"].options] == ["yes", "partly", "no"]
    assert [option.value for option in asked["N1"].options] == list(range(11))
    assert asked["O1"].kind is Kind.TEXT


def test_after_a_complaint_there_is_one_question() -> None:
    assert [question.id for question in S1_1.asked_of(UUID(int=7)).questions] == ["Y1"]


def test_ratings_point_the_same_way() -> None:
    for question in (question for form in FORMS for question in form.questions if question.kind is Kind.RATING):
        assert [option.value for option in question.options] == [1, 2, 3, 4, 5]
        assert question.options[-1].words[Locale.EN] == "Very satisfied"


@given(invitations)
def test_a_customer_is_asked_the_same_whenever_he_looks(invitation: UUID) -> None:
    assert T1_2.asked_of(invitation) == T1_2.asked_of(UUID(str(invitation)))


@given(invitations, st.sampled_from([T1_2, T2_1]))
def test_the_overall_question_comes_first_so_that_nothing_primes_it(invitation: UUID, form: Form) -> None:
    assert form.asked_of(invitation).questions[0].id == "Q0"


@given(invitations)
def test_each_customer_is_asked_nine_items_the_blocks_in_their_order(invitation: UUID) -> None:
    asked = T1_2.asked_of(invitation)
    ids = [question.id for question in asked.questions]

    assert len(ids) == len(set(ids)) == 9
    assert set(ids) == {question.id for question in T1_2.of_half(half_of(invitation))}
    assert asked.not_asked == {"N1", "Q5"} - set(ids)
    assert ids[-1] == "O1"
    assert ids.index("Y1") > max(ids.index(id_) for id_ in ids if id_.startswith("Q"))


def test_the_order_inside_a_shuffled_block_differs_between_customers() -> None:
    first = [T1_2.asked_of(UUID(int=place)).questions[1].id for place in range(600)]

    counts = {id_: first.count(id_) for id_ in set(first)}
    assert set(counts) == {"Q1", "Q2", "Q3", "Q4", "Q5", "Q6"}
    assert all(counts[id_] > 60 for id_ in ("Q1", "Q2", "Q3", "Q4", "Q6"))


@pytest.mark.parametrize("form", [T1_2, T2_1, S1_1])
def test_the_forms_of_the_house_are_fit_to_be_published(form: Form) -> None:
    require_publishable(form)


@pytest.mark.parametrize("form", FORMS)
def test_a_form_is_the_same_after_it_was_kept_as_json(form: Form) -> None:
    kept = FormBody.of(form).model_dump_json()

    assert FormBody.model_validate_json(kept).form(form.type, form.version) == form


def codes(form: Form) -> dict[str, str]:
    with pytest.raises(Invalid) as refused:
        require_publishable(form)
    return {error.pointer: error.code for error in refused.value.errors}


def form_of(definition: dict[str, Any], type_: FormType = FormType.TRANSACTIONAL) -> Form:
    return FormBody.model_validate(definition).form(type_, 3)


def changed(id_: str, **changes: Any) -> Form:
    """T1.2 with one question changed."""

    def block_with(block: Block) -> Block:
        return replace(
            block, questions=tuple(replace(question, **changes) if question.id == id_ else question for question in block.questions)
        )

    return replace(T1_2, blocks=tuple(map(block_with, T1_2.blocks)))


def question(id_: str) -> Question:
    return next(found for found in T1_2.questions if found.id == id_)


def test_a_form_of_fewer_than_five_or_more_than_ten_items_is_refused() -> None:
    assert codes(T1_1) == {"/blocks": "item_count"}
    many = tuple(replace(question("Q1"), id=f"X{place}") for place in range(MOST - 8))
    assert codes(replace(T1_2, blocks=(*T1_2.blocks, Block(many)))) == {"/blocks": "item_count"}
    assert FEWEST == 5


@pytest.mark.parametrize(
    ("form", "wrong"),
    [
        (changed("Q1", id="Q2"), {"/blocks/1/items/1/id": "repeated"}),
        (changed("Q0", required=False), {"/blocks/0": "overall_first"}),
        (changed("Q0", not_applicable=True), {"/blocks/0": "overall_first"}),
        (replace(T1_2, blocks=(*T1_2.blocks[1:], T1_2.blocks[0])), {"/blocks/0": "overall_first"}),
        (changed("N1", required=True), {"/blocks/2/items/1/required": "half_required"}),
        (changed("O1", required=True), {"/blocks/3/items/0/required": "text_required"}),
        (changed("Y1", not_applicable=True), {"/blocks/2/items/0/not_applicable": "not_scored"}),
        (changed("Q0", kind=Kind.CHOICE), {"/blocks/0/items/0/type": "bank_kind", "/blocks/0/items/0/options": "choice_values"}),
        (changed("Q1", options=question("Q1").options[:4]), {"/blocks/1/items/0/options": "bank_values"}),
        (changed("Q1", options=question("Q1").options[::-1]), {"/blocks/1/items/0/options": "not_in_order"}),
        (changed("Q1", id="X1", options=question("Q1").options[:1]), {"/blocks/1/items/0/options": "option_count"}),
        (changed("N1", ends=None), {"/blocks/2/items/1/ends": "ends"}),
        (changed("Q1", id="X1", kind=Kind.TEXT, not_applicable=False, options=()), {"/blocks/3/items/0": "second_text"}),
    ],
)
def test_what_is_wrong_with_a_form_is_told_with_its_place(form: Form, wrong: dict[str, str]) -> None:
    assert codes(form) == wrong


def test_the_question_after_a_complaint_is_asked_alone_and_by_name() -> None:
    assert codes(form_of(first_forms.T1_1, FormType.SOLVED)) == {"/blocks": "one_question"}
    assert codes(replace(S1_1, is_anonymous=True)) == {"/anonymous": "needs_identity"}


def test_own_items_may_be_added_with_their_own_scale() -> None:
    own = replace(question("Q1"), id="X1", options=question("Q1").options[:3])

    require_publishable(replace(T1_2, blocks=(*T1_2.blocks, Block((own,)))))
