"""A parked key waits for an operator, who replays it in order or gives an event up, by name and with a reason."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from shared import dead_letter
from shared.consumer import Received, apply_with
from shared.database import Database, Transaction
from shared.dead_letter import NotParked
from tests.shared.desk import LOG, Desk, applied, parked, poison, record
from tests.waiting import eventually, waiting_for_locks

pytestmark = pytest.mark.postgres

KEY = (*LOG, "B")


@pytest.fixture
async def desk(reader_database: Database) -> Desk:
    """Events 2 and 3 of B are parked: the handler refused the first."""
    desk = Desk(reader_database, refuses={"B"})
    await desk.take(record(1, "A"), record(2, "B"), record(3, "B"), record(4, "C"))
    return desk


async def replay(desk: Desk, *, reason: str = "repaired") -> int:
    return await dead_letter.replay(desk.database, apply_with(desk.handle), KEY, by="ada", reason=reason)


async def test_a_replay_applies_in_order_and_unparks(desk: Desk) -> None:
    desk.refuses = ()

    assert await replay(desk) == 2
    await desk.take(record(5, "B"))

    assert await applied(desk.database) == [1, 4, 2, 3, 5]
    async with desk.database.transaction() as tx:
        letter, headers, value = await dead_letter.show(tx, LOG, 2)
    assert (letter.status, letter.resolved_by, letter.reason, letter.attempts) == ("replayed", "ada", "repaired", 2)
    assert letter.resolved_at is not None
    assert value is None
    assert headers["ce_sequence"] == "2"


async def test_a_replay_that_fails_again_changes_nothing(desk: Desk) -> None:
    with pytest.raises(ValueError, match="refused"):
        await replay(desk)

    assert await applied(desk.database) == [1, 4]
    assert await parked(desk.database) == [(2, "ValueError"), (3, None)]
    async with desk.database.transaction() as tx:
        assert [letter.attempts for letter in await dead_letter.find(tx)] == [2, 2]


async def test_a_body_that_is_still_no_event_is_not_replayed(reader_database: Database) -> None:
    desk = Desk(reader_database)
    await desk.take(poison(1, "B"), record(2, "B"))

    with pytest.raises(ValueError, match="validation error"):
        await replay(desk)

    assert await parked(reader_database) == [(1, "ValidationError"), (2, None)]


async def test_an_event_is_given_up_and_the_rest_replayed(desk: Desk) -> None:
    async with desk.database.transaction() as tx:
        await dead_letter.discard(tx, KEY, 2, by="ada", reason="a test order")
    desk.refuses = ()

    assert await replay(desk) == 1
    assert await applied(desk.database) == [1, 4, 3]
    async with desk.database.transaction() as tx:
        discarded = await dead_letter.find(tx, status="discarded")
    assert [(letter.seq, letter.resolved_by, letter.reason) for letter in discarded] == [(2, "ada", "a test order")]


async def test_the_last_discarded_event_unparks_its_key(desk: Desk) -> None:
    for seq in (2, 3):
        async with desk.database.transaction() as tx:
            await dead_letter.discard(tx, KEY, seq, by="ada", reason="a test order")
    desk.refuses = ()

    await desk.take(record(5, "B"))

    assert await applied(desk.database) == [1, 4, 5]


async def test_what_is_not_parked_cannot_be_resolved(desk: Desk) -> None:
    async with desk.database.transaction() as tx:
        with pytest.raises(NotParked):
            await dead_letter.discard(tx, KEY, 1, by="ada", reason="none")
        with pytest.raises(NotParked):
            await dead_letter.show(tx, LOG, 1)
    with pytest.raises(NotParked):
        await dead_letter.replay(desk.database, apply_with(desk.handle), (*LOG, "A"), by="ada", reason="none")


async def test_an_event_parked_while_a_replay_runs_is_not_stranded(desk: Desk) -> None:
    desk.refuses = ()
    started, go_on = asyncio.Event(), asyncio.Event()

    async def slow(tx: Transaction, received: Sequence[Received]) -> None:
        started.set()
        async with asyncio.timeout(20):
            await go_on.wait()
        await desk.handle(tx, received)

    replaying = asyncio.create_task(dead_letter.replay(desk.database, apply_with(slow), KEY, by="ada", reason="repaired"))
    await started.wait()
    taking = asyncio.create_task(desk.take(record(5, "B")))
    await eventually(lambda: waiting_for_locks(desk.database), lambda waiting: waiting == 1)
    go_on.set()
    await asyncio.gather(replaying, taking)

    assert await applied(desk.database) == [1, 4, 2, 3, 5]
    assert await parked(desk.database) == []


async def test_a_replay_waits_for_the_batch_that_parks_another_event(desk: Desk) -> None:
    async with desk.database.transaction() as batch:
        assert await dead_letter.parked_keys(batch, {KEY}) == {KEY}
        desk.refuses = ()
        replaying = asyncio.create_task(replay(desk))
        await eventually(lambda: waiting_for_locks(desk.database), lambda waiting: waiting == 1)
        await dead_letter.park(batch, [dead_letter.Letter(record(5, "B"), None)])

    assert await replaying == 3
    assert await applied(desk.database) == [1, 4, 2, 3, 5]
