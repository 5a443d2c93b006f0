"""The key figures as declared data, and what becomes of their counts: value, interval, target, verdict.

A definition says what a figure is and in which direction it is good; where its counts come from is told in the service's README and
decided in `projection`. Ratios are made last, from summed counts: a year's figure comes from the year's counts, never from twelve
figures. A figure of nothing is None, never 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from services.metrics import intervals
from services.metrics.intervals import Interval


class Kind(StrEnum):
    """How a value and its interval come out of counts."""

    COUNT = "count"
    """How often; no interval."""
    RATE = "rate"
    """Numerator / denominator of one cohort; Wilson."""
    MEAN = "mean"
    """Sum of scores / answers; t-interval."""
    NPS = "nps"
    """Promoters minus detractors per hundred answers; adjusted Wald."""


class Direction(StrEnum):
    """Which side of the target is the good one."""

    AT_LEAST = "at_least"
    AT_MOST = "at_most"


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
PROMOTER: Final = range(9, 11)
DETRACTOR: Final = range(7)


@dataclass(frozen=True, slots=True)
class Definition:
    """One key figure. ``version`` rises when what is counted changes; ``has_window`` = reopenings of the next 7 days still change it."""

    id: str
    version: int
    title: str
    kind: Kind
    unit: str
    direction: Direction | None = None
    has_window: bool = False


@dataclass(frozen=True, slots=True)
class Figure:
    """A key figure of one range and one group."""

    value: float | None
    numerator: int
    denominator: int | None
    n: int
    interval: Interval | None
    verdict: Verdict | None
    small_sample: SmallSample | None


_DEFINED: Final = (
    Definition("requests", 1, "requests received", Kind.COUNT, "requests"),
    Definition("tickets_opened", 1, "tickets opened", Kind.COUNT, "tickets"),
    Definition("tickets_resolved", 1, "resolutions given", Kind.COUNT, "resolutions"),
    Definition("sla_first_response", 1, "first responses in time", Kind.RATE, "ratio", Direction.AT_LEAST),
    Definition("resolution_rate", 1, "tickets solved for good", Kind.RATE, "ratio", Direction.AT_LEAST, has_window=True),
    Definition("reopen_rate", 1, "resolutions that did not hold", Kind.RATE, "ratio", Direction.AT_MOST, has_window=True),
    Definition("csat_mean", 1, "overall satisfaction", Kind.MEAN, "score 1-5", Direction.AT_LEAST),
    Definition("nps", 1, "Net Promoter Score, transactional", Kind.NPS, "points -100..100", Direction.AT_LEAST),
)
DEFINITIONS: Final[Mapping[str, Definition]] = {definition.id: definition for definition in _DEFINED}

Counts = Mapping[str, int]
"""Summed rollup rows of one figure by measure: count; numerator and denominator; or score_<n>."""


def figure(definition: Definition, counts: Counts, target: float | None) -> Figure:
    """A figure out of its counts; ``target`` in the unit of the value."""
    whole = _whole(definition, counts)
    if definition.kind is Kind.COUNT:
        return whole
    small = small_sample(whole.n)
    is_hidden = small is SmallSample.COUNTS_ONLY
    # a mean is shown at any size; a share of few is noise that looks like news
    shows_value = not is_hidden or definition.kind is Kind.MEAN
    interval = whole.interval if shows_value else None
    return Figure(
        value=whole.value if shows_value else None,
        numerator=whole.numerator,
        denominator=whole.denominator,
        n=whole.n,
        interval=interval,
        verdict=verdict(None if is_hidden else interval, target, definition.direction),
        small_sample=small,
    )


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


# ------------------------------------------------------------------ value and interval


def _whole(definition: Definition, counts: Counts) -> Figure:
    """The figure as computed, nothing hidden, not judged."""
    match definition.kind:
        case Kind.COUNT:
            count = counts.get("count", 0)
            return Figure(count, count, None, count, None, None, None)
        case Kind.RATE:
            numerator, denominator = counts.get("numerator", 0), counts.get("denominator", 0)
            return _ratio(numerator, denominator, intervals.wilson(numerator, denominator))
        case Kind.MEAN:
            scores = scores_of(counts)
            return _ratio(sum(score * n for score, n in scores.items()), sum(scores.values()), intervals.mean_of_scores(scores))
        case Kind.NPS:
            scores = scores_of(counts)
            promoters, detractors = _within(scores, PROMOTER), _within(scores, DETRACTOR)
            n = sum(scores.values())
            return _ratio(promoters - detractors, n, intervals.net_promoter_score(promoters, detractors, n), scale=100)


def _ratio(numerator: int, denominator: int, interval: Interval | None, *, scale: int = 1) -> Figure:
    value = None if denominator == 0 else scale * numerator / denominator
    return Figure(value, numerator, denominator, denominator, interval, None, None)


def scores_of(counts: Counts) -> dict[int, int]:
    """How often each score was given."""
    return {int(measure.removeprefix("score_")): n for measure, n in counts.items() if measure.startswith("score_") and n}


def _within(scores: Mapping[int, int], wanted: range) -> int:
    return sum(n for score, n in scores.items() if score in wanted)
