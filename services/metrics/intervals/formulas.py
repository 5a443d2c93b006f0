"""The formulas: Wilson for a share, Student's t for a mean, adjusted Wald (Rocks 2016) for the Net Promoter Score, order statistics for a
percentile. No resampling, no chance.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, sqrt
from typing import NamedTuple

from services.metrics.intervals import quantiles
from services.metrics.intervals.quantiles import Z


class Interval(NamedTuple):
    """Bounds, both inclusive, in the unit of the figure."""

    low: float
    high: float


def wilson(numerator: int, denominator: int) -> Interval | None:
    """A share, 0 to 1; also right at 0 and at all. None without a case."""
    if denominator == 0:
        return None
    share, z2 = numerator / denominator, Z * Z
    centre = (share + z2 / (2 * denominator)) / (1 + z2 / denominator)
    half = Z * sqrt(share * (1 - share) / denominator + z2 / (4 * denominator * denominator)) / (1 + z2 / denominator)
    low = 0.0 if numerator == 0 else centre - half
    high = 1.0 if numerator == denominator else centre + half
    return Interval(low, high)


def mean_of_scores(counts: Mapping[int, int]) -> Interval | None:
    """The mean of scores given as {score: how often}, by Student's t. None below two answers: one has no spread."""
    n = sum(counts.values())
    if n < 2:
        return None
    total = sum(score * count for score, count in counts.items())
    squares = sum(score * score * count for score, count in counts.items())
    # n * sum(x^2) - (sum x)^2 is an exact integer: no cancellation
    variance = (n * squares - total * total) / (n * (n - 1))
    return students_t(total / n, variance, n)


def students_t(mean: float, variance: float, n: int) -> Interval:
    """A mean of ``n`` >= 2 values with this sample variance."""
    half = quantiles.students_t(n - 1) * sqrt(variance / n)
    return Interval(mean - half, mean + half)


def net_promoter_score(promoters: int, detractors: int, n: int) -> Interval | None:
    """Promoters minus detractors, -100 to 100: three answers are added, a quarter of each kind at the ends. None without an answer."""
    if n == 0:
        return None
    adjusted = n + 3
    up, down = (promoters + 0.75) / adjusted, (detractors + 0.75) / adjusted
    half = Z * sqrt((up + down - (up - down) ** 2) / adjusted)
    return Interval(max(-100.0, 100 * (up - down - half)), min(100.0, 100 * (up - down + half)))


def rank_of(share: float, n: int) -> int:
    """The rank, from 1, of the smallest of ``n`` >= 1 values that so large a share does not exceed."""
    return max(1, ceil(share * n - 1e-9))


def ranks_around(share: float, n: int) -> tuple[int, int] | None:
    """The ranks between which the percentile of the whole lies with 95 %, whatever its distribution; None while n is too small for it.

    How many of n values lie below the percentile is binomial: the lower rank leaves at most 2.5 % below it, the upper one above.
    """
    low, high = quantiles.binomial_bounds(share, n)
    return (low, high + 1) if low >= 1 and high < n else None
