"""Figures by one dimension, by two, and of a part: whichever way they are asked for, they come from the same counts."""

from __future__ import annotations

from collections import Counter
from typing import Any

import httpx
import pytest

from tests.metrics.builders import DAY, HOUR, START, Story, answer, numbered, random_history
from tests.metrics.conftest import Door
from tests.metrics.database import recorded

pytestmark = [pytest.mark.postgres, pytest.mark.api]

YEAR = {"from": "2026-01-01", "to": "2027-01-01"}
SUMMED = (
    "requests",
    "tickets_opened",
    "tickets_resolved",
    "sla_resolution",
    "resolution_rate",
    "reopen_rate",
    "nps",
    "survey_response_rate",
)


async def items(caller: httpx.AsyncClient, **query: Any) -> list[dict[str, Any]]:
    found = await caller.get("/v1/kpis", params=YEAR | query)
    assert found.status_code == 200, found.text
    return list(found.json()["items"])


async def test_two_dimensions_are_told_together(door: Door, manager: httpx.AsyncClient) -> None:
    stories = [
        Story("AS-1").later(HOUR).resolved(),
        Story("AS-2", dims={"channel": "email", "type": "repair", "priority": "normal"}).later(HOUR).resolved(),
        Story("AS-3", dims={"channel": "email", "type": "complaint", "priority": "normal"}).later(HOUR).resolved(),
    ]
    await recorded(door.database, [numbered(event for story in stories for event in story.events)])

    found = await items(manager, kpi="tickets_resolved", group_by="channel,type")

    assert [(item["dimensions"], item["value"]) for item in found] == [
        ({"channel": "email", "type": "complaint"}, 1),
        ({"channel": "email", "type": "repair"}, 1),
        ({"channel": "web", "type": "repair"}, 1),
    ]


@pytest.mark.parametrize("pair", ["channel,type", "team,agent", "priority,tier"])
async def test_two_dimensions_add_up_to_each_of_them(door: Door, manager: httpx.AsyncClient, pair: str) -> None:
    await recorded(door.database, [numbered(random_history(41, 60))])

    async def sums(group_by: str, kept: str) -> Counter[tuple[str, str | None]]:
        found: Counter[tuple[str, str | None]] = Counter()
        for item in await items(manager, kpi=SUMMED, group_by=group_by):
            found[item["kpi"], item["dimensions"][kept]] += item["n"]
        return found

    for dimension in pair.split(","):
        assert await sums(pair, dimension) == await sums(dimension, dimension)


async def test_a_part_is_the_group_of_its_value(door: Door, manager: httpx.AsyncClient) -> None:
    await recorded(door.database, [numbered(random_history(42, 60))])

    by_channel = {
        (item["kpi"], item["dimensions"]["channel"]): item for item in await items(manager, kpi=[*SUMMED, "backlog"], group_by="channel")
    }
    for channel in ("web", "chat"):
        for item in await items(manager, kpi=[*SUMMED, "backlog"], channel=channel):
            group = by_channel.get((item["kpi"], channel), {"n": 0, "numerator": 0})
            assert (item["n"], item["numerator"]) == (group["n"], group["numerator"]), item["kpi"]


async def test_several_values_and_none_at_all_can_be_asked_for(door: Door, manager: httpx.AsyncClient) -> None:
    events = [
        *(Story("AS-1").assigned("agent-1").later(HOUR).resolved().events),
        *(Story("AS-2").assigned("agent-2").later(HOUR).resolved().events),
        *(Story("AS-3").later(HOUR).resolved().events),
    ]
    await recorded(door.database, [numbered(events)])

    async def resolved(**query: Any) -> int:
        (item,) = await items(manager, kpi="tickets_resolved", **query)
        return int(item["value"])

    assert [await resolved(agent=["agent-1", "agent-2"]), await resolved(agent=""), await resolved(agent=["agent-1", ""])] == [2, 1, 2]
    assert await resolved(agent="nobody") == 0
    assert await resolved(agent="agent-1", channel="email") == 0


async def test_a_series_of_a_part(door: Door, manager: httpx.AsyncClient) -> None:
    await recorded(door.database, [numbered([answer(1, overall=5), answer(2, START + DAY, overall=3)])])

    query = {"from": "2026-03-02", "to": "2026-03-04", "zone": "UTC", "channel": "web"}
    whole = (await manager.get("/v1/kpis/csat_mean/series", params=query)).json()["items"]
    none = (await manager.get("/v1/kpis/csat_mean/series", params=query | {"tier": "gold"})).json()["items"]

    assert [item["value"] for item in whole] == [5, 3]
    assert [item["n"] for item in none] == [0, 0]


async def test_satisfied_customers_are_counted_from_the_same_answers(door: Door, manager: httpx.AsyncClient) -> None:
    scores = [5] * 20 + [4] * 10 + [3] * 5 + [1] * 5
    answers = [answer(number, overall=score) for number, score in enumerate(scores)]
    await recorded(door.database, [numbered(answers)])

    mean, top2 = await items(manager, kpi=["csat_mean", "csat_top2"])

    assert (mean["n"], top2["n"]) == (40, 40)
    assert (top2["value"], top2["target"], top2["verdict"]) == (0.75, 0.8, "inconclusive")
    (grouped,) = await items(manager, kpi="csat_top2", group_by="agent")
    assert (grouped["dimensions"], grouped["numerator"]) == ({"agent": "agent-1"}, 30)


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"group_by": "channel,channel"}, "?group_by"),
        ({"group_by": "channel,type,team"}, "?group_by"),
        ({"group_by": "customer"}, "?group_by"),
        ({"group_by": ""}, "?group_by"),
        ({"clock": "wall"}, "?clock"),
        ({"repeat_window_days": 0}, "?repeat_window_days"),
        ({"repeat_window_days": "soon"}, "?repeat_window_days"),
        ({"agent": "x" * 65}, "?agent.0"),
        ({"agent": ["a"] * 51}, "?agent"),
    ],
)
async def test_a_cut_that_cannot_be_is_refused_by_name(manager: httpx.AsyncClient, query: dict[str, Any], pointer: str) -> None:
    found = await manager.get("/v1/kpis", params=YEAR | query)

    assert found.status_code == 422
    assert [error["pointer"] for error in found.json()["errors"]] == [pointer]
