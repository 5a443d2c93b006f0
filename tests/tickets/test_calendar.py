"""Business calendars: lunch, nights, holidays and make-up days, half days, changes of the clocks; and the laws of business time."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.tickets.sla import Calendar
from services.tickets.sla.calendar import (
    ALL_DAY,
    AROUND_THE_CLOCK,
    NeverOpen,
    OverlappingWindows,
    Source,
    SpecialDay,
    Window,
    Windows,
)
from services.tickets.sla.public_holidays import Region, UnknownRegion, special_days
from services.tickets.sla.wall import instant
from tests.tickets.builders import DAY, HOUR, MILLISECOND
from tests.tickets.calendars import CLOSED, NIGHT, NINE_TO_FIVE, OFFICE, OFFICE_IN_BERLIN, SHIFTS, WITH_LUNCH, a_calendar, a_holiday

pytestmark = pytest.mark.pure

MINUTE: Final = timedelta(minutes=1)
BERLIN: Final = ZoneInfo("Europe/Berlin")
SHANGHAI: Final = ZoneInfo("Asia/Shanghai")


def at(text: str, zone: str = "UTC") -> datetime:
    """An instant by the wall of a zone."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


# ------------------------------------------------------------------ windows


def test_lunch_is_no_business_time() -> None:
    office = a_calendar(WITH_LUNCH)

    assert office.between(at("2026-11-25 11:30"), at("2026-11-25 13:30")) == HOUR
    assert office.add(at("2026-11-25 11:30"), HOUR) == at("2026-11-25 13:30")


def test_a_budget_that_ends_with_a_window_is_due_at_its_end_and_not_the_next_morning() -> None:
    assert a_calendar().add(at("2026-11-27 09:00"), 8 * HOUR) == at("2026-11-27 17:00")


def test_what_starts_outside_begins_to_count_with_the_next_window() -> None:
    saturday = at("2026-11-28 12:00")

    assert a_calendar().add(saturday, MINUTE) == at("2026-11-30 09:01")


def test_a_night_shift_belongs_to_the_day_on_which_it_begins() -> None:
    nights = a_calendar(NIGHT)

    friday_night = nights.between(at("2026-11-27 20:00"), at("2026-11-28 20:00"))

    assert friday_night == 8 * HOUR
    assert nights.between(at("2026-11-28 20:00"), at("2026-11-30 06:00")) == timedelta(0)


def test_a_window_from_half_past_eleven_to_half_past_midnight_is_an_hour() -> None:
    calendar = a_calendar((Window(23 * 60 + 30, 24 * 60 + 30),))

    assert calendar.between(at("2026-11-25 23:00"), at("2026-11-26 01:00")) == HOUR
    assert calendar.add(at("2026-11-25 23:45"), HOUR / 2) == at("2026-11-26 00:15")


def test_the_last_of_january_is_followed_by_the_first_of_february() -> None:
    assert a_calendar(NIGHT, NIGHT).add(at("2026-01-31 23:00"), 4 * HOUR) == at("2026-02-01 03:00")
    assert (
        a_calendar(ALL_DAY, ALL_DAY, days={date(2026, 6, 1): a_holiday()}).between(at("2026-01-31 00:00"), at("2026-02-02 00:00"))
        == 2 * DAY
    )


def test_a_holiday_closes_the_windows_that_begin_on_it_and_leaves_the_night_before() -> None:
    nights = a_calendar(NIGHT, days={date(2026, 11, 26): a_holiday()})

    assert nights.between(at("2026-11-25 22:00"), at("2026-11-27 06:00")) == 8 * HOUR


def test_half_a_day_has_half_the_windows() -> None:
    calendar = a_calendar(days={date(2026, 12, 24): SpecialDay((Window(9 * 60, 13 * 60),), Source.OVERRIDE)})

    assert calendar.between(at("2026-12-24 00:00"), at("2026-12-25 00:00")) == 4 * HOUR


def test_a_holiday_of_ten_days_is_jumped_over() -> None:
    closed = {date(2026, 10, 1) + number * DAY: a_holiday() for number in range(10)}

    assert a_calendar(days=closed).add(at("2026-09-30 16:00"), 2 * HOUR) == at("2026-10-12 10:00")


def test_a_closure_of_three_years_is_jumped_over() -> None:
    closed = {date(2026, 1, 1) + number * DAY: a_holiday() for number in range(3 * 365)}

    assert a_calendar(days=closed).add(at("2026-01-01 00:00"), HOUR) == at("2029-01-01 10:00")


def test_a_year_of_business_time_is_added_as_quickly_as_an_hour() -> None:
    far = OFFICE.add(at("2026-01-05 09:00", "Asia/Shanghai"), 366 * DAY)

    assert OFFICE.between(at("2026-01-05 09:00", "Asia/Shanghai"), far) == 366 * DAY
    assert far.year == 2030


