"""What is hidden so that an anonymous answer stays anonymous."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.feedback.survey.anonymity import SMALLEST_CELL, hidden, midnight, month_span

pytestmark = pytest.mark.pure

cells = st.lists(st.integers(0, 30), max_size=12)


@given(cells)
def test_no_cell_of_one_to_four_is_shown(counts: list[int]) -> None:
    assert all(is_hidden for count, is_hidden in zip(counts, hidden(counts), strict=True) if 0 < count < SMALLEST_CELL)


@given(cells)
def test_what_is_hidden_cannot_be_reckoned_from_the_total(counts: list[int]) -> None:
    covered = hidden(counts)
    together = sum(count for count, is_hidden in zip(counts, covered, strict=True) if is_hidden)

    assert (
        not any(covered) or together >= SMALLEST_CELL or all(is_hidden for count, is_hidden in zip(counts, covered, strict=True) if count)
    )


@given(st.lists(st.integers(SMALLEST_CELL, 30) | st.just(0), max_size=12))
def test_where_no_cell_is_small_all_are_shown(counts: list[int]) -> None:
    assert not any(hidden(counts))


def test_beside_one_small_cell_the_smallest_other_one_is_hidden_too() -> None:
    assert hidden([20, 2, 9, 7]) == [False, True, False, True]
    assert hidden([20, 2, 3, 7]) == [False, True, True, False]


@given(st.integers(0, 10 * 365 * 24 * 60).map(lambda minutes: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)))
def test_of_a_moment_only_the_day_of_the_organisation_is_kept(at: datetime) -> None:
    zone = ZoneInfo("Asia/Shanghai")
    day = midnight(at, zone)

    assert day <= at < day + timedelta(days=1)
    assert day.astimezone(zone).date() == at.astimezone(zone).date()


def test_a_month_ends_where_the_next_one_begins() -> None:
    assert month_span("2026-11") == (date(2026, 11, 1), date(2026, 12, 1))
    assert month_span("2026-12") == (date(2026, 12, 1), date(2027, 1, 1))
