"""Public holidays of a country or of one of its regions, with the days that are worked in exchange (调休).

The dates are the library's; which of them hold is decided once, when a version of a calendar is written, and kept with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

import holidays

from services.tickets.sla.calendar import Source, SpecialDay, Windows


class UnknownRegion(ValueError):
    """The library knows no such country, or the country has no such region."""


@dataclass(frozen=True, slots=True)
class Region:
    """Whose holidays: ISO 3166-1 code of the country, and where it matters the part of it, e.g. DE and BY."""

    country: str
    subdivision: str | None = None


def special_days(region: Region, years: Iterable[int], makeup: Windows) -> Mapping[date, SpecialDay]:
    """The holidays of these years, closed, and their make-up days with the windows ``makeup``.

    Raises:
        UnknownRegion: nobody's holidays.
    """
    years = set(years)
    try:
        found = holidays.country_holidays(region.country, subdiv=region.subdivision, years=years, language="en_US")
    except NotImplementedError as error:
        raise UnknownRegion(str(error)) from error
    days = {day: SpecialDay((), Source.HOLIDAY, name) for day, name in found.items() if day.year in years}
    worked = {day: SpecialDay(makeup, Source.MAKEUP) for day in found.weekend_workdays if day.year in years}
    return dict(sorted((days | worked).items()))
