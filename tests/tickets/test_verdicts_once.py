"""The verdicts on the agents of a team are kept once, however many tickets and transactions they are about. On real PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import count
from typing import Final

import asyncpg
import pytest

from services.tickets.assignment.roster import Decision
from services.tickets.assignment.staff import Distribution, Presence
from services.tickets.assignment.turns import Verdict
from services.tickets.handlers import desk
from services.tickets.store import assignments
from services.tickets.store.assignments import Assignment, canonical, digest
from services.tickets.workflow.commands import Actor, Take
from services.tickets.workflow.status import Role
from shared import clock, migrations
from shared.database import Database
from tests.databases import with_database
from tests.servers import Servers
from tests.tickets.builders import NOON, request_received
from tests.tickets.observation import take_in, ticket
from tests.tickets.staffing import add_agent, add_team, set_presence
from tests.tickets.test_migrations import upgrade
from tests.waiting import eventually, waiting_for_locks

pytestmark = pytest.mark.postgres

ANN: Final = {"ann": Verdict.LATER_TURN, "bob": Verdict.AWAY}
BOB: Final = {"ann": Verdict.OFFLINE, "bob": Verdict.LATER_TURN}
OLD: Final = """
INSERT INTO assignment (number, version, at, actor, code, team, agent, needed, teams, candidates)
VALUES ('AS-1', 1, $1, 'customer', 'round_robin', 'desk', 'ann', '{solder}', '{"desk": "chosen"}', '{"ann": "chosen", "bob": "away"}'),
       ('AS-1', 2, $1, 'bob', 'taken_over', 'desk', 'bob', NULL, '{}', '{}'),
       ('AS-1', 3, $1, 'bob', 'handed_over', 'desk', NULL, NULL, '{}', '{"ann": "later_turn", "bob": "gave_it_away"}')
