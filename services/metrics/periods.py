"""Ranges of time in a zone: what ``from``, ``to`` and ``zone`` mean, and where its hours, days, weeks and months begin.

A range is [from, to). A date is the first instant of that day in the zone, an instant stands for itself; instants are widened to the
quarter hours that the rollups know. Days are as long as they are: 23 and 25 hours where clocks change, none at all where a zone skipped a
date.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from services.metrics.buckets import bucket_of, first_bucket_from, microseconds, start_of
from shared.errors import Invalid

FIRST_DAY: Final = date(2000, 1, 1)
"""Before it, zones had offsets that are no quarter hours; no figure is that old."""
LAST_DAY: Final = date(2200, 1, 1)
LONGEST: Final = timedelta(days=5 * 366)
MOST_SLOTS: Final = 2_000
DEFAULT_LENGTH: Final = timedelta(days=30)


class Step(StrEnum):
    """Into what a series cuts its range; weeks begin on Monday."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Period:
    """[start, end) on the grid of quarter hours, and the zone in which its days are meant."""

    start: datetime
    end: datetime
    zone: ZoneInfo

    @property
    def buckets(self) -> range:
        """The quarter hours inside."""
        return range(first_bucket_from(self.start), first_bucket_from(self.end))


def period(start: str | None, end: str | None, zone: ZoneInfo, now: datetime) -> Period:
    """The range that the query parameters mean; by default the last 30 days up to and with today.

    Raises:
        Invalid: not a date or an instant with an offset, out of reach, the wrong way round, or too long; names the parameter.
    """
    to = _moment("?to", end, zone) if end is not None else midnight(now.astimezone(zone).date() + timedelta(days=1), zone)
    since = _moment("?from", start, zone) if start is not None else midnight((to - DEFAULT_LENGTH).astimezone(zone).date(), zone)
    if since >= to:
        raise Invalid.field("?from", "range_reversed", "from must be before to")
    if to - since > LONGEST:
        raise Invalid.field("?from", "range_too_long", f"at most {LONGEST.days} days at once")
    return Period(start_of(bucket_of(microseconds(since))), start_of(first_bucket_from(to)), zone)


def zone_named(name: str) -> ZoneInfo:
    """The IANA zone of that name.

    Raises:
        Invalid: no such zone.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise Invalid.field("?zone", "unknown_zone", "zone must be an IANA name such as Asia/Shanghai") from error


def slots(within: Period, step: Step, most: int = MOST_SLOTS) -> list[datetime]:
    """The beginnings of the series' slots; the first is the range's start, the last slot ends with the range.

    Raises:
        Invalid: more slots than one answer may hold.
    """
    beginnings = [within.start]
    for beginning in _steps_after(within.start, within.zone, step):
        if beginning >= within.end:
            break
        beginnings.append(beginning)
        if len(beginnings) > most:
            raise Invalid.field("?bucket", "too_many_slots", f"at most {most} slots: choose a shorter range or a longer bucket")
    return beginnings


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of a day in a zone, UTC: also where that is 01:00 because clocks went forward at midnight."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _moment(parameter: str, text: str, zone: ZoneInfo) -> datetime:
    try:
        parsed: date | datetime = date.fromisoformat(text) if len(text) == len("2026-11-25") else datetime.fromisoformat(text)
    except ValueError as error:
        raise Invalid.field(
            parameter, "not_a_moment", "must be a date, 2026-11-25, or an instant with offset, 2026-11-25T10:00:00Z"
        ) from error
    if isinstance(parsed, datetime) and parsed.tzinfo is None:
        raise Invalid.field(parameter, "no_offset", "an instant needs an offset, as in 2026-11-25T10:00:00Z")
    if not FIRST_DAY <= (parsed.date() if isinstance(parsed, datetime) else parsed) < LAST_DAY:
        raise Invalid.field(parameter, "out_of_reach", f"must lie between {FIRST_DAY} and {LAST_DAY}")
    return parsed.astimezone(UTC) if isinstance(parsed, datetime) else midnight(parsed, zone)


# ------------------------------------------------------------------ where slots begin


def _steps_after(start: datetime, zone: ZoneInfo, step: Step) -> Iterator[datetime]:
    """The beginnings of hours, days, weeks or months after ``start``, for ever."""
    if step is Step.HOUR:
        yield from _hours_after(start, zone)
        return
    day, previous = start.astimezone(zone).date(), start
    while True:
        day = _NEXT[step](day)
        beginning = midnight(day, zone)
        if beginning > previous:  # a date that the zone skipped has no length
            yield beginning
            previous = beginning


def _hours_after(start: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """Whole hours of the zone's clock, one after the other in real time: an hour that comes twice is two slots."""
    instant = start
    while True:
        local = instant.astimezone(zone)
        instant += timedelta(hours=1) - timedelta(minutes=local.minute, seconds=local.second)
        yield instant


def _next_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


_NEXT: Final[dict[Step, Callable[[date], date]]] = {
    Step.DAY: lambda day: day + timedelta(days=1),
    Step.WEEK: lambda day: day + timedelta(days=7 - day.weekday()),
    Step.MONTH: _next_month,
}
