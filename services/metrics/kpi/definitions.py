"""The list of key figures. Ids are fixed words; `version` rises when what is counted changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

HOUR: Final = 3600
DAY: Final = 24 * HOUR
AGE_EDGES: Final = (0, 4 * HOUR, DAY, 3 * DAY, 7 * DAY, 14 * DAY, 30 * DAY)
"""Seconds at which the classes begin in which people read the age of a backlog."""
ONLINE_LIMIT: Final = 30.0
"""Seconds within which an online response is quick (D06)."""


class Kind(StrEnum):
    """How a value and its interval come out of counts."""

    COUNT = "count"
    """How often, or how many at an instant; no interval."""
    RATE = "rate"
    """Numerator / denominator of one cohort; Wilson."""
    TOP2 = "top2"
    """Share of the scores 4 and 5; Wilson."""
    MEAN = "mean"
    """Sum of scores / answers; t-interval."""
    NPS = "nps"
    """Promoters minus detractors per hundred answers; adjusted Wald."""
    DURATION = "duration"
    """Mean with t-interval; median and p90 with order-statistic intervals."""
    AGE = "age"
    """Of all there are at an instant, no sample: mean, median, p90 and classes, no interval."""


class Direction(StrEnum):
    """Which side of the target is the good one."""

    AT_LEAST = "at_least"
    AT_MOST = "at_most"


class Source(StrEnum):
    """Where the counts are."""

    SUMS = "sums"
    BACKLOG = "backlog"
    AGES = "ages"
    COMPLAINTS = "complaints"


class Clock(StrEnum):
    """By which clock a duration is told."""

    BUSINESS = "business"
    CALENDAR = "calendar"


@dataclass(frozen=True, slots=True)
class Definition:
    """One key figure."""

    id: str
    version: int
    title: str
    kind: Kind
    unit: str
    direction: Direction | None = None
    window_days: int | None = None
    """What happens in so many days after the range still changes it."""
    source: Source = Source.SUMS
    counts_of: str | None = None
    """The figure whose counts it is made of, if they are not its own."""
    limit: float | None = None
    """Seconds within which a duration is told as a share besides."""


_AT_LEAST, _AT_MOST = Direction.AT_LEAST, Direction.AT_MOST
_DEFINED: Final = (
    Definition("requests", 1, "requests received", Kind.COUNT, "requests"),
    Definition("tickets_opened", 2, "tickets opened", Kind.COUNT, "tickets"),
    Definition("tickets_resolved", 2, "resolutions given", Kind.COUNT, "resolutions"),
    Definition("backlog", 1, "open tickets at an instant", Kind.COUNT, "tickets", source=Source.BACKLOG),
    Definition("backlog_age", 1, "age of the open tickets at an instant", Kind.AGE, "seconds", source=Source.AGES),
    Definition("first_response_time", 1, "time to the first response", Kind.DURATION, "seconds", _AT_MOST),
    Definition("online_response_time", 1, "time to the first human word on a chat", Kind.DURATION, "seconds", _AT_MOST, limit=ONLINE_LIMIT),
    Definition("resolution_time", 1, "time to the last resolution", Kind.DURATION, "seconds", _AT_MOST, window_days=7),
    Definition("sla_first_response", 1, "first responses in time", Kind.RATE, "ratio", _AT_LEAST),
    Definition("sla_next_response", 1, "next responses in time", Kind.RATE, "ratio", _AT_LEAST),
    Definition("sla_resolution", 1, "resolutions in time", Kind.RATE, "ratio", _AT_LEAST, window_days=7),
    Definition("resolution_rate", 2, "tickets solved for good", Kind.RATE, "ratio", _AT_LEAST, window_days=7),
    Definition("reopen_rate", 2, "resolutions that did not hold", Kind.RATE, "ratio", _AT_MOST, window_days=7),
    Definition(
        "repeat_complaint_rate", 1, "matters complained about again", Kind.RATE, "ratio", _AT_MOST, window_days=30, source=Source.COMPLAINTS
    ),
    Definition("csat_mean", 2, "overall satisfaction", Kind.MEAN, "score 1-5", _AT_LEAST),
    Definition("csat_top2", 1, "satisfied or very satisfied", Kind.TOP2, "ratio", _AT_LEAST, counts_of="csat_mean"),
    Definition("nps", 2, "Net Promoter Score, transactional", Kind.NPS, "points -100..100", _AT_LEAST),
    Definition("survey_response_rate", 1, "invitations answered", Kind.RATE, "ratio", _AT_LEAST, window_days=14),
)
DEFINITIONS: Final[Mapping[str, Definition]] = {definition.id: definition for definition in _DEFINED}

REACH: Final[Mapping[str, tuple[float, float]]] = {
    "ratio": (0.0, 1.0),
    "score 1-5": (1.0, 5.0),
    "points -100..100": (-100.0, 100.0),
    "seconds": (0.0, 366.0 * DAY),
}
"""By unit: what a target can be."""