"""


def decided(number: str, verdicts: dict[str, Verdict], agent: str | None = None, version: int = 1) -> Assignment:
    """Whose the ticket became, and why."""
    decision = Decision("desk", agent, agent and "round_robin", verdicts=verdicts)
    return Assignment(number, version, NOON, "system", "desk", agent, decision.code, None, decision)


async def kept(database: Database, number: str) -> list[tuple[str | None, dict[str, str]]]:
    """Who had the ticket, and the verdicts, as they are read."""
    async with database.transaction() as tx:
        found = await assignments.of_ticket(tx, number)
    return [(each.agent, dict(each.decision.candidates)) for each in found if each.decision is not None]


async def lines(database: Database) -> int:
    """How many verdicts on whole teams there are."""
    async with database.transaction() as tx:
        return int(await tx.fetchval("SELECT count(*) FROM assignment_line"))


# ------------------------------------------------------------------ once


async def test_batches_of_one_team_write_them_once(tickets_database: Database) -> None:
    await add_team(tickets_database)
    for id in ("ann", "bob", "cid"):
        await add_agent(tickets_database, id)
    batches = [[request_received() for _ in range(3)] for _ in range(2)]

    for batch in batches:
        await take_in(tickets_database, *batch)

    first = [await kept(tickets_database, request.reference) for request in batches[0]]
    second = [await kept(tickets_database, request.reference) for request in batches[1]]
    assert first == second == [[(id, {**dict.fromkeys(("ann", "bob", "cid"), "later_turn"), id: "chosen"})] for id in ("ann", "bob", "cid")]
    assert await lines(tickets_database) == 1


async def test_whoever_comes_or_goes_changes_no_verdict_of_before(tickets_database: Database) -> None:
    await add_team(tickets_database)
    await add_agent(tickets_database, "ann")
    await add_agent(tickets_database, "bob", presence=Presence.AWAY)
    before, after = request_received(), request_received()

    await take_in(tickets_database, before)
    await set_presence(tickets_database, "ann", Presence.OFFLINE)
    await set_presence(tickets_database, "bob", Presence.PRESENT)
    await take_in(tickets_database, after)

    assert await kept(tickets_database, before.reference) == [("ann", {"ann": "chosen", "bob": "away"})]
    assert await kept(tickets_database, after.reference) == [("bob", {"ann": "offline", "bob": "chosen"})]
    assert await lines(tickets_database) == 2


async def test_who_takes_a_ticket_himself_was_not_chosen(tickets_database: Database) -> None:
    await add_team(tickets_database, distribution=Distribution.BY_HAND)
    await add_agent(tickets_database, "ann")
    request = request_received()
    await take_in(tickets_database, request)

    async with tickets_database.transaction() as tx:
        await desk.act(tx, request.reference, Take(), by=Actor("ann", Role.AGENT), version=1, at=clock.now())

    assert (await ticket(tickets_database, request.reference)).assignee == "ann"
    assert await kept(tickets_database, request.reference) == [(None, {"ann": "later_turn"}), ("ann", {})]
    assert await lines(tickets_database) == 1


# ------------------------------------------------------------------ at once


@asynccontextmanager
async def holding(database: Database, *decisions: Assignment) -> AsyncIterator[None]:
    """A transaction that has written these and is not at its end."""
    async with database.transaction() as tx:
        await assignments.insert(tx, decisions)
        yield


@asynccontextmanager
async def undone(database: Database, *decisions: Assignment) -> AsyncIterator[None]:
    """A transaction that has written these and is rolled back in the end."""
    with suppress(ConnectionAbortedError):
        async with holding(database, *decisions):
            yield
            raise ConnectionAbortedError


async def write(database: Database, *decisions: Assignment) -> None:
    async with database.transaction() as tx:
        await assignments.insert(tx, decisions)


async def all_wait(database: Database, number: int) -> None:
    await eventually(lambda: waiting_for_locks(database), lambda waiting: waiting == number)


async def test_of_two_transactions_that_write_the_same_ones_the_second_waits_and_finds_them(tickets_database: Database) -> None:
    async with holding(tickets_database, decided("AS-1", ANN, "ann")):
        second = asyncio.create_task(write(tickets_database, decided("AS-2", dict(ANN)), decided("AS-3", BOB, "bob")))
        await all_wait(tickets_database, 1)
    await second

    assert await kept(tickets_database, "AS-1") == [("ann", ANN | {"ann": "chosen"})]
    assert await kept(tickets_database, "AS-2") == [(None, ANN)]
    assert await kept(tickets_database, "AS-3") == [("bob", BOB | {"bob": "chosen"})]
    assert await lines(tickets_database) == 2


async def test_when_the_first_is_rolled_back_the_second_writes_them(tickets_database: Database) -> None:
    async with undone(tickets_database, decided("AS-1", ANN, "ann")):
        second = asyncio.create_task(write(tickets_database, decided("AS-2", ANN, "ann")))
        await all_wait(tickets_database, 1)
    await second

    assert await kept(tickets_database, "AS-1") == []
    assert await kept(tickets_database, "AS-2") == [("ann", ANN | {"ann": "chosen"})]


def four() -> Sequence[dict[str, Verdict]]:
    """Verdicts that differ, in the order of their digests."""
    found = ({f"agent-{number}": Verdict.AWAY} for number in count())
    return sorted((next(found) for _ in range(4)), key=lambda verdicts: digest(canonical(verdicts)))


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (0, 2, 1, 3), (3, 1, 2, 0)])
async def test_two_batches_with_the_same_ones_in_different_orders_do_not_wait_for_each_other(
    tickets_database: Database, order: tuple[int, int, int, int]
) -> None:
    """Each would hold what the other wants next, if it wrote in the order in which it decided."""
    a, b, x, y = (four()[place] for place in order)
    number = iter(range(9))

    def of(*several: dict[str, Verdict]) -> list[Assignment]:
        return [decided(f"AS-{next(number)}", verdicts) for verdicts in several]

    async with asyncio.TaskGroup() as at_once, undone(tickets_database, *of(x)), undone(tickets_database, *of(y)):
        at_once.create_task(write(tickets_database, *of(a, x, b)))
        at_once.create_task(write(tickets_database, *of(b, y, a)))
        await all_wait(tickets_database, 2)

    assert await lines(tickets_database) == 4


# ------------------------------------------------------------------ of old


async def test_assignments_of_old_keep_their_reasons(servers: Servers) -> None:
    admin_url = servers.postgres()
    admin = await asyncpg.connect(admin_url)
    await admin.execute("DROP DATABASE IF EXISTS reasons_of_old")
    await admin.execute("CREATE DATABASE reasons_of_old")
    url = with_database(admin_url, "reasons_of_old")
    try:
        await asyncio.to_thread(upgrade, url, "0008")
        old = await asyncpg.connect(url)
        await old.execute(OLD, NOON)
        await old.close()

        await asyncio.to_thread(migrations.upgrade, "tickets", url)

        database = Database(url, pool_size=2, application_name="tests")
        await write(database, decided("AS-1", ANN, "ann", version=4))
        found = await kept(database, "AS-1")
        async with database.transaction() as tx:
            first = (await assignments.of_ticket(tx, "AS-1"))[0]
        await database.close()
    finally:
        await admin.execute("DROP DATABASE reasons_of_old WITH (FORCE)")
        await admin.close()

    assert found == [
        ("ann", {"ann": "chosen", "bob": "away"}),
        ("bob", {}),
        (None, {"ann": "later_turn", "bob": "gave_it_away"}),
        ("ann", {"ann": "chosen", "bob": "away"}),
    ]
    assert first.decision is not None
    assert (first.decision.needed, first.decision.teams) == (("solder",), {"desk": "chosen"})
