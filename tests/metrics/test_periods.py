"""Days, weeks and months as long as they are in their zone, and ranges that mean nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.metrics.buckets import WIDTH_US, bucket_of, microseconds, sql_bucket, start_of
from services.metrics.periods import MOST_SLOTS, Step, period, slots, zone_named
from shared.database import Database
from shared.errors import Invalid

pytestmark = pytest.mark.pure

NOW = datetime(2026, 11, 25, 10, 7, tzinfo=UTC)
BERLIN, SHANGHAI = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Shanghai")
HOUR = timedelta(hours=1)

zones = st.sampled_from(sorted(available_timezones())).map(ZoneInfo)
days = st.dates(datetime(2000, 1, 1).date(), datetime(2040, 1, 1).date())  # noqa: DTZ001


@pytest.mark.parametrize(
    ("day", "next_day", "zone", "hours"),
    [
        ("2026-03-29", "2026-03-30", "Europe/Berlin", 23),
        ("2026-10-25", "2026-10-26", "Europe/Berlin", 25),
        ("2026-10-24", "2026-10-25", "Europe/Berlin", 24),
        ("2026-03-08", "2026-03-09", "America/Havana", 23),  # clocks go forward at midnight: the day begins at 01:00
        ("2026-11-01", "2026-11-02", "America/Havana", 25),  # 00:00 comes twice: the day begins with the first
        ("2026-10-04", "2026-10-05", "Australia/Lord_Howe", 23.5),
        ("2026-03-02", "2026-03-03", "Asia/Kathmandu", 24),
        ("2026-03-02", "2026-03-03", "Asia/Shanghai", 24),
    ],
)
def test_a_day_is_as_long_as_it_is_in_its_zone(day: str, next_day: str, zone: str, hours: float) -> None:
    found = period(day, next_day, ZoneInfo(zone), NOW)

    assert found.end - found.start == hours * HOUR
    assert len(found.buckets) == hours * 4


def test_half_past_eleven_on_the_last_of_march_in_shanghai_is_march_there() -> None:
    march = period("2026-03-01", "2026-04-01", SHANGHAI, NOW)

    assert bucket_of(microseconds(datetime(2026, 3, 31, 23, 30, tzinfo=SHANGHAI))) in march.buckets
    assert bucket_of(microseconds(datetime(2026, 4, 1, 0, 0, tzinfo=SHANGHAI))) not in march.buckets


def test_the_hour_that_comes_twice_is_two_slots() -> None:
    found = slots(period("2026-10-25", "2026-10-26", BERLIN, NOW), Step.HOUR)

    assert len(found) == 25
    assert [start.astimezone(BERLIN).hour for start in found[:5]] == [0, 1, 2, 2, 3]


def test_weeks_begin_on_monday_and_the_first_slot_with_the_range() -> None:
    found = slots(period("2026-11-18", "2026-12-01", SHANGHAI, NOW), Step.WEEK)

    assert [start.astimezone(SHANGHAI).date().isoformat() for start in found] == ["2026-11-18", "2026-11-23", "2026-11-30"]


def test_months_begin_on_the_first() -> None:
    found = slots(period("2026-01-31", "2026-04-01", BERLIN, NOW), Step.MONTH)

    assert [start.astimezone(BERLIN).date().isoformat() for start in found] == ["2026-01-31", "2026-02-01", "2026-03-01"]


def test_a_date_that_the_zone_skipped_has_no_slot() -> None:
    apia = ZoneInfo("Pacific/Apia")

    found = slots(period("2011-12-28", "2012-01-02", apia, NOW), Step.DAY)

    assert [start.astimezone(apia).day for start in found] == [28, 29, 31, 1]


@given(zones, days, st.integers(1, 70), st.sampled_from(Step))
def test_slots_follow_each_other_on_the_grid_and_fill_the_range(zone: ZoneInfo, day: object, length: int, step: Step) -> None:
    since = datetime.fromisoformat(str(day)).date()
    within = period(str(since), str(since + timedelta(days=length)), zone, NOW)

    found = slots(within, step)

    assert found[0] == within.start
    assert found == sorted(set(found))
    assert found[-1] < within.end
    assert all(microseconds(start) % WIDTH_US == 0 for start in [*found, within.end])


def test_an_instant_is_widened_to_its_quarter_of_an_hour() -> None:
    found = period("2026-11-25T10:07:00Z", "2026-11-25T18:31:00+08:00", SHANGHAI, NOW)

    assert (found.start, found.end) == (datetime(2026, 11, 25, 10, 0, tzinfo=UTC), datetime(2026, 11, 25, 10, 45, tzinfo=UTC))


def test_by_default_it_is_the_last_thirty_days_and_today() -> None:
    found = period(None, None, SHANGHAI, NOW)

    assert found.end == datetime(2026, 11, 26, tzinfo=SHANGHAI)
    assert found.start == datetime(2026, 10, 27, tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("since", "to", "parameter"),
    [
        ("2026-11-02", "2026-11-01", "?from"),
        ("2026-11-01", "2026-11-01", "?from"),
        ("yesterday", "2026-11-01", "?from"),
        ("2026-11-01", "2026-13-01", "?to"),
        ("2026-11-01T10:00:00", "2026-11-02", "?from"),
        ("2026-11-01", "2026-11-02T10:00:00", "?to"),
        ("0001-01-01", "2026-11-01", "?from"),
        ("0001-01-01T00:00:00+14:00", "2026-11-01", "?from"),
        ("2026-11-01", "9999-12-31", "?to"),
        ("2026-11-01", "9999-12-31T23:59:59-12:00", "?to"),
        ("2015-01-01", "2026-11-01", "?from"),
        ("", "2026-11-01", "?from"),
    ],
)
def test_a_range_that_means_nothing_is_refused_by_name(since: str, to: str, parameter: str) -> None:
    with pytest.raises(Invalid) as refused:
        period(since, to, SHANGHAI, NOW)

    assert [error.pointer for error in refused.value.errors] == [parameter]


@pytest.mark.parametrize(
    "name", ["", "Mars/Phobos", "../etc/passwd", "/etc/localtime", "Asia", "Asia/Shanghai\0", "\ud800", "x" * 5_000, "UTC+8"]
)
def test_an_unknown_zone_is_refused(name: str) -> None:
    with pytest.raises(Invalid) as refused:
        zone_named(name)

    assert [error.pointer for error in refused.value.errors] == ["?zone"]


def test_a_series_of_too_many_slots_is_refused() -> None:
    with pytest.raises(Invalid, match=str(MOST_SLOTS)):
        slots(period("2026-01-01", "2026-04-01", SHANGHAI, NOW), Step.HOUR)


@given(st.integers(-6 * 10**16, 2 * 10**17))
def test_a_bucket_begins_at_or_before_its_instants_and_ends_after_them(instant: int) -> None:
    start = microseconds(start_of(bucket_of(instant)))

    assert start <= instant < start + WIDTH_US


@pytest.mark.postgres
async def test_the_database_puts_every_instant_into_the_same_bucket(metrics_database: Database) -> None:
    edges = [edge + step for edge in (-(10**16), -WIDTH_US, 0, WIDTH_US, 1_772_438_400_000_000) for step in (-1, 0, 1, 7)]

    async with metrics_database.transaction() as tx:
        found = await tx.fetch(f"SELECT {sql_bucket('at')} AS bucket FROM unnest($1::bigint[]) WITH ORDINALITY u(at, n) ORDER BY n", edges)

    assert [row["bucket"] for row in found] == [bucket_of(edge) for edge in edges]
