"""The closed formulas against statsmodels, the tables of the catalogue, and what must hold for any counts."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.weightstats import DescrStatsW

from services.metrics.intervals import mean_of_scores, net_promoter_score, wilson

pytestmark = pytest.mark.pure

score_counts = st.dictionaries(st.integers(1, 5), st.integers(1, 200), min_size=1)


@given(st.integers(0, 500), st.integers(0, 500))
def test_the_interval_of_a_share_is_wilsons(numerator: int, others: int) -> None:
    n = numerator + others
    found = wilson(numerator, n)

    if n == 0:
        assert found is None
    else:
        assert found is not None
        assert found == pytest.approx(proportion_confint(numerator, n, method="wilson"), abs=1e-12)
        assert 0 <= found.low <= numerator / n <= found.high <= 1


@given(score_counts)
def test_the_interval_of_a_mean_is_students(counts: dict[int, int]) -> None:
    scores = np.repeat(list(counts), list(counts.values()))
    found = mean_of_scores(counts)

    if len(scores) < 2:
        assert found is None
    else:
        assert found is not None
        expected = (scores[0], scores[0]) if len(counts) == 1 else DescrStatsW(scores).tconfint_mean(alpha=0.05)
        assert found == pytest.approx(expected, abs=1e-9)


@given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 300))
def test_the_interval_of_the_nps_holds_the_adjusted_score_and_stays_on_its_scale(promoters: int, passives: int, detractors: int) -> None:
    n = promoters + passives + detractors
    found = net_promoter_score(promoters, detractors, n)

    if n == 0:
        assert found is None
    else:
        assert found is not None
        adjusted = 100 * (promoters - detractors) / (n + 3)
        assert -100 <= found.low <= adjusted <= found.high <= 100


@pytest.mark.parametrize(("n", "half_width"), [(20, 30), (50, 20), (100, 14), (200, 10), (400, 7.2), (1000, 4.5)])
def test_the_nps_interval_is_as_wide_as_the_catalogue_measured(n: int, half_width: float) -> None:
    found = net_promoter_score(round(0.55 * n), round(0.15 * n), n)

    assert found is not None
    assert (found.high - found.low) / 2 == pytest.approx(half_width, rel=0.07)


def test_the_nps_interval_covers_the_truth_as_often_as_it_promises() -> None:
    chance, runs, n = random.Random(1), 2_000, 20

    covered = 0
    for _ in range(runs):
        answers = chance.choices(("up", "same", "down"), weights=(55, 30, 15), k=n)
        found = net_promoter_score(answers.count("up"), answers.count("down"), n)
        covered += found is not None and found.low <= 40 <= found.high

    assert covered / runs == pytest.approx(0.945, abs=0.015)


@given(score_counts)
def test_the_same_counts_give_the_same_bits(counts: dict[int, int]) -> None:
    assert mean_of_scores(counts) == mean_of_scores(dict(sorted(counts.items(), reverse=True)))