def test_overlapping_windows_of_two_days_count_once() -> None:
    long_nights = a_calendar((Window(20 * 60, 33 * 60),), (Window(8 * 60, 10 * 60),))

    # Friday's night reaches to 9:00 on Saturday, whose own window has begun at 8:00
    assert long_nights.between(at("2026-11-28 00:00"), at("2026-11-29 00:00")) == 10 * HOUR


# ------------------------------------------------------------------ changes of the clocks


@pytest.mark.parametrize(
    ("wall", "expected"),
    [
        ("2026-03-29 01:59", "2026-03-29T00:59+00:00"),
        ("2026-03-29 02:00", "2026-03-29T01:00+00:00"),
        ("2026-03-29 02:30", "2026-03-29T01:00+00:00"),
        ("2026-03-29 03:00", "2026-03-29T01:00+00:00"),
        ("2026-03-29 03:30", "2026-03-29T01:30+00:00"),
        ("2026-10-25 02:00", "2026-10-25T00:00+00:00"),
        ("2026-10-25 02:30", "2026-10-25T00:30+00:00"),
        ("2026-10-25 03:00", "2026-10-25T02:00+00:00"),
    ],
)
def test_a_wall_time_is_the_first_instant_that_shows_it_or_more(wall: str, expected: str) -> None:
    assert instant(datetime.fromisoformat(wall), BERLIN) == datetime.fromisoformat(expected)


def test_a_window_that_begins_in_the_gap_begins_at_the_jump() -> None:
    half_past_two = a_calendar(CLOSED, (Window(150, 300),), zone="Europe/Berlin")

    assert half_past_two.between(at("2026-03-29 00:00", "Europe/Berlin"), at("2026-03-30 00:00", "Europe/Berlin")) == 2 * HOUR
    assert half_past_two.add(at("2026-03-29 00:00", "Europe/Berlin"), HOUR) == at("2026-03-29 04:00", "Europe/Berlin")


def test_a_window_inside_the_gap_is_gone() -> None:
    calendar = a_calendar((Window(130, 170),), (Window(130, 170),), zone="Europe/Berlin")

    assert calendar.between(at("2026-03-29 00:00", "Europe/Berlin"), at("2026-03-30 00:00", "Europe/Berlin")) == timedelta(0)


def test_days_of_change_have_23_and_25_hours_around_the_clock() -> None:
    calendar = a_calendar(ALL_DAY, ALL_DAY, zone="Europe/Berlin", days={date(2030, 1, 1): a_holiday()})

    def of(day: str, next_day: str) -> timedelta:
        return calendar.between(at(f"{day} 00:00", "Europe/Berlin"), at(f"{next_day} 00:00", "Europe/Berlin"))

    assert of("2026-03-29", "2026-03-30") == 23 * HOUR
    assert of("2026-10-25", "2026-10-26") == 25 * HOUR


def test_windows_that_touch_neither_lose_nor_gain_when_the_clocks_go_back() -> None:
    whole = OFFICE_IN_BERLIN.between(at("2026-10-25 00:00", "Europe/Berlin"), at("2026-10-26 00:00", "Europe/Berlin"))

    assert whole == 5 * HOUR  # 01:00 to 05:00, one hour of it twice


def test_half_an_hour_of_change_is_half_an_hour() -> None:
    calendar = a_calendar(CLOSED, (Window(60, 240),), zone="Australia/Lord_Howe")
    zone = "Australia/Lord_Howe"

    assert calendar.between(at("2026-10-04 00:00", zone), at("2026-10-05 00:00", zone)) == 2.5 * HOUR
    assert calendar.between(at("2026-04-05 00:00", zone), at("2026-04-06 00:00", zone)) == 3.5 * HOUR


def test_instants_of_one_zone_are_subtracted_as_instants() -> None:
    start, end = datetime(2026, 3, 29, 1, tzinfo=BERLIN), datetime(2026, 3, 29, 4, tzinfo=BERLIN)

    assert AROUND_THE_CLOCK.between(start, end) == 2 * HOUR


# ------------------------------------------------------------------ holidays


CHINA: Final = a_calendar(WITH_LUNCH, zone="Asia/Shanghai", days=special_days(Region("CN"), range(2026, 2028), WITH_LUNCH))


@pytest.mark.parametrize(
    ("day", "hours"),
    [
        ("2026-02-13", 8),  # the Friday before the Spring Festival
        ("2026-02-14", 8),  # a Saturday that is worked for a day off
        ("2026-02-15", 0),  # a Sunday
        ("2026-02-17", 0),  # the first day of the lunar year
        ("2026-02-23", 0),  # a Monday off, worked on the 28th
        ("2026-02-28", 8),  # that Saturday
        ("2026-10-01", 0),  # National Day
        ("2026-10-10", 8),  # worked for the 7th
    ],
)
def test_holidays_are_closed_and_make_up_days_are_worked(day: str, hours: int) -> None:
    start = at(f"{day} 00:00", "Asia/Shanghai")

    assert CHINA.between(start, start + DAY) == hours * HOUR


