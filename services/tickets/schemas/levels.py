"""Calendars and policies as they travel through the REST door."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Final
from zoneinfo import ZoneInfoNotFoundError

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from services.tickets.assignment.staff import Tier
from services.tickets.sla import Priority, Reason, TargetName
from services.tickets.sla.calendar import MINUTES_OF_DAY, Window, Windows
from services.tickets.sla.wall import zone
from services.tickets.workflow.status import Cause
from shared.events.codes import RequestType
from shared.http.fields import Boolean, Day, Instant, Integer, Line, RequestModel

MOST_WINDOWS: Final = 12
MOST_DAYS: Final = 1000
LONGEST: Final = 366 * 24 * 3600
WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_TIME: Final = re.compile(r"([01]\d|2[0-3]):[0-5]\d|24:00", re.ASCII)


def _time(text: str) -> str:
    if not _TIME.fullmatch(text):
        raise PydanticCustomError("time_format", "Should be a time of day from 00:00 to 24:00")
    return text


def _iana(name: str) -> str:
    try:
        zone(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise PydanticCustomError("unknown_zone", "Should be an IANA zone, such as Asia/Shanghai") from error
    return name


WallTime = Annotated[str, StringConstraints(min_length=5, max_length=5), AfterValidator(_time)]
Zone = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_+/-]{0,63}$"), AfterValidator(_iana), Field(examples=["Asia/Shanghai"])
]
LevelId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_.-]{0,63}$"), Field(examples=["office-shanghai"])]
Seconds = Annotated[Integer, Field(ge=1, le=LONGEST)]


# ------------------------------------------------------------------ calendars


class WindowBody(RequestModel):
    """A stretch of a day. One that ends at or before its beginning ends on the next day: 22:00 to 06:00."""

    start: WallTime = Field(alias="from", examples=["09:00"])
    end: WallTime = Field(alias="to", examples=["18:00"])

    def window(self) -> Window:
        """In minutes of the day."""
        start, end = _minutes(self.start), _minutes(self.end)
        return Window(start, end if end > start else end + MINUTES_OF_DAY)


def _minutes(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:])


def _no_late_start(window: WindowBody) -> WindowBody:
    if window.start == "24:00":
        raise PydanticCustomError("time_range", "A window begins before 24:00")
    if window.start == window.end:
        raise PydanticCustomError("empty_window", "A window of a whole day is from 00:00 to 24:00")
    return window


WindowList = Annotated[tuple[Annotated[WindowBody, AfterValidator(_no_late_start)], ...], Field(max_length=MOST_WINDOWS)]


def windows(bodies: WindowList) -> Windows:
    """In the calendar's terms, in order."""
    return tuple(sorted(body.window() for body in bodies))


class WeekBody(RequestModel):
    """What is left out is closed."""

    monday: WindowList = ()
    tuesday: WindowList = ()
    wednesday: WindowList = ()
    thursday: WindowList = ()
    friday: WindowList = ()
    saturday: WindowList = ()
    sunday: WindowList = ()

    def windows(self) -> tuple[Windows, ...]:
        """Monday first."""
        return tuple(windows(getattr(self, weekday)) for weekday in WEEKDAYS)


class RegionBody(RequestModel):
    """Whose public holidays are closed, and whose make-up days (调休) are worked."""

    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")] = Field(examples=["CN"])
    subdivision: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{1,3}$")] | None = None


class DayBody(RequestModel):
    """A date of one's own; it wins over holidays."""

    date: Day
    windows: WindowList = Field(default=(), description="none: closed")
    name: Line | None = None


def _each_date_once(days: tuple[DayBody, ...]) -> tuple[DayBody, ...]:
    if len({day.date for day in days}) < len(days):
        raise PydanticCustomError("repeated", "Names a date twice")
    return days


