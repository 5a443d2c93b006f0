"""Figures out of their counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from services.metrics import intervals
from services.metrics.intervals import Interval
from services.metrics.kpi.definitions import AGE_EDGES, Clock, Definition, Kind
from services.metrics.kpi.durations import Counts, Durations, Estimate
from services.metrics.kpi.verdicts import SmallSample, Verdict, small_sample, verdict

__all__ = ["Counts", "Figure", "Share", "figure"]

PROMOTER: Final = range(9, 11)
DETRACTOR: Final = range(7)
SATISFIED: Final = range(4, 6)
SHOWN_AT_ANY_SIZE: Final = frozenset({Kind.MEAN, Kind.DURATION, Kind.AGE})
"""A mean is shown at any size; a share of few is noise that looks like news."""


@dataclass(frozen=True, slots=True)
class Share:
    """Of the durations, those within a limit (seconds); of few only the counts, as of any rate."""

    limit: float
    value: float | None
    numerator: int
    denominator: int
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class Figure:
    """A key figure of one range and one group."""

    value: float | None
    numerator: int
    denominator: int | None
    n: int
    interval: Interval | None = None
    verdict: Verdict | None = None
    small_sample: SmallSample | None = None
    median: Estimate | None = None
    p90: Estimate | None = None
    within: Share | None = None
    classes: tuple[int, ...] | None = None
    """How many in each class of `AGE_EDGES`."""


def figure(definition: Definition, counts: Counts, target: float | None, clock: Clock = Clock.BUSINESS) -> Figure:
    """A figure out of its counts; ``target`` in the unit of the value.

    Counts are summed rollup rows by measure: count; numerator and denominator; score_<n>; or <clock>_ms and <clock>_<class>.
    """
    whole = _whole(definition, counts, clock)
    if definition.kind is Kind.COUNT:
        return whole
    small = small_sample(whole.n)
    is_hidden = small is SmallSample.COUNTS_ONLY
    shows_value = not is_hidden or definition.kind in SHOWN_AT_ANY_SIZE
    interval = whole.interval if shows_value else None
    return replace(
        whole,
        value=whole.value if shows_value else None,
        interval=interval,
        verdict=verdict(None if is_hidden else interval, target, definition.direction),
        small_sample=small,
    )


def _whole(definition: Definition, counts: Counts, clock: Clock) -> Figure:
    """The figure as computed, nothing hidden, not judged."""
    match definition.kind:
        case Kind.COUNT:
            count = counts.get("count", 0)
            return Figure(count, count, None, count)
        case Kind.RATE:
            return _rate(counts.get("numerator", 0), counts.get("denominator", 0))
        case Kind.TOP2:
            scores = scores_of(counts)
            return _rate(_within(scores, SATISFIED), sum(scores.values()))
        case Kind.MEAN:
            scores = scores_of(counts)
            total = sum(score * n for score, n in scores.items())
            return _ratio(total, sum(scores.values()), intervals.mean_of_scores(scores))
        case Kind.NPS:
            scores = scores_of(counts)
            promoters, detractors = _within(scores, PROMOTER), _within(scores, DETRACTOR)
            n = sum(scores.values())
            return _ratio(promoters - detractors, n, intervals.net_promoter_score(promoters, detractors, n), scale=100)
        case Kind.DURATION:
            return _duration(definition, counts, clock)
        case Kind.AGE:
            return _age(counts)


def _rate(numerator: int, denominator: int) -> Figure:
    return _ratio(numerator, denominator, intervals.wilson(numerator, denominator))


def _ratio(numerator: int, denominator: int, interval: Interval | None, *, scale: int = 1) -> Figure:
    value = None if denominator == 0 else scale * numerator / denominator
    return Figure(value, numerator, denominator, denominator, interval)


def _duration(definition: Definition, counts: Counts, clock: Clock) -> Figure:
    spent = Durations.of(counts, clock)
    return Figure(
        value=spent.mean(),
        numerator=spent.total_ms,
        denominator=spent.n,
        n=spent.n,
        interval=spent.interval_of_mean(),
        median=spent.percentile(0.5),
        p90=spent.percentile(0.9),
        within=_share(definition.limit, counts.get("within", 0), spent.n) if clock is Clock.BUSINESS else None,
    )


def _share(limit: float | None, numerator: int, denominator: int) -> Share | None:
    if limit is None or denominator == 0:
        return None
    if small_sample(denominator) is SmallSample.COUNTS_ONLY:
        return Share(limit, None, numerator, denominator, None)
    return Share(limit, numerator / denominator, numerator, denominator, intervals.wilson(numerator, denominator))


def _age(counts: Counts) -> Figure:
    ages = Durations.of(counts, Clock.CALENDAR)
    return Figure(
        value=ages.mean(),
        numerator=ages.total_ms,
        denominator=ages.n,
        n=ages.n,
        median=ages.percentile(0.5, is_sample=False),
        p90=ages.percentile(0.9, is_sample=False),
        classes=tuple(counts.get(f"age_{place}", 0) for place in range(len(AGE_EDGES))),
    )


def scores_of(counts: Counts) -> dict[int, int]:
    """How often each score was given."""
    return {int(measure.removeprefix("score_")): n for measure, n in counts.items() if measure.startswith("score_") and n}


def _within(scores: Mapping[int, int], wanted: range) -> int:
    return sum(n for score, n in scores.items() if score in wanted)
