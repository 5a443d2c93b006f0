"""Requests become somebody's as they arrive: one event, one batch, two batches at once. On real PostgreSQL."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from services.tickets.assignment.staff import Presence
from services.tickets.store import assignments, views
from services.tickets.workflow.evolution import replay
from services.tickets.workflow.status import Status
from shared.database import Database
from shared.events.tickets import TicketOpened
from tests.tickets.builders import customer_registered, request_received
from tests.tickets.observation import take_in, ticket, told
from tests.tickets.staffing import DESK, add_agent, add_skill, add_team, change_agent

pytestmark = pytest.mark.postgres


async def owners(database: Database) -> Counter[str | None]:
    """How many tickets each agent has."""
    async with database.transaction() as tx:
        return Counter(row["assignee"] for row in await tx.fetch("SELECT assignee FROM ticket"))


async def test_without_teams_a_ticket_is_nobodys_until_somebody_takes_it(tickets_database: Database) -> None:
    await add_agent(tickets_database, "ann", teams=())
    request = request_received()

    await take_in(tickets_database, request)

    found = await ticket(tickets_database, request.reference)
    assert (found.status, found.team, found.assignee) == (Status.NEW, None, None)


async def test_a_request_opens_as_somebodys_ticket_with_one_event(tickets_database: Database) -> None:
    await add_team(tickets_database)
    await add_agent(tickets_database, "ann")
    request = request_received()

    await take_in(tickets_database, request)

    found = await ticket(tickets_database, request.reference)
    (event,) = await told(tickets_database, request.reference)
    assert (found.status, found.team, found.assignee, found.version) == (Status.ASSIGNED, DESK, "ann", 1)
    assert isinstance(event, TicketOpened)
    assert event.assignment == "round_robin"
    assert (event.dimensions.status, event.dimensions.team, event.dimensions.agent) == ("assigned", DESK, "ann")


async def test_with_nobody_at_work_it_waits_in_the_queue_of_its_team(tickets_database: Database) -> None:
    await add_team(tickets_database, "repairs", types=("repair",))
    await add_agent(tickets_database, "ann", "repairs", presence=Presence.AWAY)
    request = request_received()

    await take_in(tickets_database, request)

    found = await ticket(tickets_database, request.reference)
    (event,) = await told(tickets_database, request.reference)
    assert (found.status, found.team, found.assignee, found.is_queued) == (Status.NEW, "repairs", None, True)
    assert isinstance(event, TicketOpened)
    assert (event.assignment, event.dimensions.team, event.dimensions.agent) == (None, "repairs", None)


async def test_the_history_rebuilds_a_ticket_that_was_opened_as_somebodys(tickets_database: Database) -> None:
    await add_team(tickets_database)
    await add_agent(tickets_database, "ann")
    request = request_received()
    await take_in(tickets_database, request)

    async with tickets_database.transaction() as tx:
        history = await views.changes(tx, request.reference)

    assert replay(history) == await ticket(tickets_database, request.reference)


async def test_the_reasons_are_kept_with_the_ticket(tickets_database: Database) -> None:
    await add_team(tickets_database)
    await add_team(tickets_database, "repairs", types=("repair",))
    await add_skill(tickets_database, "solder", types=("repair",))
    await add_agent(tickets_database, "ann", "repairs")
    await add_agent(tickets_database, "bob", "repairs", skills=("solder",))
    request = request_received(type="repair")

    await take_in(tickets_database, request)

    async with tickets_database.transaction() as tx:
        (kept,) = await assignments.of_ticket(tx, request.reference)
    assert (kept.version, kept.team, kept.agent, kept.code, kept.actor) == (1, "repairs", "bob", "round_robin", "customer")
    assert kept.decision is not None
    assert kept.decision.needed == ("solder",)
    assert kept.decision.teams == {DESK: "names_nothing", "repairs": "chosen"}
    assert kept.decision.candidates == {"ann": "skill_missing", "bob": "chosen"}


async def test_a_batch_is_shared_out_evenly_and_so_are_several(tickets_database: Database) -> None:
    await add_team(tickets_database)
    for id in ("ann", "bob", "cid"):
        await add_agent(tickets_database, id)

    for size in (4, 1, 2):
        await take_in(tickets_database, *(request_received() for _ in range(size)))

    assert sorted((await owners(tickets_database)).values()) == [2, 2, 3]


async def test_a_customer_who_became_vip_in_the_same_batch_gets_his_own_agent(tickets_database: Database) -> None:
    await add_team(tickets_database)
    await add_agent(tickets_database, "ann")
    await add_agent(tickets_database, "vic", tiers=("vip",))
    dear = customer_registered(tier="vip")
    requests = [request_received(), request_received(customer_id=dear.customer_id), request_received()]

    await take_in(tickets_database, dear, *requests)

    assert [(await ticket(tickets_database, each.reference)).assignee for each in requests] == ["ann", "vic", "ann"]


async def test_a_batch_stops_at_the_capacity_of_everybody_and_the_rest_waits(tickets_database: Database) -> None:
    await add_team(tickets_database)
    await add_agent(tickets_database, "ann", capacity=2)
    await add_agent(tickets_database, "bob", capacity=1)

    await take_in(tickets_database, *(request_received() for _ in range(2)))
    await take_in(tickets_database, *(request_received() for _ in range(3)))

    assert await owners(tickets_database) == {"ann": 2, "bob": 1, None: 2}


async def test_two_batches_at_once_share_out_evenly_without_doubles_or_deadlock(tickets_database: Database) -> None:
    await add_team(tickets_database, "repairs", types=("repair",))
    await add_team(tickets_database, "returns", types=("return",))
    for id in ("ann", "bob", "cid", "dan"):
        # in both teams, in different orders
        await add_agent(tickets_database, id, *(("repairs", "returns") if id in ("ann", "bob") else ("returns", "repairs")))
    batches = [[request_received(type=type) for type in ("repair", "return", "repair")] for _ in range(8)]

    await asyncio.gather(*(take_in(tickets_database, *batch) for batch in batches))

    assert await owners(tickets_database) == {"ann": 6, "bob": 6, "cid": 6, "dan": 6}


async def test_two_batches_at_once_never_pass_anybodys_capacity(tickets_database: Database) -> None:
    await add_team(tickets_database)
    await add_agent(tickets_database, "ann", capacity=5)
    await add_agent(tickets_database, "bob", capacity=3)

    await asyncio.gather(*(take_in(tickets_database, *(request_received() for _ in range(3))) for _ in range(6)))

    assert await owners(tickets_database) == {"ann": 5, "bob": 3, None: 10}


async def test_the_same_request_again_takes_nobodys_turn(tickets_database: Database) -> None:
    await add_team(tickets_database)
    await add_agent(tickets_database, "ann")
    await add_agent(tickets_database, "bob")
    first, second = request_received(), request_received()

    await take_in(tickets_database, first, first)
    await take_in(tickets_database, first)
    await take_in(tickets_database, second)

    assert await owners(tickets_database) == {"ann": 1, "bob": 1}


async def test_who_moves_to_another_team_takes_no_ticket_and_no_event_with_him(tickets_database: Database) -> None:
    """Rule 23: figures group by the team that held the case then."""
    await add_team(tickets_database)
    await add_team(tickets_database, "repairs", types=("refund",))
    await add_agent(tickets_database, "ann")
    request = request_received()
    await take_in(tickets_database, request)

    await change_agent(tickets_database, "ann", teams=("repairs",))

    assert (await ticket(tickets_database, request.reference)).team == DESK
    assert [event.TYPE for event in await told(tickets_database, request.reference)] == ["ticket.opened.v1"]


async def test_names_of_staff_stand_in_their_own_table_alone(tickets_database: Database) -> None:
    await add_team(tickets_database)
    await add_agent(tickets_database, "ann")
    await change_agent(tickets_database, "ann", name="Xu Secret")
    await take_in(tickets_database, request_received())

    async with tickets_database.transaction() as tx:
        tables = [row["tablename"] for row in await tx.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        found = {
            table
            for table in tables
            for word in ("Xu Secret", "Name of ann")
            if await tx.fetchval(f'SELECT EXISTS (SELECT FROM "{table}" t WHERE position($1 in t::text) > 0)', word)
        }
        payloads = await tx.fetchval("SELECT string_agg(convert_from(payload, 'UTF8'), '') FROM outbox")
    assert found == {"agent"}
    assert "Secret" not in payloads
    assert "Name of" not in payloads
