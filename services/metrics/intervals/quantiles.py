"""The two quantiles that intervals need: Student's t, and ranks of a binomial. Sums over integers in a fixed order, equal bit for bit.

A statistics library knows them as well, but keeps 45 MB in memory for two functions; the tests hold these against one.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate
from math import atan, cos, exp, lgamma, pi, sin, sqrt, tan
from typing import Final

Z: Final = 1.959963984540054
"""97.5 % quantile of the normal distribution."""
MANY: Final = 1000
"""Degrees of freedom from which on the expansion around the normal distribution is exact to the last digits."""
NOTHING: Final = 1e-19
"""Weights that are so much smaller than the largest one do not change a sum."""


@lru_cache(maxsize=4096)
def students_t(degrees: int) -> float:
    """97.5 % quantile of Student's t with so many degrees of freedom, at least 1."""
    if degrees >= MANY:
        return _expanded(degrees)
    angle, before = atan(Z / sqrt(degrees)), -1.0
    slope = 2 * exp(lgamma((degrees + 1) / 2) - lgamma(degrees / 2)) / sqrt(pi)
    # the share within an angle is concave, and the start lies below: each of Newton's steps goes up, until the digits end
    while angle > before:
        before = angle
        angle += (0.95 - _within(angle, degrees)) / (slope * cos(angle) ** (degrees - 1))
    return sqrt(degrees) * tan(before)


def _within(angle: float, degrees: int) -> float:
    """The share of values t with ``|t| < sqrt(degrees) * tan(angle)`` (Abramowitz and Stegun 26.7.3 and 26.7.4)."""
    square = cos(angle) ** 2
    is_odd = degrees % 2
    term, total = (cos(angle) if is_odd else 1.0), 0.0
    for factor in range(2 + is_odd, degrees + 1, 2):
        total += term
        term *= square * (factor - 1) / factor
    return (angle + sin(angle) * total) * 2 / pi if is_odd else sin(angle) * total


def _expanded(degrees: int) -> float:
    """Cornish and Fisher's expansion (Abramowitz and Stegun 26.7.5)."""
    z2 = Z * Z
    terms = (
        (z2 + 1) / 4,
        ((5 * z2 + 16) * z2 + 3) / 96,
        (((3 * z2 + 19) * z2 + 17) * z2 - 15) / 384,
        ((((79 * z2 + 776) * z2 + 1482) * z2 - 1920) * z2 - 945) / 92160,
    )
    return Z + sum(Z * term / float(degrees) ** power for power, term in enumerate(terms, start=1))


@lru_cache(maxsize=4096)
def binomial_bounds(share: float, n: int) -> tuple[int, int]:
    """How often something of this chance (between 0 and 1) happens in ``n`` >= 1 trials: the smallest counts that are not exceeded with
    more than 2.5 %, and with at least 97.5 %."""
    middle = min(n, int((n + 1) * share))
    down = [1.0, *_weights_below(middle, share, n)]
    up = _weights_above(middle, share, n)
    first = middle - len(down) + 1
    reached = list(accumulate([*reversed(down), *up]))
    return first + bisect_right(reached, 0.025 * reached[-1]), first + bisect_left(reached, 0.975 * reached[-1])


def _weights_below(middle: int, share: float, n: int) -> Iterator[float]:
    """How probable the counts below the middle are, beside it."""
    weight, odds = 1.0, (1 - share) / share
    for count in range(middle, 0, -1):
        weight *= odds * count / (n - count + 1)
        if weight < NOTHING:
            return
        yield weight


def _weights_above(middle: int, share: float, n: int) -> Iterator[float]:
    """The same for those above."""
    weight, odds = 1.0, share / (1 - share)
    for count in range(middle, n):
        weight *= odds * (n - count) / (count + 1)
        if weight < NOTHING:
            return
        yield weight
