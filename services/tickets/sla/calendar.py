"""Business calendars: when the clocks of a promise run. Pure arithmetic; nothing here reads the time.

A *window* is a stretch of a day in which people work; it belongs to the day on which it begins, also when it ends after midnight. A
*week* gives each weekday its windows, none or several. A *special day* replaces the windows of one date: a holiday has none, a make-up day
has those of a working day, half a day has fewer. *Business time* is time inside windows.

Windows are laid out on the wall clock of the calendar's zone and added up in UTC, year by year, once; every question is then a search in a
sorted list. Closures of any length cost nothing, and there is no limit of steps to run into.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from itertools import accumulate, pairwise
from typing import Final

from services.tickets.sla.wall import instant, zone

NO_TIME: Final = timedelta(0)
ALWAYS: Final = datetime.min.replace(tzinfo=UTC)
"""Since ever."""
MINUTES_OF_DAY: Final = 24 * 60
LEAST_WEEK: Final = timedelta(hours=1)
"""Open time that a week must have: a promise in a calendar that never opens could never come due."""

_DAY: Final = timedelta(days=1)


class NeverOpen(ValueError):
    """The week has too little open time for a promise to come due within a lifetime."""


class OverlappingWindows(ValueError):
    """Two windows of one day overlap."""


class Source(StrEnum):
    """Why a date has other windows than its weekday."""

    HOLIDAY = "holiday"
    MAKEUP = "makeup"
    """Worked although it is a weekend, for a day off elsewhere (调休)."""
    OVERRIDE = "override"


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """From one minute of a day to another; past 1440 is the next day's morning."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.start < MINUTES_OF_DAY or not self.start < self.end <= self.start + MINUTES_OF_DAY:
            raise ValueError(f"a window begins within its day and lasts at most 24 hours, unlike {self.start} to {self.end}")

    @property
    def length(self) -> timedelta:
        """On a day without a change of the clocks."""
        return timedelta(minutes=self.end - self.start)


Windows = tuple[Window, ...]
ALL_DAY: Final[Windows] = (Window(0, MINUTES_OF_DAY),)


@dataclass(frozen=True, slots=True)
class SpecialDay:
    """What holds for one date instead of its weekday's windows; no windows: closed."""

    windows: Windows
    source: Source
    name: str = ""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Open time without a break, in UTC."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True, eq=False)
