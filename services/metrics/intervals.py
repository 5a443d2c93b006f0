"""95 % confidence intervals of the live figures: closed formulas over integer counts, so that a recomputation is equal bit for bit.

Wilson for a share, Student's t for a mean of scores, adjusted Wald (Rocks 2016) for the Net Promoter Score. No resampling, no chance.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from typing import Final, NamedTuple

from scipy.special import stdtrit

Z: Final = 1.959963984540054
"""97.5 % quantile of the normal distribution."""


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
    half = float(stdtrit(n - 1, 0.975)) * sqrt(variance / n)
    return Interval(total / n - half, total / n + half)


def net_promoter_score(promoters: int, detractors: int, n: int) -> Interval | None:
    """Promoters minus detractors, -100 to 100: three answers are added, a quarter of each kind at the ends. None without an answer."""
    if n == 0:
        return None
    adjusted = n + 3
    up, down = (promoters + 0.75) / adjusted, (detractors + 0.75) / adjusted
    half = Z * sqrt((up + down - (up - down) ** 2) / adjusted)
    return Interval(max(-100.0, 100 * (up - down - half)), min(100.0, 100 * (up - down + half)))
