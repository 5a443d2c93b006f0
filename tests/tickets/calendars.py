"""Calendars for tests: an office with lunch, one across changes of the clocks, and shifts through the night."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from services.tickets.sla import Calendar
from services.tickets.sla.calendar import Source, SpecialDay, Window, Windows

CLOSED: Final[Windows] = ()
NINE_TO_FIVE: Final = (Window(9 * 60, 17 * 60),)
WITH_LUNCH: Final = (Window(9 * 60, 12 * 60), Window(13 * 60, 18 * 60))
NIGHT: Final = (Window(22 * 60, 30 * 60),)


def a_calendar(workday: Windows = NINE_TO_FIVE, weekend: Windows = CLOSED, **changes: Any) -> Calendar:
    """Monday to Friday from nine to five, in UTC."""
    given: dict[str, Any] = {"id": "office", "version": 1, "zone": "UTC", "week": (workday,) * 5 + (weekend,) * 2}
    return Calendar(**(given | changes))


def a_holiday(name: str = "holiday") -> SpecialDay:
    """Closed."""
    return SpecialDay(CLOSED, Source.HOLIDAY, name)


OFFICE: Final = a_calendar(
    WITH_LUNCH,
    id="office-shanghai",
    zone="Asia/Shanghai",
    days={
        date(2026, 12, 24): SpecialDay((Window(9 * 60, 12 * 60),), Source.OVERRIDE, "half a day"),
        date(2027, 1, 1): a_holiday("New Year"),
        date(2027, 1, 3): SpecialDay(WITH_LUNCH, Source.MAKEUP),
    },
)
OFFICE_IN_BERLIN: Final = a_calendar(WITH_LUNCH, (Window(60, 150), Window(150, 300)), id="office-berlin", zone="Europe/Berlin")
SHIFTS: Final = a_calendar(NIGHT, (Window(23 * 60 + 30, 24 * 60 + 30),), id="shifts", zone="America/New_York")