def test_a_promise_over_national_day_is_due_when_work_goes_on() -> None:
    assert CHINA.add(at("2026-09-30 17:00", "Asia/Shanghai"), 2 * HOUR) == at("2026-10-08 10:00", "Asia/Shanghai")


def test_a_region_has_holidays_of_its_own() -> None:
    epiphany = date(2026, 1, 6)

    assert special_days(Region("DE", "BY"), [2026], NINE_TO_FIVE)[epiphany].source is Source.HOLIDAY
    assert epiphany not in special_days(Region("DE", "HH"), [2026], NINE_TO_FIVE)


@pytest.mark.parametrize("region", [Region("ZZ"), Region("DE", "ZZ")])
def test_nobodys_holidays_are_refused(region: Region) -> None:
    with pytest.raises(UnknownRegion):
        special_days(region, [2026], NINE_TO_FIVE)


# ------------------------------------------------------------------ what is no calendar


@pytest.mark.parametrize("start_and_end", [(600, 600), (600, 500), (-1, 10), (1440, 1500), (600, 600 + 1441)])
def test_a_window_begins_in_its_day_and_lasts_a_day_at_most(start_and_end: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="a window begins within its day"):
        Window(*start_and_end)


@pytest.mark.parametrize("windows", [CLOSED, (Window(0, 11),)])
def test_a_week_that_is_hardly_open_is_refused(windows: Windows) -> None:
    with pytest.raises(NeverOpen):
        a_calendar(windows)


def test_windows_of_a_day_do_not_overlap() -> None:
    with pytest.raises(OverlappingWindows):
        a_calendar((Window(540, 720), Window(700, 1000)))
    with pytest.raises(OverlappingWindows):
        a_calendar(days={date(2026, 1, 1): SpecialDay((Window(540, 720), Window(700, 1000)), Source.OVERRIDE)})


# ------------------------------------------------------------------ laws

MOMENTS: Final = st.integers(0, 2 * 365 * 86_400_000_000).map(lambda us: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(microseconds=us))
SPANS: Final = st.integers(0, 60 * 86_400_000).map(lambda ms: ms * MILLISECOND)
CALENDARS: Final = st.sampled_from([AROUND_THE_CLOCK, OFFICE, OFFICE_IN_BERLIN, SHIFTS, CHINA])


@given(CALENDARS, MOMENTS, MOMENTS, MOMENTS)
def test_business_time_adds_up_over_a_split(calendar: Calendar, one: datetime, two: datetime, three: datetime) -> None:
    first, middle, last = sorted([one, two, three])

    assert calendar.between(first, middle) + calendar.between(middle, last) == calendar.between(first, last)


@given(CALENDARS, MOMENTS, SPANS)
def test_between_takes_back_what_add_has_added(calendar: Calendar, start: datetime, span: timedelta) -> None:
    assert calendar.between(start, calendar.add(start, span)) == span


@given(CALENDARS, MOMENTS, SPANS.filter(bool))
def test_a_budget_is_reached_at_the_first_moment(calendar: Calendar, start: datetime, span: timedelta) -> None:
    reached = calendar.add(start, span)

    assert calendar.between(start, reached - timedelta(microseconds=1)) < span


@given(CALENDARS, MOMENTS, SPANS, SPANS)
def test_a_later_start_and_a_larger_budget_are_never_due_earlier(
    calendar: Calendar, start: datetime, later: timedelta, span: timedelta
) -> None:
    assert calendar.add(start, span) <= calendar.add(start + later, span)
    assert calendar.add(start, span) <= calendar.add(start, span + later)


@given(CALENDARS, MOMENTS, SPANS, SPANS)
def test_budgets_add_up(calendar: Calendar, start: datetime, one: timedelta, two: timedelta) -> None:
    assert calendar.add(calendar.add(start, one), two) == calendar.add(start, one + two)


@given(CALENDARS, MOMENTS, SPANS)
def test_business_time_never_exceeds_the_time_that_passed(calendar: Calendar, start: datetime, span: timedelta) -> None:
    assert timedelta(0) <= calendar.between(start, start + span) <= span
    assert calendar.between(start + span, start) == timedelta(0)


@given(CALENDARS, MOMENTS)
def test_a_moment_is_open_when_the_next_instant_counts(calendar: Calendar, moment: datetime) -> None:
    instant_later = moment + timedelta(microseconds=1)

    assert calendar.is_open(moment) == (calendar.between(moment, instant_later) > timedelta(0))
