"""The questionnaires are complete in every language and say what they measure."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from services.feedback.survey.forms import AFTER_RESOLUTION, FORMS, Kind, Words
from shared.events.codes import Locale

pytestmark = pytest.mark.pure


def _all_words() -> Iterator[Words]:
    for form in FORMS.values():
        for question in form.questions:
            yield question.words
            yield from (option.words for option in question.options)
            yield from question.ends or ()


def test_every_word_is_there_in_every_language() -> None:
    for words in _all_words():
        assert set(words) == set(Locale)
        assert all(text.strip() for text in words.values())


def test_the_survey_after_a_resolution_asks_for_satisfaction_solution_recommendation_and_words() -> None:
    questions = {question.id: question for question in AFTER_RESOLUTION.questions}

    assert AFTER_RESOLUTION.code == "T1.1"
    assert list(questions) == ["Q0", "Y1", "N1", "O1"]
    assert [option.value for option in questions["Q0"].options] == [1, 2, 3, 4, 5]
    assert [option.value for option in questions["Y1"].options] == ["yes", "partly", "no"]
    assert [option.value for option in questions["N1"].options] == list(range(11))
    assert questions["O1"].kind is Kind.TEXT
    assert [question.id for question in questions.values() if question.required] == ["Q0"]


def test_the_overall_question_comes_first_so_that_nothing_primes_it() -> None:
    assert all(form.questions[0].id == "Q0" for form in FORMS.values())


def test_ratings_point_the_same_way() -> None:
    best = AFTER_RESOLUTION.questions[0].options[-1]

    assert best.words[Locale.EN] == "Very satisfied"
    assert best.value == 5
