"""The reckoning of a clock, day by day, for people who ask why a target is due when it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

from services.tickets.sla.calendar import NO_TIME, Source, Windows
from services.tickets.sla.clocks import Clock, due_at
from services.tickets.sla.wall import instant, zone

MOST_DAYS: Final = 400
"""Days that are shown of one clock."""

_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Day:
    """What one date of the calendar's zone contributes. The parts add up to the clock's running time."""

    date: date
    windows: Windows
    """Those that begin on this date; a night's hours after midnight count for the next one."""
    source: Source | None
    """Why they are not those of the weekday."""
    name: str
    business: timedelta
    """Inside the clock's life."""
    paused: timedelta
    run: timedelta
    """Business time so far, less pauses: what is compared with the budget."""


def days(clock: Clock, at: datetime) -> tuple[Sequence[Day], bool]:
    """The dates from the clock's start to its end, or as long as it is open to its due time or ``at``; and whether some were left out."""
    found: list[Day] = []
    for day in _days(clock, until(clock, at)):
        if len(found) == MOST_DAYS:
            return found, True
        found.append(day)
    return found, False


def until(clock: Clock, at: datetime) -> datetime:
    """Where the reckoning of a clock ends."""
    return clock.met_at or clock.stopped_at or max(at, due_at(clock, at))


def _days(clock: Clock, end: datetime) -> Iterator[Day]:
    hours = clock.promise.hours
    where = zone(hours.zone)
    day, run = clock.started_at.astimezone(where).date(), NO_TIME
    while (midnight := instant(datetime.combine(day, time()), where)) < end:
        since, till = max(midnight, clock.started_at), min(instant(datetime.combine(day + _DAY, time()), where), end)
        business, paused = hours.between(since, till), _paused(clock, since, till)
        run += business - paused
        special = hours.days.get(day)
        yield Day(day, hours.windows_on(day), special.source if special else None, special.name if special else "", business, paused, run)
        day += _DAY


def _paused(clock: Clock, since: datetime, till: datetime) -> timedelta:
    hours = clock.promise.hours
    parts = ((max(since, pause.started_at), min(till, pause.ended_at or till)) for pause in clock.pauses)
    return sum((hours.between(start, end) for start, end in parts), NO_TIME)