class CalendarBody(RequestModel):
    """A calendar as it shall be from `valid_from` on."""

    zone: Zone
    week: WeekBody
    holidays: RegionBody | None = None
    makeup: WindowList | None = Field(default=None, description="windows of a make-up day; null: those of Monday")
    days: Annotated[tuple[DayBody, ...], Field(max_length=MOST_DAYS), AfterValidator(_each_date_once)] = ()
    valid_from: Instant | None = Field(
        default=None, description="null: now. In the past: clocks that started since are reckoned anew, with sla.retargeted"
    )


class WindowView(BaseModel):
    """A stretch of a day."""

    model_config = ConfigDict(populate_by_name=True)

    start: str = Field(alias="from")
    end: str = Field(alias="to", description="at or before `from`: on the next day")


class WeekView(BaseModel):
    """Each weekday's windows."""

    monday: list[WindowView]
    tuesday: list[WindowView]
    wednesday: list[WindowView]
    thursday: list[WindowView]
    friday: list[WindowView]
    saturday: list[WindowView]
    sunday: list[WindowView]


class RegionView(BaseModel):
    """Whose public holidays."""

    country: str
    subdivision: str | None


class SpecialDayView(BaseModel):
    """A date with other windows than its weekday's."""

    date: date
    windows: list[WindowView]
    source: str = Field(description="code: holiday, makeup, override")
    name: str


class VersionView(BaseModel):
    """What every version says of itself."""

    id: str
    version: int = Field(description="send it back in If-Match to change it; it counts every change of any calendar or policy")
    valid_from: AwareDatetime
    changed_at: AwareDatetime
    changed_by: str


class CalendarView(VersionView):
    """One version of a calendar, with the holidays as they were known when it was written."""

    zone: str
    week: WeekView
    holidays: RegionView | None
    makeup: list[WindowView]
    days: list[SpecialDayView]


class CalendarWritten(CalendarView):
    """The new version."""

    retargeting: int = Field(description="tickets that are looked at again, because they have clocks that started since valid_from")


# ------------------------------------------------------------------ policies


class EscalationBody(RequestModel):
    """Who has to look, and when."""

    reason: Reason
    level: Annotated[Integer, Field(ge=1, le=9, description="1 the lead, 2 the manager")]
    target: TargetName | None = Field(default=None, description="null: any")


class PolicyBody(RequestModel):
    """A policy as it shall be from `valid_from` on. What it does not name (type, priority, tier) it is for any."""

    type: RequestType | None = None
    priority: Priority | None = None
    tier: Tier | None = None
    calendar: LevelId | None = Field(
        default=None,
        description="in whose business time it is reckoned; `always` is around the clock. null: the calendar of the ticket's team, "
        "or around the clock where there is none",
    )
    first_response_seconds: Seconds
    next_response_seconds: Seconds | None = Field(default=None, description="null: nothing is promised about it")
    resolution_seconds: Seconds
    pauses_on: Annotated[tuple[Cause, ...], Field(max_length=len(Cause))] = Field(
        default=(Cause.CUSTOMER,), description="while a ticket waits for it, next response and resolution stand still; customer always does"
    )
    warn_percent: Annotated[Integer, Field(ge=1, le=99)] | None = Field(default=80, description="null: nobody is warned")
    escalations: Annotated[tuple[EscalationBody, ...], Field(max_length=20)] = ()
    active: Boolean = True
    valid_from: Instant | None = Field(
        default=None, description="null: now. In the past: clocks that started since are reckoned anew, with sla.retargeted"
    )


class EscalationView(BaseModel):
    """Who has to look, and when."""

    reason: str
    level: int
    target: str | None


class PolicyView(VersionView):
    """One version of a policy."""

    type: str | None
    priority: Priority | None
    tier: str | None
    calendar: str | None = Field(description="null: that of the ticket's team")
    first_response_seconds: int
    next_response_seconds: int | None
    resolution_seconds: int
    pauses_on: list[str]
    warn_percent: int | None
    escalations: list[EscalationView]
    active: bool


class PolicyWritten(PolicyView):
    """The new version."""

    retargeting: int = Field(description="tickets that are looked at again, because they have clocks that started since valid_from")
