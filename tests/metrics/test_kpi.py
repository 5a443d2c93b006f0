"""Key figures out of counts: value, what is hidden, verdict."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.metrics.intervals import Interval
from services.metrics.kpi import DEFINITIONS, Direction, Kind, SmallSample, Verdict, figure, verdict

pytestmark = pytest.mark.pure

counts_of_scores = st.dictionaries(st.integers(0, 10).map(lambda score: f"score_{score}"), st.integers(0, 500))
RATE = DEFINITIONS["sla_first_response"]


def test_a_figure_of_nothing_is_none_never_zero() -> None:
    for definition in DEFINITIONS.values():
        found = figure(definition, {}, 0.5)
        assert found.n == 0
        assert found.value == (0 if definition.kind is Kind.COUNT else None)
        assert found.interval is None
        assert found.verdict in {None, Verdict.INCONCLUSIVE}


def test_a_rate_of_fewer_than_ten_shows_its_counts_alone() -> None:
    found = figure(RATE, {"numerator": 9, "denominator": 9}, 0.5)

    assert (found.value, found.interval, found.verdict) == (None, None, Verdict.INCONCLUSIVE)
    assert (found.numerator, found.denominator, found.n) == (9, 9, 9)
    assert found.small_sample is SmallSample.COUNTS_ONLY


def test_a_rate_of_fewer_than_thirty_is_shown_grey() -> None:
    found = figure(RATE, {"numerator": 29, "denominator": 29}, 0.5)

    assert (found.value, found.verdict, found.small_sample) == (1.0, Verdict.MET, SmallSample.GREY)
    assert figure(RATE, {"numerator": 30, "denominator": 30}, 0.5).small_sample is None


def test_a_mean_is_shown_at_any_size_but_not_judged_below_ten() -> None:
    found = figure(DEFINITIONS["csat_mean"], {"score_5": 2}, 4.2)

    assert (found.value, found.interval, found.verdict) == (5.0, Interval(5.0, 5.0), Verdict.INCONCLUSIVE)
    assert (found.numerator, found.denominator) == (10, 2)


def test_a_three_is_not_satisfied() -> None:
    found = figure(DEFINITIONS["csat_top2"], {"score_1": 5, "score_3": 5, "score_4": 10, "score_5": 20}, 0.8)

    assert (found.value, found.numerator, found.denominator) == (0.75, 30, 40)
    assert found.verdict is Verdict.INCONCLUSIVE


def test_a_count_has_no_interval_and_no_verdict() -> None:
    found = figure(DEFINITIONS["requests"], {"count": 4}, None)

    assert (found.value, found.numerator, found.denominator, found.n) == (4, 4, None, 4)
    assert (found.interval, found.verdict, found.small_sample) == (None, None, None)


def test_forty_points_of_a_hundred_answers_do_not_prove_that_forty_was_reached() -> None:
    found = figure(DEFINITIONS["nps"], {"score_10": 55, "score_8": 30, "score_3": 15}, 40)

    assert (found.value, found.numerator, found.denominator) == (40.0, 40, 100)
    assert found.verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(("score", "value"), [(0, -100), (6, -100), (7, 0), (8, 0), (9, 100), (10, 100)])
def test_promoters_give_nine_or_ten_and_detractors_at_most_six(score: int, value: int) -> None:
    assert figure(DEFINITIONS["nps"], {f"score_{score}": 50}, None).value == value


@given(st.lists(counts_of_scores, min_size=2, max_size=12))
def test_the_nps_of_a_year_comes_from_its_summed_counts(months: list[dict[str, int]]) -> None:
    year: Counter[str] = Counter()
    for month in months:
        year.update(month)
    found = figure(DEFINITIONS["nps"], year, None)

    promoters = sum(month.get("score_9", 0) + month.get("score_10", 0) for month in months)
    detractors = sum(n for month in months for measure, n in month.items() if int(measure[6:]) <= 6)
    assert (found.numerator, found.n) == (promoters - detractors, sum(sum(month.values()) for month in months))
    if found.n >= 10:
        assert found.value == 100 * (promoters - detractors) / found.n


def test_the_nps_of_a_year_is_not_the_mean_of_its_months() -> None:
    nps = DEFINITIONS["nps"]
    busy, quiet = {"score_10": 90, "score_0": 10}, {"score_0": 10}

    monthly = [figure(nps, month, None).value for month in (busy, quiet)]

    assert monthly == [80, -100]
    assert figure(nps, Counter(busy) + Counter(quiet), None).value == pytest.approx(100 * 70 / 110)


@given(st.integers(0, 500), st.integers(0, 500))
def test_a_ratio_lies_between_nothing_and_all(numerator: int, others: int) -> None:
    found = figure(RATE, {"numerator": numerator, "denominator": numerator + others}, 0.95)

    assert found.value is None or 0 <= found.value <= 1
    assert found.interval is None or 0 <= found.interval.low <= found.interval.high <= 1


@pytest.mark.parametrize(
    ("low", "high", "direction", "expected"),
    [
        (0.95, 0.99, Direction.AT_LEAST, Verdict.MET),
        (0.94, 0.99, Direction.AT_LEAST, Verdict.INCONCLUSIVE),
        (0.90, 0.95, Direction.AT_LEAST, Verdict.INCONCLUSIVE),
        (0.90, 0.94, Direction.AT_LEAST, Verdict.MISSED),
        (0.90, 0.95, Direction.AT_MOST, Verdict.MET),
        (0.90, 0.96, Direction.AT_MOST, Verdict.INCONCLUSIVE),
        (0.96, 0.99, Direction.AT_MOST, Verdict.MISSED),
    ],
)
def test_a_target_is_met_or_missed_only_by_the_whole_interval(low: float, high: float, direction: Direction, expected: Verdict) -> None:
    assert verdict(Interval(low, high), 0.95, direction) is expected


def test_without_a_target_there_is_no_verdict() -> None:
    assert verdict(Interval(0, 1), None, Direction.AT_LEAST) is None
