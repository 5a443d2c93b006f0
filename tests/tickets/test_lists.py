"""Lists: every filter and order, pages that neither repeat nor lose, and plans that read no more than a page at 20,000 tickets."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import httpx
import orjson
import pytest

from services.tickets.sla import Priority
from services.tickets.store import lists
from services.tickets.store.lists import Filter, SlaFilter, Sort, query
from services.tickets.workflow.status import Status
from shared import clock
from shared.database import Database
from shared.events.intake import CustomerMerged, Product
from tests.explaining import Explaining
from tests.tickets.builders import DAY, HOUR, NOON, customer_registered
from tests.tickets.calls import RESOLVE, must, opened, pointers
from tests.tickets.conftest import Door
from tests.tickets.observation import count, fire, take_in, ticket

pytestmark = [pytest.mark.postgres, pytest.mark.api]


async def listed(caller: httpx.AsyncClient, **parameters: Any) -> list[str]:
    answer = await caller.get("/v1/tickets", params=parameters)
    assert answer.status_code == 200, answer.text
    return [item["number"] for item in answer.json()["items"]]


async def paged(caller: httpx.AsyncClient, **parameters: Any) -> list[str]:
    """The whole list, two tickets at a time."""
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = (await caller.get("/v1/tickets", params={**parameters, "limit": 2} | ({"cursor": cursor} if cursor else {}))).json()
        seen += [item["number"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            return seen


# ------------------------------------------------------------------ filters


async def test_each_filter_finds_its_tickets(door: Door, agent: httpx.AsyncClient) -> None:
    gold = customer_registered(tier="gold")
    await take_in(door.database, gold)
    now = clock.now()
    mine = await opened(door, customer_id=gold.customer_id, channel="phone", type="complaint", occurred_at=now - 2 * HOUR)
    other = await opened(door, channel="web", type="repair", occurred_at=now - 4 * DAY)
    await must(agent, mine, ("take", {"team": "north"}))

    found: list[dict[str, Any]] = [
        {"channel": "phone"}, {"priority": "high"}, {"tier": "gold"}, {"opened_from": (now - DAY).isoformat()}, {"assignee": "agent-1"},
        {"updated_from": (now - HOUR).isoformat()}, {"team": "north"}, {"status": "assigned"}, {"type": "complaint"},
    ]  # fmt: skip
    for parameters in found:
        assert await listed(agent, **parameters) == [mine], parameters
    left: list[dict[str, Any]] = [{"unassigned": "true"}, {"opened_before": (now - DAY).isoformat()}, {"priority": ["normal", "low"]}]
    for parameters in left:
        assert await listed(agent, **parameters) == [other], parameters
    assert await listed(agent, priority=["normal", "high"]) == [mine, other]
    assert await listed(agent, channel="phone", type="repair") == []


async def test_overdue_is_what_was_promised_before_now_and_is_not_kept(door: Door, agent: httpx.AsyncClient) -> None:
    late = await opened(door, occurred_at=clock.now() - 5 * HOUR)
    fresh = await opened(door)
    done = await opened(door, occurred_at=clock.now() - 9 * HOUR)
    await must(agent, done, ("reply", {"text": "Done."}), *RESOLVE)

    assert (await listed(agent, sla="overdue"), await listed(agent, sla="running")) == ([late], [fresh])


async def test_a_person_is_found_under_all_his_ids(door: Door, agent: httpx.AsyncClient) -> None:
    first, second = uuid4(), uuid4()
    a, b = await opened(door, customer_id=first), await opened(door, customer_id=second)
    await take_in(door.database, CustomerMerged(occurred_at=NOON, customer_id=first, into_customer_id=second, actor="agent-1"))

    assert set(await listed(agent, customer_id=str(first))) == set(await listed(agent, customer_id=str(second))) == {a, b}


@pytest.mark.parametrize("q", ["WM-8000", "sn-77", "o-42", "漏水"])
async def test_what_people_read_off_things_and_papers_finds_it(door: Door, agent: httpx.AsyncClient, q: str) -> None:
    product = Product(model="WM-8000", serial_number="SN-77", order_number="O-42")
    mine = await opened(door, subject="洗衣机漏水", product=product)
    await opened(door, subject="Fridge", product=None)

    assert await listed(agent, q=q) == [mine]


@pytest.mark.parametrize(
    ("parameters", "wrong"),
    [
        ({"sort": "loudest"}, "?sort"),
        ({"priority": "asap"}, "?priority.0"),
        ({"sla": "met"}, "?sla"),
        ({"opened_from": "yesterday"}, "?opened_from"),
        ({"opened_from": "2026-11-25T10:00:00"}, "?opened_from"),
        ({"unassigned": "true", "assignee": "agent-1"}, "?unassigned"),
        ({"customer_id": "1"}, "?customer_id"),
        ({"colour": "red"}, "?colour"),
    ],
)
async def test_each_wrong_parameter_is_named(agent: httpx.AsyncClient, parameters: dict[str, str], wrong: str) -> None:
    answer = await agent.get("/v1/tickets", params=parameters)

    assert (answer.status_code, pointers(answer)) == (422, [wrong])


# ------------------------------------------------------------------ orders


async def test_each_order_is_kept_over_pages(door: Door, agent: httpx.AsyncClient) -> None:
    now = clock.now()
    kinds = ["repair", "complaint", "repair", "complaint", "repair"]
    old_first = [await opened(door, type=kind, occurred_at=now - timedelta(minutes=50 - 10 * age)) for age, kind in enumerate(kinds)]
    await must(agent, old_first[1], ("take", {}))
    await must(agent, old_first[0], ("take", {}), *RESOLVE[1:])

    assert await paged(agent) == old_first[::-1]
    assert (await paged(agent, sort="updated"))[:2] == [old_first[0], old_first[1]]
    # the urgent ones are due sooner, whoever came first
    assert await paged(agent, sort="due") == [old_first[1], old_first[3], old_first[0], old_first[2], old_first[4]]
    assert await paged(agent, sort="priority") == [old_first[1], old_first[3], old_first[2], old_first[4]]


async def test_what_a_due_time_changed_has_its_place_among_what_people_changed(door: Door, agent: httpx.AsyncClient) -> None:
    dice, now = random.Random(5), clock.now()
    numbers = [await opened(door, occurred_at=now - dice.uniform(2, 4) * HOUR) for _ in range(16)]
    for number in dice.sample(numbers, 4):
        await must(agent, number, ("take", {}))
    while await fire(door.database):
        pass
    for number in dice.sample(numbers, 5):
        await must(agent, number, ("reply", {"text": "We look into it."}))
    # a second due time, of tickets that one changed already
    async with door.database.transaction() as tx:
        await tx.execute("UPDATE timer SET due_at = due_at - interval '1 hour'")
        await tx.execute("UPDATE sla_clock SET due_at = due_at - interval '1 hour', started_at = started_at - interval '1 hour'")
    while await fire(door.database):
        pass
    changed_at = {number: (await ticket(door.database, number)).changed_at for number in numbers}
    in_order = sorted(numbers, key=lambda number: (changed_at[number], number), reverse=True)

    assert 2 < await count(door.database, "told") < 16
    assert await paged(agent, sort="updated") == in_order
    for moment in sorted(changed_at.values())[::3]:
        since = [number for number in in_order if changed_at[number] >= moment]
        assert await paged(agent, sort="updated", updated_from=moment.isoformat()) == since
        assert await paged(agent, updated_before=moment.isoformat()) == [number for number in await paged(agent) if number not in since]
        assert set(await paged(agent, sort="due", q="machine", updated_from=moment.isoformat())) == set(since)


async def test_a_cursor_belongs_to_its_order_and_filters(door: Door, agent: httpx.AsyncClient) -> None:
    for _ in range(3):
        await opened(door)
    cursor = (await agent.get("/v1/tickets?limit=1&sort=updated")).json()["next_cursor"]

    for other in ("sort=newest", "sort=updated&type=repair", "sort=due"):
        assert (await agent.get(f"/v1/tickets?limit=1&{other}&cursor={cursor}")).status_code == 422


# ------------------------------------------------------------------ speed

MANY: Final = 20_000
CUSTOMER: Final = UUID(int=77)

_FILL: Final = """
INSERT INTO ticket (number, series, version, status, customer_id, channel, entered_by, locale, tier, type, priority, team, assignee,
                    opened_at, changed_at, episode, resolved_at, closed_at, next_due_at, subject, words)
