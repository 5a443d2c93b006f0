"""How long things took: exact means, percentiles out of classes, by business time and by the calendar."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.metrics.buckets import DURATION_EDGES, LONGEST_MS, duration_class, sql_duration_class, typical_ms
from services.metrics.intervals import rank_of, ranks_around
from services.metrics.kpi import DEFINITIONS, Clock, SmallSample, Verdict, figure
from services.metrics.projection import fold, observed
from shared.database import Database
from tests.metrics.builders import DAY, HOUR, MINUTE, Story, numbered
from tests.metrics.conftest import Door
from tests.metrics.counting import by_quarter
from tests.metrics.database import recorded

CHAT = {"channel": "chat", "type": "enquiry", "priority": "normal", "tier": "standard"}
MARCH = {"from": "2026-03-01", "to": "2026-04-01"}
SECOND = timedelta(seconds=1)


def told(kpi: str, *stories: Story) -> dict[str, int]:
    """What a figure counts in total, by measure."""
    rows = by_quarter(fold({}, observed(numbered(event for story in stories for event in story.events))).cells)
    found: dict[str, int] = {}
    for key, n in rows.items():
        if (key.kpi, key.dimension) == (kpi, "total"):
            found[key.measure] = found.get(key.measure, 0) + n
    return found


def value(kpi: str, *stories: Story, clock: Clock = Clock.BUSINESS) -> float | None:
    """The mean in seconds."""
    return figure(DEFINITIONS[kpi], told(kpi, *stories), None, clock).value


# ------------------------------------------------------------------ classes


@pytest.mark.pure
@given(st.integers(0, LONGEST_MS - 1))
def test_what_stands_for_a_class_is_within_a_percent_of_all_in_it(ms: int) -> None:
    assert abs(typical_ms(duration_class(ms)) - ms) <= 0.01 * ms


@pytest.mark.pure
@given(st.integers(0, 2 * LONGEST_MS), st.integers(0, 2 * LONGEST_MS))
def test_a_longer_duration_is_never_in_a_lower_class(one: int, other: int) -> None:
    assert (duration_class(one) <= duration_class(other)) or one > other


@pytest.mark.postgres
async def test_the_database_puts_every_duration_into_the_same_class(metrics_database: Database) -> None:
    durations = sorted({0, -1, 10**18, *DURATION_EDGES, *(edge - 1 for edge in DURATION_EDGES), *(edge + 1 for edge in DURATION_EDGES)})

    async with metrics_database.transaction() as tx:
        query = f"SELECT {sql_duration_class('ms')} AS class FROM unnest($1::bigint[]) WITH ORDINALITY u(ms, n) ORDER BY n"
        found = [row["class"] for row in await tx.fetch(query, durations)]

    assert found == [duration_class(ms) for ms in durations]


# ------------------------------------------------------------------ what is measured


@pytest.mark.pure
def test_an_hour_is_an_hour_and_not_a_day() -> None:
    story = Story(business_share=0.25).later(HOUR).replied()

    assert value("first_response_time", story, clock=Clock.CALENDAR) == 3600
    assert value("first_response_time", story) == 900


@pytest.mark.pure
def test_the_first_response_is_measured_once_whatever_follows() -> None:
    story = Story(business_share=1).later(HOUR).replied().later(DAY).replied().resolved()

    assert value("first_response_time", story) == 3600


@pytest.mark.pure
def test_the_resolution_time_runs_to_the_last_resolution() -> None:
    story = Story().later(HOUR).resolved()
    assert value("resolution_time", story, clock=Clock.CALENDAR) == 3600

    story.later(DAY).reopened()
    assert value("resolution_time", story, clock=Clock.CALENDAR) is None  # it runs again

    story.later(HOUR).resolved()
    assert value("resolution_time", story, clock=Clock.CALENDAR) == (DAY + 2 * HOUR) / SECOND


@pytest.mark.pure
def test_an_online_response_is_measured_on_a_chat_alone() -> None:
    chat, web = Story("AS-1", dims=dict(CHAT)).later(20 * SECOND).replied(), Story("AS-2").later(HOUR).replied()

    assert value("online_response_time", chat, web, clock=Clock.CALENDAR) == 20
    assert told("online_response_time", web) == {}


@pytest.mark.pure
@pytest.mark.parametrize(("seconds", "quick"), [(30, 1), (30.001, 0)])
def test_a_first_word_within_thirty_seconds_of_staffed_time_is_quick(seconds: float, quick: int) -> None:
    story = Story(dims=dict(CHAT), business_share=1).later(timedelta(seconds=seconds)).replied()

    assert told("online_response_time", story).get("within", 0) == quick


@pytest.mark.pure
def test_a_night_before_the_first_word_is_no_staffed_time() -> None:
    story = Story(dims=dict(CHAT), business_share=0).later(9 * HOUR).replied()

    assert value("online_response_time", story) == 0
    assert told("online_response_time", story)["within"] == 1


@pytest.mark.pure
@pytest.mark.parametrize("end", ["merged", "spam"])
def test_what_never_was_a_case_of_its_own_took_no_time(end: str) -> None:
    story = Story().later(HOUR).replied().later(HOUR)
    ended = story.merged() if end == "merged" else story.cancelled("spam")

    assert told("first_response_time", ended) == {}


@pytest.mark.pure
def test_a_response_to_somebody_who_later_withdrew_was_given_all_the_same() -> None:
    assert value("first_response_time", Story(business_share=1).later(HOUR).replied().later(HOUR).cancelled("withdrawn")) == 3600


@pytest.mark.pure
def test_a_changed_promise_changes_how_much_was_business_time() -> None:
    story = Story(business_share=1).later(HOUR).replied()
    story.first_response.business_share = 0.5
    story.retargeted("first_response", 4 * HOUR, policy_version=2)

    assert value("first_response_time", story) == 1800


# ------------------------------------------------------------------ figures


@pytest.mark.pure
@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=60))
def test_the_mean_is_exact_and_percentiles_are_within_a_percent(durations: list[int]) -> None:
    counts: dict[str, int] = {"business_ms": sum(durations)}
    for ms in durations:
        counts[f"business_{duration_class(ms)}"] = counts.get(f"business_{duration_class(ms)}", 0) + 1

    found = figure(DEFINITIONS["first_response_time"], counts, None)

    ordered = sorted(durations)
    assert found.value == sum(durations) / len(durations) / 1000
    assert found.median is not None
    assert found.p90 is not None
    assert found.median.value == pytest.approx(ordered[rank_of(0.5, len(ordered)) - 1] / 1000, rel=0.01, abs=0.001)
    assert found.p90.value == pytest.approx(ordered[rank_of(0.9, len(ordered)) - 1] / 1000, rel=0.01, abs=0.001)


@pytest.mark.pure
def test_a_mean_of_few_is_shown_and_not_judged() -> None:
    counts = {"business_ms": 9 * 10_000, f"business_{duration_class(10_000)}": 9}

    found = figure(DEFINITIONS["online_response_time"], counts, 30)

    assert (found.value, found.verdict, found.small_sample) == (10, Verdict.INCONCLUSIVE, SmallSample.COUNTS_ONLY)


@pytest.mark.pure
def test_the_quick_share_of_few_is_told_by_its_counts_alone() -> None:
    counts = {"business_ms": 9 * 10_000, f"business_{duration_class(10_000)}": 9, "within": 8}

    found = figure(DEFINITIONS["online_response_time"], counts, 30).within

    assert found is not None
    assert (found.value, found.interval, found.numerator, found.denominator) == (None, None, 8, 9)


@pytest.mark.pure
@pytest.mark.parametrize(("seconds", "verdict"), [(10, Verdict.MET), (60, Verdict.MISSED)])
def test_an_online_response_time_is_judged_by_its_mean(seconds: int, verdict: Verdict) -> None:
    counts = {"business_ms": 40 * seconds * 1000, f"business_{duration_class(seconds * 1000)}": 40}

    assert figure(DEFINITIONS["online_response_time"], counts, 30).verdict is verdict


@pytest.mark.pure
@pytest.mark.parametrize(
    ("share", "n", "ranks"), [(0.5, 5, None), (0.5, 6, (1, 6)), (0.5, 10, (2, 9)), (0.5, 100, (40, 61)), (0.9, 30, None)]
)
def test_the_interval_of_a_percentile_lies_between_the_ranks_of_the_textbook(share: float, n: int, ranks: tuple[int, int] | None) -> None:
    assert ranks_around(share, n) == ranks


@pytest.mark.pure
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_the_interval_of_a_percentile_covers_the_truth_as_often_as_it_promises(share: float) -> None:
    chance, runs, n = random.Random(3), 2_000, 60
    ranks = ranks_around(share, n)
    assert ranks is not None

    covered = 0
    for _ in range(runs):
        sample = sorted(chance.random() for _ in range(n))
        covered += sample[ranks[0] - 1] <= share <= sample[ranks[1] - 1]

    assert covered / runs >= 0.94


# ------------------------------------------------------------------ the door


@pytest.mark.postgres
@pytest.mark.api
async def test_a_duration_is_told_with_mean_median_p90_and_the_quick_share(door: Door, manager: httpx.AsyncClient) -> None:
    waits = [5 * n for n in range(1, 21)]  # 5 to 100 seconds
    stories = [Story(f"AS-{n}", dims=dict(CHAT), business_share=1).later(n * SECOND).replied() for n in waits]
    await recorded(door.database, [numbered(event for story in stories for event in story.events)])

    (found,) = (await manager.get("/v1/kpis", params=MARCH | {"kpi": "online_response_time"})).json()["items"]

    assert (found["value"], found["numerator"], found["denominator"], found["unit"]) == (52.5, 1_050_000, 20, "seconds")
    assert (found["clock"], found["target"], found["verdict"], found["small_n"]) == ("business", 30, "missed", "grey")
    assert found["median"]["value"] == pytest.approx(50, rel=0.01)
    assert found["median"]["ci95"] == pytest.approx([30, 75], rel=0.01)
    assert found["p90"]["value"] == pytest.approx(90, rel=0.01)
    assert (found["within"]["limit"], found["within"]["numerator"], found["within"]["value"]) == (30, 6, 0.3)
    assert found["ci95"][0] < 52.5 < found["ci95"][1]


@pytest.mark.postgres
@pytest.mark.api
async def test_the_calendar_is_another_clock(door: Door, manager: httpx.AsyncClient) -> None:
    await recorded(door.database, [numbered(Story(business_share=0.5).later(2 * HOUR).replied().events)])

    async def seconds(clock: str) -> float:
        (found,) = (await manager.get("/v1/kpis", params=MARCH | {"kpi": "first_response_time", "clock": clock})).json()["items"]
        assert found["clock"] == clock
        return float(found["value"])

    assert (await seconds("business"), await seconds("calendar")) == (3600, 7200)


@pytest.mark.postgres
@pytest.mark.api
async def test_a_response_counts_when_it_is_given(door: Door, manager: httpx.AsyncClient) -> None:
    late_in_march = Story(at=datetime.fromisoformat("2026-03-31T23:00:00+08:00")).later(90 * MINUTE).replied()
    await recorded(door.database, [numbered(late_in_march.events)])

    query = {"from": "2026-03-01", "to": "2026-05-01", "bucket": "month", "zone": "Asia/Shanghai"}
    found = (await manager.get("/v1/kpis/first_response_time/series", params=query)).json()["items"]

    assert [month["n"] for month in found] == [0, 1]
