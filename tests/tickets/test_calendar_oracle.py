"""Business time agrees with brute force: an oracle that steps through two years minute by minute and looks at the clock on the wall.

The oracle knows nothing of UTC offsets, years or sorted lists. It paints the windows on a line of wall time and walks: a window is open
from the first minute at which the wall has shown its start until the first minute at which it has shown its end.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import accumulate
from typing import Final
from zoneinfo import ZoneInfo

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from services.tickets.sla import Calendar
from services.tickets.sla.calendar import Source, SpecialDay, Window, Windows

pytestmark = pytest.mark.pure

ZONES: Final = ["Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]
"""Without changes of the clocks, with them in both hemispheres, with a change of half an hour, off the full hour."""

NO_SHRINKING: Final = (Phase.explicit, Phase.reuse, Phase.generate)
"""A failure names the moments; looking for a smaller calendar, a walk at a time, would take minutes."""

DAY: Final = 24 * 60
START: Final = datetime(2026, 1, 1, tzinfo=UTC)
MINUTES: Final = 2 * 365 * DAY
BEFORE: Final = 3
"""Days by which the oracle starts earlier: the first night's window may have begun the evening before."""
ORIGIN: Final = START.replace(tzinfo=None) - timedelta(days=BEFORE + 2)
"""Where the line of wall time begins; everything on it is minutes from here."""
FIRST_DAY: Final = ORIGIN.date()


@cache
def wall(zone: str) -> Sequence[int]:
    """What the clock in a zone shows, for every minute."""
    there, first, origin = ZoneInfo(zone), int((START - timedelta(days=BEFORE)).timestamp()), ORIGIN.toordinal()
    shown = array("q")
    for minute in range(MINUTES + BEFORE * DAY):
        local = datetime.fromtimestamp(first + 60 * minute, there)
        shown.append((local.toordinal() - origin) * DAY + local.hour * 60 + local.minute)
    return shown


def painted(week: Sequence[Windows], days: Mapping[date, SpecialDay]) -> bytearray:
    """The line of wall time, with what is open marked."""
    line = bytearray(MINUTES + 20 * DAY)
    for number in range(len(line) // DAY - 1):
        day = FIRST_DAY + timedelta(days=number)
        windows = days[day].windows if day in days else week[day.weekday()]
        for window in windows:
            line[number * DAY + window.start : number * DAY + window.end] = b"\1" * (window.end - window.start)
    return line


@dataclass(frozen=True)
class Oracle:
    """Open minutes, and how many of them passed before each."""

    is_open: bytearray
    served: Sequence[int]

    def between(self, start: datetime, end: datetime) -> timedelta:
        return self._served(end) - self._served(start)

    def add(self, start: int, minutes: int) -> int | None:
        """The first minute at which that many have been served; None beyond the two years."""
        place = bisect_left(self.served, self.served[start] + minutes)
        return None if place == len(self.served) else place

    def _served(self, at: datetime) -> timedelta:
        minute, rest = divmod(at - START, timedelta(minutes=1))
        whole = timedelta(minutes=self.served[minute])
        return whole + rest if minute < MINUTES and self.is_open[minute] else whole


def oracle(zone: str, week: Sequence[Windows], days: Mapping[date, SpecialDay]) -> Oracle:
    """Step through the two years."""
    line, latest = painted(week, days), 0
    is_open = bytearray()
    for shown in wall(zone):
        if shown > latest:
            latest = shown
        is_open.append(line[latest])
    is_open = is_open[BEFORE * DAY :]
    return Oracle(is_open, [0, *accumulate(is_open)])


@st.composite
def windows(draw: st.DrawFn, *, at_least: int = 0) -> Windows:
    """Up to three windows of a day, the last of which may reach into the next."""
    count = draw(st.integers(at_least, 3))
    edges = sorted(draw(st.sets(st.integers(0, DAY - 1), min_size=2 * count, max_size=2 * count)))
    pairs = list(zip(edges[::2], edges[1::2], strict=True))
    if pairs and draw(st.booleans()):
        pairs[-1] = pairs[-1][0], draw(st.integers(pairs[-1][0] + 1, pairs[-1][0] + DAY))
    return tuple(Window(start, end) for start, end in pairs)


# around the changes of the clocks, every quarter of an hour is somebody's edge
NIGHT_EDGES: Final = st.sampled_from(
    [
        (Window(60, 150), Window(150, 300)),
        (Window(150, 165),),
        (Window(120, 180),),
        (Window(0, 120), Window(135, 1440)),
        (Window(1410, 1590),),
    ]
)


@st.composite
def calendars(draw: st.DrawFn, zone: str) -> Calendar:
    """Any week with an hour or more, any special days, a closure of weeks."""
    week = [draw(windows() | NIGHT_EDGES) for _ in range(7)]
    week[draw(st.integers(0, 6))] = (Window(9 * 60, 17 * 60),)
    dates = st.integers(0, 2 * 365).map(lambda number: START.date() + timedelta(days=number))
    days = {day: SpecialDay(draw(windows()), Source.OVERRIDE) for day in draw(st.sets(dates, max_size=20))}
    first = draw(dates)
    days |= {first + timedelta(days=number): SpecialDay((), Source.HOLIDAY) for number in range(draw(st.integers(0, 60)))}
    return Calendar("random", 1, zone, tuple(week), days)


@pytest.mark.parametrize("zone", ZONES)
@given(data=st.data())
@settings(max_examples=4, deadline=None, phases=NO_SHRINKING)
def test_business_time_agrees_with_a_walk_of_two_years_by_the_minute(zone: str, data: st.DataObject) -> None:
    calendar = data.draw(calendars(zone))
    walked = oracle(zone, calendar.week, calendar.days)
    random = data.draw(st.randoms(use_true_random=False))

    for _ in range(300):
        start, end = sorted(START + timedelta(microseconds=random.randrange(MINUTES * 60_000_000)) for _ in range(2))
        assert calendar.between(start, end) == walked.between(start, end), (start, end)
    for _ in range(300):
        minute, budget = random.randrange(MINUTES), random.choice([1, 15, 60, 480, 5_000, 50_000])
        expected = walked.add(minute, budget)
        if expected is not None:
            at = START + timedelta(minutes=minute)
            assert calendar.add(at, timedelta(minutes=budget)) == START + timedelta(minutes=expected), (at, budget)


@pytest.mark.parametrize("zone", ZONES)
@given(data=st.data())
@settings(max_examples=2, deadline=None, phases=NO_SHRINKING)
def test_every_minute_is_open_that_the_walk_finds_open(zone: str, data: st.DataObject) -> None:
    calendar = data.draw(calendars(zone))
    walked = oracle(zone, calendar.week, calendar.days)
    first = data.draw(st.integers(0, MINUTES - 20_000))

    for minute in range(first, first + 20_000, 7):
        assert calendar.is_open(START + timedelta(minutes=minute)) == walked.is_open[minute]
