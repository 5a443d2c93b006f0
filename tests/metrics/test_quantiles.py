"""Quantiles against a statistics library."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.special import bdtr, stdtrit

from services.metrics.intervals.quantiles import MANY, binomial_bounds, students_t

pytestmark = pytest.mark.pure


@given(st.one_of(st.integers(1, 2 * MANY), st.integers(1, 10**9)))
@example(MANY - 1)
@example(MANY)
def test_students_quantile_is_that_of_the_library(degrees: int) -> None:
    assert students_t(degrees) == pytest.approx(float(stdtrit(degrees, 0.975)), rel=1e-12)


@given(st.sampled_from([0.5, 0.9]), st.one_of(st.integers(1, 200), st.integers(1, 20_000)))
def test_the_bounds_of_a_binomial_are_where_the_librarys_sums_pass_them(share: float, n: int) -> None:
    low, high = binomial_bounds(share, n)

    assert bdtr(low, n, share) > 0.025
    assert low == 0 or bdtr(low - 1, n, share) <= 0.025
    assert bdtr(high, n, share) >= 0.975
    assert high == 0 or bdtr(high - 1, n, share) < 0.975


def test_the_service_does_without_the_library() -> None:
    loaded = "import services.metrics.__main__, sys; print([name for name in ('numpy', 'scipy') if name in sys.modules])"

    told = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)

    assert told.stdout.strip() == "[]"
