"""What an interval says about a target, and what a small sample allows to say."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from services.metrics.intervals import Interval
from services.metrics.kpi.definitions import Direction


class Verdict(StrEnum):
    """What the interval says about the target."""

    MET = "met"
    MISSED = "missed"
    INCONCLUSIVE = "inconclusive"


class SmallSample(StrEnum):
    """How a figure of few cases is to be shown."""

    GREY = "grey"
    """Fewer than 30: show it, but grey."""
    COUNTS_ONLY = "counts_only"
    """Fewer than 10: no rate, only its counts; no verdict."""


GREY_BELOW: Final = 30
COUNTS_ONLY_BELOW: Final = 10


def verdict(interval: Interval | None, target: float | None, direction: Direction | None) -> Verdict | None:
    """Met or missed only when the whole interval lies on one side of the target; None where nothing is aimed at."""
    if target is None or direction is None:
        return None
    if interval is None:
        return Verdict.INCONCLUSIVE
    if direction is Direction.AT_LEAST:
        is_met, is_missed = interval.low >= target, interval.high < target
    else:
        is_met, is_missed = interval.high <= target, interval.low > target
    return Verdict.MET if is_met else Verdict.MISSED if is_missed else Verdict.INCONCLUSIVE


def small_sample(n: int) -> SmallSample | None:
    """How to show a figure of ``n`` cases; None = as it is."""
    if n < COUNTS_ONLY_BELOW:
        return SmallSample.COUNTS_ONLY
    return SmallSample.GREY if n < GREY_BELOW else None
