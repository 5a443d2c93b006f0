"""Targets: versions that are never lost, set by whoever may, one at a time, and what they do to verdicts."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from shared.auth import Role
from tests.metrics.builders import START, answer, numbered
from tests.metrics.conftest import Door
from tests.metrics.database import recorded

pytestmark = [pytest.mark.postgres, pytest.mark.api]


async def aim(caller: httpx.AsyncClient, value: float, *, kpi: str = "csat_mean", seen: int | None = 1, **body: Any) -> httpx.Response:
    headers = {} if seen is None else {"If-Match": f'"{seen}"'}
    return await caller.put(f"/v1/targets/{kpi}", json={"value": value, **body}, headers=headers)


async def test_the_headline_targets_are_there_from_the_start(manager: httpx.AsyncClient) -> None:
    found = {item["kpi"]: item for item in (await manager.get("/v1/targets")).json()["items"]}

    assert (found["csat_mean"]["value"], found["resolution_rate"]["value"]) == (4.2, 0.95)
    assert (found["repeat_complaint_rate"]["value"], found["repeat_complaint_rate"]["direction"]) == (0.05, "at_most")
    assert (found["nps"]["value"], found["online_response_time"]["value"], found["online_response_time"]["unit"]) == (40, 30, "seconds")


async def test_a_new_target_is_a_new_version_and_the_old_one_stays(manager: httpx.AsyncClient) -> None:
    changed = await aim(manager, 4.4, valid_from="2026-06-01T00:00:00Z")

    assert changed.status_code == 200
    assert changed.headers["ETag"] == '"2"'
    found = (await manager.get("/v1/targets/csat_mean")).json()
    assert [(version["version"], version["value"], version["set_by"]) for version in found["versions"]] == [
        (2, 4.4, "manager-1"),
        (1, 4.2, "aftercare"),
    ]
    assert (found["version"], found["valid_from"]) == (2, "2026-06-01T00:00:00Z")


async def test_a_slot_is_judged_by_the_target_of_its_own_time(door: Door, manager: httpx.AsyncClient) -> None:
    await recorded(door.database, [numbered(answer(number, START, overall=5) for number in range(40))])
    await aim(manager, 5, valid_from="2026-04-01T00:00:00Z")

    query = {"from": "2026-03-01", "to": "2026-05-01", "bucket": "month", "zone": "UTC"}
    march, april = (await manager.get("/v1/kpis/csat_mean/series", params=query)).json()["items"]

    assert (march["target"], march["verdict"]) == (4.2, "met")
    assert (april["target"], april["verdict"]) == (5, "inconclusive")


async def test_who_has_not_seen_the_present_target_may_not_change_it(manager: httpx.AsyncClient) -> None:
    await aim(manager, 4.4)

    stale, blind = await aim(manager, 4.5), await aim(manager, 4.5, seen=None)

    assert (stale.status_code, stale.json()["current_version"], blind.status_code) == (412, 2, 428)


async def test_of_two_managers_at_once_one_is_refused(manager: httpx.AsyncClient) -> None:
    found = await asyncio.gather(*(aim(manager, 4 + n / 10) for n in range(8)))

    assert sorted(answer.status_code for answer in found) == [200] + [412] * 7
    assert len((await manager.get("/v1/targets/csat_mean")).json()["versions"]) == 2


async def test_a_first_target_follows_on_none(manager: httpx.AsyncClient) -> None:
    assert (await manager.get("/v1/targets/first_response_time")).status_code == 404

    assert (await aim(manager, 3600, kpi="first_response_time", seen=0)).status_code == 200
    assert (await manager.get("/v1/targets/first_response_time")).json()["version"] == 1


@pytest.mark.parametrize(
    ("kpi", "body", "pointer"),
    [
        ("csat_mean", {"value": 5.1}, "#/value"),
        ("csat_mean", {"value": 0}, "#/value"),
        ("resolution_rate", {"value": 95}, "#/value"),
        ("nps", {"value": -101}, "#/value"),
        ("online_response_time", {"value": -1}, "#/value"),
        ("nps", {"value": "40"}, "#/value"),
        ("nps", {}, "#/value"),
        ("nps", {"value": 40, "valid_from": "tomorrow"}, "#/valid_from"),
        ("nps", {"value": 40, "colour": "blue"}, "#/colour"),
        ("backlog", {"value": 40}, "{kpi}"),
        ("happiness", {"value": 40}, "{kpi}"),
    ],
)
async def test_a_target_that_cannot_be_is_refused_by_name(manager: httpx.AsyncClient, kpi: str, body: dict[str, Any], pointer: str) -> None:
    found = await manager.put(f"/v1/targets/{kpi}", json=body, headers={"If-Match": '"1"'})

    assert found.status_code == 422
    assert [error["pointer"] for error in found.json()["errors"]] == [pointer]


@pytest.mark.parametrize(("role", "status"), [(Role.LEAD, 403), (Role.AUDITOR, 403), (Role.MANAGER, 200), (Role.ADMIN, 200)])
async def test_targets_are_set_by_those_who_configure(door: Door, role: Role, status: int) -> None:
    assert (await aim(await door.caller(role), 4.3)).status_code == status


async def test_agents_do_not_read_targets(door: Door) -> None:
    assert (await (await door.caller(Role.AGENT)).get("/v1/targets")).status_code == 403