class Calendar:
    """One version of a calendar; two are the same when id and version are. It never changes, also not by a newer list of holidays."""

    id: str
    version: int
    zone: str
    week: tuple[Windows, ...]
    """Monday first."""
    days: Mapping[date, SpecialDay] = field(default_factory=dict)
    valid_from: datetime = ALWAYS
    """Promises that begin from then on are reckoned with this version."""
    is_always_open: bool = field(init=False)
    _years: dict[int, _Year] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        """
        Raises:
            NeverOpen, OverlappingWindows: no promise can be reckoned with it.
        """
        if len(self.week) != len(_WEEKDAYS):
            raise ValueError("a week has seven days")
        for windows in (*self.week, *(day.windows for day in self.days.values())):
            _demand_order(windows)
        if sum((window.length for windows in self.week for window in windows), NO_TIME) < LEAST_WEEK:
            raise NeverOpen(f"calendar {self.id} is open for less than {LEAST_WEEK} a week")
        object.__setattr__(self, "is_always_open", not self.days and set(self.week) == {ALL_DAY})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Calendar) and (self.id, self.version) == (other.id, other.version)

    def __hash__(self) -> int:
        return hash((self.id, self.version))

    # -------------------------------------------------------------- questions

    def between(self, start: datetime, end: datetime) -> timedelta:
        """Business time from ``start`` to ``end``; none when ``end`` is not after ``start``."""
        start, end = _utc(start), _utc(end)
        if end <= start:
            return NO_TIME
        if self.is_always_open:
            return end - start
        whole = sum((self._year(year).total for year in range(start.year, end.year)), NO_TIME)
        return whole + self._year(end.year).served_until(end) - self._year(start.year).served_until(start)

    def add(self, start: datetime, span: timedelta) -> datetime:
        """The first instant at which ``span`` of business time has passed since ``start``."""
        start = _utc(start)
        if span <= NO_TIME:
            return start
        if self.is_always_open:
            return start + span
        number = start.year
        year = self._year(number)
        span += year.served_until(start)
        # ends: every year after the last special day has the open time of its weeks
        while span > year.total:
            span -= year.total
            number += 1
            year = self._year(number)
        return year.first_at(span)

    def is_open(self, at: datetime) -> bool:
        """Whether a clock runs at ``at``; a window's end is outside of it."""
        at = _utc(at)
        return self.is_always_open or self._year(at.year).is_open(at)

    def windows_on(self, day: date) -> Windows:
        """The windows that begin on a date, as the wall shows them."""
        special = self.days.get(day)
        return self.week[day.weekday()] if special is None else special.windows

    def stretches_of(self, day: date) -> list[Stretch]:
        """The same in UTC; a window that the clocks jump over is gone."""
        where = zone(self.zone)
        midnight = datetime.combine(day, time())
        found = (
            Stretch(instant(midnight + timedelta(minutes=window.start), where), instant(midnight + timedelta(minutes=window.end), where))
            for window in self.windows_on(day)
        )
        return [stretch for stretch in found if stretch.start < stretch.end]

    # -------------------------------------------------------------- the index

    def _year(self, number: int) -> _Year:
        year = self._years.get(number)
        if year is None:
            year = self._years[number] = _indexed(list(self._open_in(number)))
        return year

    def _open_in(self, number: int) -> Iterator[Stretch]:
        """What is open in one year of UTC, in order and without overlaps."""
        start, end = datetime(number, 1, 1, tzinfo=UTC), datetime(number + 1, 1, 1, tzinfo=UTC)
        # a day's windows may reach two days into UTC's year from either side: zones and nights
        first, last = start.date() - 2 * _DAY, end.date() + _DAY
        days = (first + timedelta(days=offset) for offset in range((last - first).days + 1))
        for stretch in _merged(stretch for day in days for stretch in self.stretches_of(day)):
            clipped = Stretch(max(stretch.start, start), min(stretch.end, end))
            if clipped.start < clipped.end:
                yield clipped


@dataclass(frozen=True, slots=True)
class _Year:
    """The open stretches of one year, and how much was served before each."""

    starts: list[datetime]
    ends: list[datetime]
    before: list[timedelta]
    total: timedelta

    def served_until(self, at: datetime) -> timedelta:
        """Open time from the beginning of the year to ``at``."""
        place = bisect_right(self.starts, at) - 1
        return NO_TIME if place < 0 else self.before[place] + min(at, self.ends[place]) - self.starts[place]

    def first_at(self, served: timedelta) -> datetime:
        """When that much, which is more than nothing and at most `total`, has been served."""
        place = bisect_left(self.before, served) - 1
        return self.starts[place] + (served - self.before[place])

    def is_open(self, at: datetime) -> bool:
        """Whether a stretch holds ``at``."""
        place = bisect_right(self.starts, at) - 1
        return place >= 0 and at < self.ends[place]


def _indexed(stretches: Sequence[Stretch]) -> _Year:
    *before, total = accumulate((stretch.end - stretch.start for stretch in stretches), initial=NO_TIME)
    return _Year([stretch.start for stretch in stretches], [stretch.end for stretch in stretches], before, total)


_WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def _demand_order(windows: Windows) -> None:
    for earlier, later in pairwise(windows):
        if later.start < earlier.end:
            raise OverlappingWindows(f"{later} begins before {earlier} has ended")


def _merged(stretches: Iterable[Stretch]) -> Iterator[Stretch]:
    """A night's window may reach into the next day's: what both cover counts once."""
    current: Stretch | None = None
    for stretch in sorted(stretches, key=lambda stretch: stretch.start):
        if current is None:
            current = stretch
        elif stretch.start <= current.end:
            current = Stretch(current.start, max(current.end, stretch.end))
        else:
            yield current
            current = stretch
    if current is not None:
        yield current


def _utc(at: datetime) -> datetime:
    # two datetimes of one zone are subtracted as the wall shows them, which is wrong across a change of the clocks
    return at if at.tzinfo is UTC else at.astimezone(UTC)


AROUND_THE_CLOCK: Final = Calendar("always", 1, "UTC", (ALL_DAY,) * len(_WEEKDAYS))
"""Every hour of every day: business time is elapsed time."""
