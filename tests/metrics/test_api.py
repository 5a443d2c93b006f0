"""The REST door: figures that say how sure they are, and clear answers to what cannot be asked."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, get_args

import httpx
import pytest

from services.metrics import handlers, kpi, projection, schemas
from shared import clock
from shared.auth import Role
from shared.database import Database
from tests.metrics.builders import DAY, HOUR, MINUTE, START, Story, answer, numbered, request
from tests.metrics.conftest import Door
from tests.metrics.database import recorded

pytestmark = [pytest.mark.postgres, pytest.mark.api]

MARCH = {"from": "2026-03-01", "to": "2026-04-01"}


async def figures(caller: httpx.AsyncClient, **query: Any) -> dict[str, Any]:
    """The answer's items by key figure."""
    found = await caller.get("/v1/kpis", params=MARCH | query)
    assert found.status_code == 200, found.text
    return {item["kpi"]: item for item in found.json()["items"]}


def pointers(found: httpx.Response) -> list[str]:
    return [error["pointer"] for error in found.json()["errors"]]


async def test_a_figure_comes_with_its_counts_interval_target_and_verdict(door: Door, manager: httpx.AsyncClient) -> None:
    in_time = [Story(f"AS-{number}").later(HOUR).replied() for number in range(45)]
    late = [Story(f"AS-{number}").later(5 * HOUR).replied() for number in range(45, 60)]
    await recorded(door.database, [numbered(event for story in in_time + late for event in story.events)])

    found = (await figures(manager, kpi="sla_first_response"))["sla_first_response"]

    assert found == {
        "kpi": "sla_first_response",
        "unit": "ratio",
        "value": 0.75,
        "numerator": 45,
        "denominator": 60,
        "n": 60,
        "ci95": pytest.approx([0.6277, 0.8422], abs=1e-4),
        "target": 0.95,
        "direction": "at_least",
        "verdict": "missed",
        "definition_version": 1,
        "small_n": None,
        "provisional": False,
        "clock": None,
        "median": None,
        "p90": None,
        "within": None,
        "classes": None,
        "window_days": None,
        "at": None,
        "dimensions": {},
    }


async def test_before_anything_happened_every_figure_is_there_and_empty(manager: httpx.AsyncClient) -> None:
    found = await figures(manager)

    assert list(found) == list(kpi.DEFINITIONS)
    assert {item["n"] for item in found.values()} == {0}
    counts = {"requests", "tickets_opened", "tickets_resolved", "backlog"}
    assert {name for name, item in found.items() if item["value"] is None} == found.keys() - counts


async def test_figures_are_grouped_by_what_was_true_then(door: Door, manager: httpx.AsyncClient) -> None:
    story = Story().later(HOUR).resolved().later(DAY).reopened().assigned("agent-2").later(HOUR).resolved()
    await recorded(door.database, [numbered(story.events)])

    found = await manager.get("/v1/kpis", params=MARCH | {"kpi": "tickets_resolved", "group_by": "agent"})

    assert [(item["dimensions"], item["value"]) for item in found.json()["items"]] == [({"agent": None}, 1), ({"agent": "agent-2"}, 1)]


@pytest.mark.parametrize(
    ("days_ago", "provisional"),
    [
        (6, {"resolution_time", "sla_resolution", "resolution_rate", "reopen_rate", "survey_response_rate", "repeat_complaint_rate"}),
        (8, {"survey_response_rate", "repeat_complaint_rate"}),
        (15, {"repeat_complaint_rate"}),
        (31, set()),
    ],
)
async def test_a_figure_is_provisional_while_what_follows_can_still_change_it(
    manager: httpx.AsyncClient, days_ago: int, provisional: set[str]
) -> None:
    end = clock.now() - days_ago * DAY

    found = await figures(manager, **{"from": (end - DAY).isoformat(), "to": end.isoformat()})

    assert {name for name, item in found.items() if item["provisional"]} == provisional


async def test_a_range_that_has_not_ended_is_provisional(manager: httpx.AsyncClient) -> None:
    found = await manager.get("/v1/kpis")

    assert {item["provisional"] for item in found.json()["items"]} == {True}


async def test_half_past_eleven_belongs_to_the_day_of_the_zone(door: Door, manager: httpx.AsyncClient) -> None:
    await recorded(door.database, [numbered([request(1, datetime.fromisoformat("2026-03-31T23:30:00+08:00"))])])

    assert (await figures(manager, zone="Asia/Shanghai"))["requests"]["value"] == 1
    assert (await figures(manager, zone="UTC"))["requests"]["value"] == 1
    assert (await figures(manager, zone="Pacific/Auckland"))["requests"]["value"] == 0


async def test_the_answer_says_how_far_it_knows_the_world(door: Door, manager: httpx.AsyncClient) -> None:
    entries = numbered([request(1), request(2, START + HOUR)])
    await recorded(door.database, [entries])
    async with door.database.transaction() as tx:
        await tx.execute("UPDATE consumer_part SET last_seq = 2 WHERE topic = $1 AND part = $2", entries[0].topic, entries[0].part)

    found = (await manager.get("/v1/kpis", params=MARCH)).json()

    assert found["as_of"] == {"positions": {f"aftercare.intake/{entries[0].part}": 2}, "event_time": "2026-03-02T09:00:00Z"}
    assert (found["from"], found["to"], found["zone"]) == ("2026-02-28T16:00:00Z", "2026-03-31T16:00:00Z", "Asia/Shanghai")