SELECT n, n, 1, CASE WHEN done THEN 'closed' WHEN i % 10 = 8 THEN 'new' ELSE 'in_progress' END,
       CASE WHEN i % 2000 = 0 THEN $2::uuid ELSE gen_random_uuid() END, (ARRAY['web', 'phone', 'chat'])[1 + i % 3], 'customer', 'en',
       'standard', (ARRAY['repair', 'refund', 'enquiry'])[1 + i % 3], (ARRAY['low', 'normal', 'high', 'urgent'])[1 + i % 4],
       'team-' || i % 20, CASE WHEN i % 10 <> 8 THEN 'agent-' || i % 50 END, $3::timestamptz - i * interval '1 minute',
       $3::timestamptz - i * interval '30 seconds', done::int, CASE WHEN done THEN $3 END, CASE WHEN done THEN $3 END,
       CASE WHEN NOT done THEN $3::timestamptz + (i - 5000) * interval '1 second' END, 'subject', to_tsvector('simple', 'subject word' || i)
  FROM generate_series(1, $1) i, LATERAL (SELECT 'AS-T' || lpad(i::text, 7, '0'), i % 10 < 8) AS made(n, done)
"""

PLANS: Final[list[tuple[Filter, Sort]]] = [
    *[(Filter(), sort) for sort in Sort],
    *[(Filter(status=(Status.NEW, Status.IN_PROGRESS)), sort) for sort in Sort],
    *[(Filter(assignee="agent-9"), sort) for sort in Sort],
    *[(Filter(team="team-9"), sort) for sort in Sort],
    *[(Filter(type="repair", channel="web", priority=(Priority.LOW, Priority.URGENT)), sort) for sort in Sort],
    *[(Filter(customers=(CUSTOMER,)), sort) for sort in Sort],
    *[(Filter(unassigned=True), sort) for sort in Sort],
    *[(Filter(sla=sla), sort) for sla in SlaFilter for sort in Sort],
    # no ticket is all of these, though many are each
    *[(Filter(status=(Status.CLOSED,), type="repair", channel="phone", priority=(Priority.NORMAL,)), sort) for sort in Sort],
    *[(Filter(status=(Status.NEW, Status.TRIAGED), team="team-9"), sort) for sort in Sort],
    *[(Filter(unassigned=True, team="team-9"), sort) for sort in Sort],
    *[(Filter(q="subject", unassigned=True), sort) for sort in Sort],
    (Filter(opened_from=NOON - DAY, opened_before=NOON), Sort.NEWEST),
    (Filter(updated_from=NOON - DAY), Sort.UPDATED),
    (Filter(q="word777"), Sort.NEWEST),
    (Filter(q="AS-T000123"), Sort.NEWEST),
]


async def test_no_page_reads_or_sorts_everything(tickets_database: Database) -> None:
    async with tickets_database.transaction() as tx:
        await tx.execute(_FILL, MANY, CUSTOMER, NOON)
        await tx.execute("UPDATE ticket SET told_at = changed_at + interval '1 hour' WHERE status = 'new' AND right(number, 2) = '08'")
        await tx.execute("INSERT INTO told SELECT told_at, number FROM ticket WHERE told_at IS NOT NULL")
    async with tickets_database.transaction() as tx:
        # what autovacuum does in the background
        await tx.execute("SELECT gin_clean_pending_list('ticket_words')")
        await tx.execute("ANALYZE ticket, told")
        for chosen, sort in PLANS:
            for after in (None, _somewhere(sort)):
                statement, values = query(chosen, sort, after=after, now=NOON, limit=51)
                plan = orjson.loads(await tx.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", *values))[0]
                scanned, sorted_rows = _work(plan["Plan"])
                # a row of told is a tenth of a ticket, and few tickets have one
                assert not _reads_all_tickets(plan["Plan"]), f"{chosen} {sort}: {plan}"
                # somebody's own tickets may be sorted, or those whose promise runs; all of them never
                assert sorted_rows <= MANY / 5, f"{chosen} {sort} sorts {sorted_rows}"
                assert scanned <= MANY / 4, f"{chosen} {sort} reads {scanned}"


@pytest.mark.parametrize(
    ("chosen", "found", "indexed"),
    [
        (Filter(q="subject", assignee="agent-9"), 51, False),  # of the 2,000 newest he has 40
        (Filter(q="word", assignee="agent-9"), 51, False),
        (Filter(q="word19591"), 1, True),
        (Filter(q="nothing"), 0, True),
    ],
    ids=["word of all", "beginning of words of all", "word of one", "word of none"],
)
async def test_words_of_many_are_looked_for_in_somebodys_tickets_and_words_of_few_by_their_index(
    tickets_database: Database, chosen: Filter, found: int, indexed: bool
) -> None:
    async with tickets_database.transaction() as tx:
        await tx.execute(_FILL, MANY, CUSTOMER, NOON)
        await tx.execute("ANALYZE ticket")

        asked: Any = Explaining(tx)

        page = await lists.page(asked, chosen, Sort.NEWEST, after=None, now=NOON, limit=51)

    assert len(page) == found
    assert page == sorted(page, reverse=True)
    assert ("ticket_words" in {step.get("Index Name") for step in asked.plans[-1]}) is indexed


def _somewhere(sort: Sort) -> tuple[Any, ...]:
    """A place in the middle of the list."""
    return {
        Sort.NEWEST: (NOON - 5 * DAY, "AS-T0007200"),
        Sort.UPDATED: (NOON - 2 * DAY, "AS-T0005760"),
        Sort.DUE: (NOON + HOUR, "AS-T0003600"),
        Sort.PRIORITY: (2, NOON - 5 * DAY, "AS-T0007200"),
    }[sort]


def _reads_all_tickets(node: dict[str, Any]) -> bool:
    here = node["Node Type"] == "Seq Scan" and node["Relation Name"] == "ticket"
    return here or any(_reads_all_tickets(child) for child in node.get("Plans", []))


def _work(node: dict[str, Any]) -> tuple[float, float]:
    """Rows read by scans, also those that a filter threw away, and rows that went into sorts."""
    inner = [_work(child) for child in node.get("Plans", [])]
    scanned, sorted_rows = sum(each[0] for each in inner), sum(each[1] for each in inner)
    if node["Node Type"] in {"Seq Scan", "Index Scan", "Index Only Scan", "Bitmap Heap Scan"}:
        scanned += node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
    if node["Node Type"] == "Sort":
        sorted_rows += node["Plans"][0]["Actual Rows"]
    return scanned, sorted_rows
