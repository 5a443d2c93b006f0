"""Who waited at an instant, for whom, and how long already."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from services.metrics.buckets import microseconds
from services.metrics.facts.observing import OPEN
from services.metrics.store import backlog, generations, log
from services.metrics.store.rollups import Cut
from shared.database import Database
from shared.events.envelope import Event
from shared.events.tickets import TicketEvent
from tests.metrics.builders import DAY, HOUR, MINUTE, START, Story, numbered, random_history
from tests.metrics.conftest import Door
from tests.metrics.database import recorded

pytestmark = [pytest.mark.postgres, pytest.mark.api]


async def happened(door: Door, *stories: Story) -> None:
    await recorded(door.database, [numbered(event for story in stories for event in story.events)])


async def told(caller: httpx.AsyncClient, at: datetime, **query: Any) -> list[dict[str, Any]]:
    """The backlog at the end of a range."""
    params = {"from": (at - DAY).isoformat(), "to": at.isoformat(), "kpi": "backlog"} | query
    found = await caller.get("/v1/kpis", params=params)
    assert found.status_code == 200, found.text
    return list(found.json()["items"])


async def count(caller: httpx.AsyncClient, at: datetime) -> int:
    (item,) = await told(caller, at)
    assert datetime.fromisoformat(item["at"]) == at
    return int(item["value"])


async def test_a_ticket_is_backlog_from_its_request_to_its_resolution(door: Door, manager: httpx.AsyncClient) -> None:
    await happened(door, Story().later(DAY).resolved())

    assert [await count(manager, at) for at in (START - HOUR, START, START + DAY - HOUR, START + DAY)] == [0, 1, 1, 0]


async def test_a_reopened_ticket_is_backlog_again(door: Door, manager: httpx.AsyncClient) -> None:
    await happened(door, Story().later(HOUR).resolved().later(DAY).reopened())

    assert [await count(manager, START + span) for span in (2 * HOUR, 2 * DAY)] == [0, 1]


async def test_what_waits_for_the_customer_or_for_parts_is_backlog(door: Door, manager: httpx.AsyncClient) -> None:
    await happened(door, Story("AS-1").later(HOUR).waits("waiting_customer"), Story("AS-2").later(HOUR).waits("waiting_parts"))

    assert await count(manager, START + DAY) == 2


@pytest.mark.parametrize("end", ["merged", "spam", "internal"])
async def test_what_is_no_case_of_its_own_never_was_backlog(door: Door, manager: httpx.AsyncClient, end: str) -> None:
    story = Story(dims={"channel": "internal" if end == "internal" else "web", "priority": "normal"}).later(DAY)
    if end != "internal":
        story = story.merged() if end == "merged" else story.cancelled("spam")
    await happened(door, story)

    assert await count(manager, START + HOUR) == 0


async def test_a_merge_that_is_undone_brings_the_ticket_back(door: Door, manager: httpx.AsyncClient) -> None:
    await happened(door, Story().later(HOUR).merged().later(HOUR).unmerged())

    assert [await count(manager, START + span) for span in (30 * MINUTE, 90 * MINUTE, DAY)] == [1, 0, 1]


async def test_a_backlog_is_grouped_by_who_held_the_ticket_then(door: Door, manager: httpx.AsyncClient) -> None:
    await happened(door, Story().later(HOUR).assigned("agent-1").later(DAY).assigned("agent-2", team="returns"))

    async def holder(at: datetime) -> list[tuple[dict[str, str | None], int]]:
        return [(item["dimensions"], item["value"]) for item in await told(manager, at, group_by="team,agent")]

    assert await holder(START + 30 * MINUTE) == [({"team": None, "agent": None}, 1)]
    assert await holder(START + 2 * HOUR) == [({"team": "repairs", "agent": "agent-1"}, 1)]
    assert await holder(START + 3 * DAY) == [({"team": "returns", "agent": "agent-2"}, 1)]


async def test_a_series_tells_the_backlog_at_the_end_of_each_day(door: Door, manager: httpx.AsyncClient) -> None:
    await happened(door, Story("AS-1").later(36 * HOUR).resolved(), Story("AS-2", at=START + DAY))

    query = {"from": "2026-03-01", "to": "2026-03-06", "zone": "UTC"}
    found = (await manager.get("/v1/kpis/backlog/series", params=query)).json()["items"]

    assert [item["value"] for item in found] == [0, 1, 1, 1, 1]
    assert [item["at"] for item in found] == [item["to"] for item in found]


async def test_an_instant_that_has_not_come_has_no_backlog(manager: httpx.AsyncClient) -> None:
    found = (await manager.get("/v1/kpis/backlog/series", params={"from": "2150-01-01", "to": "2150-01-03"})).json()["items"]

    assert [(item["value"], item["at"], item["provisional"]) for item in found] == [(None, None, True)] * 2


async def test_ages_are_told_in_classes_with_mean_and_percentiles(door: Door, manager: httpx.AsyncClient) -> None:
    at = START + 40 * DAY
    ages = (HOUR, 5 * HOUR, 2 * DAY, 5 * DAY, 10 * DAY, 20 * DAY, 35 * DAY)
    await happened(door, *(Story(f"AS-{number}", at=at - age) for number, age in enumerate(ages)))

    (found,) = await told(manager, at, kpi="backlog_age")

    assert [item["n"] for item in found["classes"]] == [1, 1, 1, 1, 1, 1, 1]
    assert (found["classes"][0]["from"], found["classes"][-1]["to"]) == (0, None)
    assert found["value"] == pytest.approx((6 * HOUR + 72 * DAY).total_seconds() / 7)
    assert found["median"]["value"] == pytest.approx((5 * DAY).total_seconds(), rel=0.01)
    assert (found["ci95"], found["median"]["ci95"], found["n"]) == (None, None, 7)


async def test_ages_over_time_are_told_in_up_to_a_hundred_slots(door: Door, manager: httpx.AsyncClient) -> None:
    await happened(door, Story(at=START))

    days = await manager.get("/v1/kpis/backlog_age/series", params={"from": "2026-03-01", "to": "2026-06-09", "zone": "UTC"})
    hours = await manager.get("/v1/kpis/backlog_age/series", params={"from": "2026-03-01", "to": "2026-03-06", "bucket": "hour"})

    assert [item["value"] for item in days.json()["items"]][:3] == [None, (16 * HOUR).total_seconds(), (40 * HOUR).total_seconds()]
    assert (len(days.json()["items"]), hours.status_code, hours.json()["errors"][0]["pointer"]) == (100, 422, "?bucket")


async def test_a_reopened_ticket_is_as_old_as_its_request(door: Door, manager: httpx.AsyncClient) -> None:
    await happened(door, Story().later(HOUR).resolved().later(DAY).reopened())

    (found,) = await told(manager, START + 2 * DAY, kpi="backlog_age")

    assert found["value"] == (2 * DAY).total_seconds()


async def test_the_backlog_of_any_instant_is_what_walking_through_the_events_finds(metrics_database: Database) -> None:
    events = random_history(23, 60)
    await recorded(metrics_database, [numbered(events)])
    chance = random.Random(23)
    instants = sorted(START + chance.randrange(60 * 24 * 60) * MINUTE + chance.randrange(60) * MINUTE / 60 for _ in range(40))

    async with log.snapshot(metrics_database) as tx:
        version = (await generations.active(tx)).version
        sums = await backlog.counts(tx, version, Cut(by=("channel",)), [microseconds(at) for at in instants])

    found = {(row.slot, row.group[0]): row.n for row in sums}
    assert found == {
        (slot, channel): n
        for slot, at in enumerate(instants)
        for channel in ("web", "email", "chat", "bot")
        if (n := _open_at(events, at, channel))
    }


def _open_at(events: list[Event], at: datetime, channel: str) -> int:
    """Tickets of the channel that were open at an instant, read from their histories one by one."""
    histories: dict[str, list[TicketEvent]] = {}
    for event in events:
        if isinstance(event, TicketEvent):
            histories.setdefault(event.ticket_number, []).append(event)
    return sum(_is_open_at(sorted(history, key=lambda event: event.ticket_version), at, channel) for history in histories.values())


def _is_open_at(history: list[TicketEvent], at: datetime, channel: str) -> bool:
    """Whether some state of the ticket in which it was open holds at the instant: it holds from its event to the next one that differs."""
    last = history[-1]
    if last.dimensions.channel != channel or last.dimensions.status == "merged":
        return False
    if last.dimensions.status == "cancelled" and next(event for event in history[::-1] if hasattr(event, "reason")).reason in {
        "spam",
        "test",
        "dismissed",
    }:
        return False
    states: list[tuple[datetime, object]] = []
    for event in history:
        dims = event.dimensions
        state = dims.model_dump(exclude={"status"}) if dims.status in OPEN else None
        if not states or states[-1][1] != state:
            states.append((event.occurred_at, state))
    ends = [since for since, _ in states[1:]] + [datetime.max.replace(tzinfo=UTC)]
    return any(state is not None and since <= at < end for (since, state), end in zip(states, ends, strict=True))