async def test_a_changed_target_holds_from_its_day_on(door: Door, manager: httpx.AsyncClient) -> None:
    async with door.database.transaction() as tx:
        april = datetime.fromisoformat("2026-04-15T00:00:00Z")
        await tx.execute("INSERT INTO kpi_target (kpi, version, value, valid_from) VALUES ('nps', 2, 50, $1)", april)

    assert (await figures(manager, kpi="nps"))["nps"]["target"] == 40
    assert (await figures(manager, kpi="nps", to="2026-05-01"))["nps"]["target"] == 50


async def test_a_series_shows_every_slot_also_the_empty_ones(door: Door, manager: httpx.AsyncClient) -> None:
    await recorded(door.database, [numbered([request(1), request(2, START + 2 * DAY), request(3, START + 2 * DAY + MINUTE)])])

    found = await manager.get("/v1/kpis/requests/series", params={"from": "2026-03-02", "to": "2026-03-06", "zone": "Europe/Berlin"})

    assert [(item["from"], item["value"]) for item in found.json()["items"]] == [
        ("2026-03-01T23:00:00Z", 1),
        ("2026-03-02T23:00:00Z", 0),
        ("2026-03-03T23:00:00Z", 2),
        ("2026-03-04T23:00:00Z", 0),
    ]


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25)])
async def test_a_day_of_clock_change_has_as_many_hours_as_it_has(manager: httpx.AsyncClient, day: str, hours: int) -> None:
    following = (datetime.fromisoformat(day) + timedelta(days=1)).date().isoformat()

    found = await manager.get("/v1/kpis/requests/series", params={"from": day, "to": following, "zone": "Europe/Berlin", "bucket": "hour"})

    assert len(found.json()["items"]) == hours


async def test_a_series_adds_up_to_the_figure_of_its_range(door: Door, manager: httpx.AsyncClient) -> None:
    await recorded(door.database, [numbered(answer(number, START + number * 7 * HOUR, recommend=number % 11) for number in range(60))])

    whole = (await figures(manager, kpi="nps"))["nps"]
    weeks = (await manager.get("/v1/kpis/nps/series", params=MARCH | {"bucket": "week"})).json()["items"]

    assert sum(week["n"] for week in weeks) == whole["n"] == 60
    assert sum(week["numerator"] for week in weeks) == whole["numerator"]
    assert whole["value"] == pytest.approx(100 * whole["numerator"] / 60)


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"kpi": "happiness"}, "?kpi.0"),
        ({"kpi": ["nps", "happiness"]}, "?kpi.1"),
        ({"from": "2026-04-02"}, "?from"),
        ({"from": "soon"}, "?from"),
        ({"from": "2026-03-01T10:00:00"}, "?from"),
        ({"from": "0001-01-01"}, "?from"),
        ({"to": "9999-12-31T23:59:59Z"}, "?to"),
        ({"to": "2026-02-30"}, "?to"),
        ({"from": "2016-01-01"}, "?from"),
        ({"zone": "Mars/Phobos"}, "?zone"),
        ({"zone": ""}, "?zone"),
        ({"group_by": "customer"}, "?group_by"),
        ({"colour": "blue"}, "?colour"),
    ],
)
async def test_what_cannot_be_asked_is_refused_by_name(manager: httpx.AsyncClient, query: dict[str, Any], pointer: str) -> None:
    found = await manager.get("/v1/kpis", params=MARCH | query)

    assert found.status_code == 422
    assert found.headers["content-type"] == "application/problem+json"
    assert pointers(found) == [pointer]


@pytest.mark.parametrize(
    ("path", "query", "pointer"),
    [
        ("happiness", {}, "{kpi}"),
        ("nps", {"bucket": "fortnight"}, "?bucket"),
        ("nps", {"bucket": "hour", "from": "2025-01-01"}, "?bucket"),
        ("nps", {"from": "2026-05-01"}, "?from"),
        ("nps", {"zone": "Nowhere"}, "?zone"),
    ],
)
async def test_a_series_that_cannot_be_is_refused_by_name(
    manager: httpx.AsyncClient, path: str, query: dict[str, Any], pointer: str
) -> None:
    found = await manager.get(f"/v1/kpis/{path}/series", params=MARCH | query)

    assert found.status_code == 422
    assert pointers(found) == [pointer]


async def test_without_a_key_nothing_is_told(door: Door) -> None:
    assert (await door.client().get("/v1/kpis")).status_code == 401


async def test_a_key_that_may_not_read_figures_is_refused(door: Door) -> None:
    customer = await door.caller(Role.CUSTOMER)

    assert (await customer.get("/v1/kpis")).status_code == 403


def test_the_words_of_the_rest_door_are_those_of_the_definitions() -> None:
    assert get_args(schemas.KpiId) == tuple(kpi.DEFINITIONS)
    assert get_args(schemas.Dimension) == projection.DIMENSIONS
    assert get_args(schemas.AimedAt) == handlers.AIMED_AT


async def test_the_seeded_targets_are_those_of_the_catalogue(metrics_database: Database) -> None:
    async with metrics_database.transaction() as tx:
        rows = await tx.fetch("SELECT kpi, value::float8 AS value FROM kpi_target WHERE version = 1")

    assert {row["kpi"]: row["value"] for row in rows} == {
        "sla_first_response": 0.95,
        "resolution_rate": 0.95,
        "reopen_rate": 0.05,
        "csat_mean": 4.2,
        "nps": 40,
        "online_response_time": 30,
        "sla_next_response": 0.95,
        "sla_resolution": 0.95,
        "repeat_complaint_rate": 0.05,
        "csat_top2": 0.8,
        "survey_response_rate": 0.2,
    }
