"""Repeated complaints: the same person on the same topic, within the window after the end of the complaint before (D05)."""

from __future__ import annotations

import asyncio
import random
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from services.metrics import handlers
from services.metrics.store import generations, log
from shared import clock
from shared.database import Database
from tests.metrics.builders import DAY, HOUR, START, Story, in_batches, merged_file, numbered, random_history, unmerged_file, uuid
from tests.metrics.conftest import Door
from tests.metrics.database import recorded
from tests.waiting import eventually

pytestmark = [pytest.mark.postgres, pytest.mark.api]

YEAR = {"from": "2026-01-01", "to": "2027-01-01"}


def complaint(number: int, at: datetime = START, customer: int = 1, topic: str | None = "leak", **dims: str) -> Story:
    """A complaint of a customer."""
    values: dict[str, Any] = {"channel": "email", "type": "complaint", "priority": "normal", "root_topic": topic} | dims
    return Story(f"AS-{number}", at=at, customer=uuid(customer), dims=values)


async def rate(door: Door, caller: httpx.AsyncClient, *things: Any, **query: Any) -> tuple[int, int]:
    """Matters that came again, and all matters."""
    events = [event for thing in things for event in (thing.events if isinstance(thing, Story) else [thing])]
    await recorded(door.database, [numbered(events)])
    found = await caller.get("/v1/kpis", params=YEAR | {"kpi": "repeat_complaint_rate"} | query)
    (item,) = found.json()["items"]
    return item["numerator"], item["denominator"]


async def test_two_complaints_on_one_topic_are_one_matter_that_came_again(door: Door, manager: httpx.AsyncClient) -> None:
    first = complaint(1).later(DAY).resolved()

    assert await rate(door, manager, first, complaint(2, START + 5 * DAY)) == (1, 1)


async def test_another_channel_is_the_same_matter_and_another_topic_is_not(door: Door, manager: httpx.AsyncClient) -> None:
    things = [
        complaint(1).later(DAY).resolved(),
        complaint(2, START + 5 * DAY, channel="wechat"),
        complaint(3, START + 6 * DAY, topic="noise"),
    ]

    assert await rate(door, manager, *things) == (1, 2)


async def test_another_customer_is_another_matter(door: Door, manager: httpx.AsyncClient) -> None:
    assert await rate(door, manager, complaint(1), complaint(2, START + DAY, customer=2)) == (0, 2)


async def test_a_complaint_while_the_first_is_still_open_came_again(door: Door, manager: httpx.AsyncClient) -> None:
    assert await rate(door, manager, complaint(1), complaint(2, START + 300 * DAY)) == (1, 1)


@pytest.mark.parametrize(("span", "expected"), [(30 * DAY, (1, 1)), (30 * DAY + timedelta(microseconds=1), (0, 2))])
async def test_the_window_runs_from_the_end_of_the_complaint_before(
    door: Door, manager: httpx.AsyncClient, span: timedelta, expected: tuple[int, int]
) -> None:
    first = complaint(1).later(DAY).resolved().later(7 * DAY).closed()

    assert await rate(door, manager, first, complaint(2, START + 8 * DAY + span)) == expected


async def test_the_window_is_a_parameter(door: Door, manager: httpx.AsyncClient) -> None:
    things = [complaint(1).later(DAY).resolved(), complaint(2, START + 15 * DAY)]

    assert await rate(door, manager, *things, repeat_window_days=7) == (0, 2)
    assert await rate(door, manager, repeat_window_days=14) == (1, 1)
    found = await manager.get("/v1/kpis", params=YEAR | {"kpi": "repeat_complaint_rate", "repeat_window_days": 14})
    assert found.json()["items"][0]["window_days"] == 14


async def test_two_files_of_one_person_are_one_complainant_until_they_are_taken_apart(door: Door, manager: httpx.AsyncClient) -> None:
    things = [complaint(1, customer=1), complaint(2, START + DAY, customer=2), complaint(3, START + 2 * DAY, customer=3)]

    assert await rate(door, manager, *things) == (0, 3)
    # 1 -> 2 -> 3: through two merges
    entries = numbered([merged_file(1, 2), merged_file(2, 3), unmerged_file(1, 2)])
    await recorded(door.database, [entries[:2]])
    assert await rate(door, manager) == (1, 1)
    await recorded(door.database, [entries[2:]])
    assert await rate(door, manager) == (1, 2)


async def test_the_halves_of_a_merged_ticket_are_no_repetition(door: Door, manager: httpx.AsyncClient) -> None:
    assert await rate(door, manager, complaint(1), complaint(2, START + HOUR).later(HOUR).merged()) == (0, 1)


async def test_a_complaint_whose_topic_nobody_knows_is_a_matter_of_its_own(door: Door, manager: httpx.AsyncClient) -> None:
    assert await rate(door, manager, complaint(1, topic=None), complaint(2, START + DAY, topic=None)) == (0, 2)


