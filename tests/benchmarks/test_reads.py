"""What is asked of lists and searches: other calls in each round, and never those of the warm-up."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest

from benchmarks.many_tickets import Drawn
from benchmarks.reads import KINDS, PAGES, WARM_PAGES, Answered, Call, Draw, Found
from services.tickets.store.lists import Sort

pytestmark = pytest.mark.pure

NOW = datetime(2026, 12, 1, tzinfo=UTC)
DRAWN = [Drawn(f"AS-20250601-{number:07X}", UUID(int=number), f"SN-{number:08d}") for number in range(1_000)]


def calls(kind: str, seed: str, pages: range = PAGES) -> list[Call]:
    return KINDS[kind](Draw(seed, pages, NOW), DRAWN)


@pytest.mark.parametrize("kind", ["lists", "search"])
def test_no_call_of_the_warm_up_is_asked_again(kind: str) -> None:
    warm = {path for _, path in calls(kind, "warm-up", WARM_PAGES)}

    assert all(warm.isdisjoint(path for _, path in calls(kind, f"0 {time}")) for time in range(20))


@pytest.mark.parametrize("kind", KINDS)
def test_rounds_ask_the_same_questions_by_other_calls(kind: str) -> None:
    first, second = calls(kind, "0 0"), calls(kind, "1 0")

    assert [question for question, _ in first] == [question for question, _ in second]
    assert sum(one == other for one, other in zip(first, second, strict=True)) < len(first) / 10


def test_all_doors_are_asked_the_same() -> None:
    assert calls("lists", "0 0") == calls("lists", "0 0")


def test_each_filter_is_asked_in_each_order() -> None:
    questions = [question for question, _ in calls("lists", "0 0")]

    assert len(questions) == len(set(questions))
    assert {question.rpartition(", ")[2] for question in questions} == set(Sort)


def test_a_slow_question_is_not_hidden_by_the_others() -> None:
    found = Found()
    found.keep("lists", Answered({"quick": [10.0] * 97, "slow": [900.0] * 3}, 1.0, 1.0))

    assert found.p95["lists"] == [10.0]
    assert found.took["lists"]["slow"] == [900.0] * 3