async def test_what_triage_makes_a_complaint_is_one(door: Door, manager: httpx.AsyncClient) -> None:
    became = Story("AS-2", at=START + DAY, customer=uuid(1)).later(HOUR).triaged(type="complaint", root_topic="leak")
    was = complaint(3, START + 2 * DAY).later(HOUR).triaged(type="repair")

    assert await rate(door, manager, complaint(1), became, was) == (1, 1)


async def test_a_matter_counts_when_it_first_came(door: Door, manager: httpx.AsyncClient) -> None:
    await rate(door, manager, complaint(1).later(DAY).resolved(), complaint(2, START + 29 * DAY))

    series = await manager.get(
        "/v1/kpis/repeat_complaint_rate/series", params={"from": "2026-03-01", "to": "2026-05-01", "bucket": "month"}
    )

    assert [(item["numerator"], item["denominator"]) for item in series.json()["items"]] == [(1, 1), (0, 0)]


async def test_matters_are_grouped_as_their_first_complaint_was(door: Door, manager: httpx.AsyncClient) -> None:
    await rate(door, manager, complaint(1, tier="gold"), complaint(2, START + DAY, channel="wechat"), complaint(3, customer=2))

    found = await manager.get("/v1/kpis", params=YEAR | {"kpi": "repeat_complaint_rate", "group_by": "channel,tier", "channel": "email"})

    assert [(item["dimensions"], item["numerator"], item["denominator"]) for item in found.json()["items"]] == [
        ({"channel": "email", "tier": "gold"}, 1, 1),
        ({"channel": "email", "tier": "standard"}, 0, 1),
    ]


async def test_a_matter_is_provisional_until_its_window_is_over(door: Door, manager: httpx.AsyncClient) -> None:
    now = clock.now()
    await recorded(door.database, [numbered(complaint(1, now - 80 * DAY).later(60 * DAY).resolved().events)])

    async def is_provisional(window: int) -> bool:
        query = {"from": (now - 90 * DAY).isoformat(), "to": (now - 70 * DAY).isoformat(), "kpi": "repeat_complaint_rate"}
        found = await manager.get("/v1/kpis", params=query | {"repeat_window_days": window})
        return bool(found.json()["items"][0]["provisional"])

    # the range ended 70 days ago, but its complaint ended 20 days ago
    assert (await is_provisional(19), await is_provisional(21)) == (False, True)


async def _marks(database: Database) -> list[tuple[bool, bool]]:
    """What is noted of each complaint in use, and what is so."""
    async with database.transaction() as tx:
        version = (await generations.active(tx)).version
        query = "SELECT is_shared, count(*) OVER (PARTITION BY customer_id, topic) > 1 FROM complaint WHERE projection_version = $1"
        return [tuple(row) for row in await tx.fetch(query, version)]


async def test_a_complaint_is_marked_while_there_is_another_one_of_its_file_on_its_topic(metrics_database: Database) -> None:
    chance = random.Random(32)
    entries = numbered(random_history(32, 150))
    chance.shuffle(entries)

    for batch in in_batches(entries, chance):
        await recorded(metrics_database, [batch])
        assert all(noted == is_so for noted, is_so in await _marks(metrics_database))

    assert set(await _marks(metrics_database)) == {(True, True), (False, False)}


async def test_two_that_are_written_at_once_are_both_marked(metrics_database: Database) -> None:
    events = [*complaint(1).events, *complaint(2, START + DAY).events]
    first, second = numbered(events)[:1], numbered(events)[1:]

    async with metrics_database.transaction() as tx:
        await handlers.record(tx, first)
        other = asyncio.create_task(recorded(metrics_database, [second]))
        await eventually(lambda: _waits(metrics_database))
    await other

    assert await _marks(metrics_database) == [(True, True)] * 2


async def _waits(database: Database) -> bool:
    async with database.transaction() as tx:
        return bool(await tx.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)"))


async def test_the_proof_strings_the_same_matters_together(metrics_database: Database) -> None:
    """Whoever complained when, in a history with merged files in circles: two ways of counting, one result; and a fault is found."""
    await recorded(metrics_database, [numbered(random_history(31, 120))])
    async with log.snapshot(metrics_database, scratch=True) as tx:
        assert await handlers.differences(tx, (await generations.active(tx)).version) == []

    async with metrics_database.transaction() as tx:
        await tx.execute("UPDATE complaint SET topic = 'leak'")

    async with log.snapshot(metrics_database, scratch=True) as tx:
        found = await handlers.differences(tx, (await generations.active(tx)).version)
    assert {(row.kpi, row.dimension) for row in found} == {("repeat_complaint_rate", "row"), ("repeat_complaint_rate", "cell")}
