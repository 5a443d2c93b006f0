"""Requests share commits, the queue is a wall, and an answer is given only after COMMIT."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import asyncpg
import pytest

from services.intake.batcher import Batcher, Bounds, NotWritten, QueueFull, WaitedTooLong
from shared.database import Database, Transaction
from shared.errors import Conflict, Invalid, Unavailable
from shared.idempotency import Overtaken

pytestmark = pytest.mark.postgres


class Desk:
    """Writes each item's text into the database; can be held before COMMIT, and fails on command."""

    def __init__(self, database: Database, **bounds: Any) -> None:
        self.batches: list[list[str]] = []
        self.commits = 0
        self.begun = asyncio.Event()
        self.go = asyncio.Event()
        self.go.set()
        self.errors: dict[str, Exception] = {}
        self.batcher: Batcher[str, str] = Batcher(database, self._work, committed=self._committed, bounds=Bounds(**bounds))

    async def _work(self, tx: Transaction, items: Sequence[str]) -> Sequence[str]:
        self.batches.append(list(items))
        self.begun.set()
        await tx.execute(
            "INSERT INTO customer (customer_id, survivor_id, name, locale, registered_at) "
            "SELECT id, id, n, 'en', now() FROM (SELECT gen_random_uuid() AS id, n FROM unnest($1::text[]) n) c",
            list(items),
        )
        await self.go.wait()
        for item in items:
            if item in self.errors:
                raise self.errors[item]
        return [item.upper() for item in items]

    def dismiss_writers(self) -> None:
        """Those that still wait for company: they would outlive the test."""
        for writer in self.batcher._writers:
            writer.cancel()

    def _committed(self) -> None:
        self.commits += 1


async def written(database: Database) -> list[str]:
    async with database.transaction() as tx:
        return [row["name"] for row in await tx.fetch("SELECT name FROM customer ORDER BY name")]


async def test_a_batch_that_was_overtaken_is_done_again(intake_database: Database) -> None:
    desk = Desk(intake_database)
    tried: list[list[str]] = []

    async def work(tx: Transaction, items: Sequence[str]) -> Sequence[str]:
        tried.append(list(items))
        results = await desk._work(tx, items)
        if len(tried) == 1:
            raise Overtaken
        return results

    batcher = Batcher(intake_database, work, committed=desk._committed)
    results = await asyncio.gather(batcher.submit("a", 1), batcher.submit("b", 1))

    assert results == ["A", "B"]
    assert tried == [["a", "b"], ["a", "b"]]
    assert (await written(intake_database), desk.commits) == (["a", "b"], 1)


async def test_a_further_writer_leaves_what_is_less_than_a_crowd_to_the_one_that_is_at_work(intake_database: Database) -> None:
    batches: list[list[str]] = []
    gates = {"first": asyncio.Event(), "crowd": asyncio.Event()}
    begun = {"first": asyncio.Event(), "crowd": asyncio.Event()}

    async def work(_tx: Transaction, items: Sequence[str]) -> Sequence[str]:
        batches.append(list(items))
        if (gate := items[0]) in gates:
            begun[gate].set()
            await gates[gate].wait()
        return items

    batcher = Batcher(intake_database, work, committed=lambda: None, bounds=Bounds(crowd=3))
    first = asyncio.create_task(batcher.submit("first", 1))
    await begun["first"].wait()
    crowd = asyncio.gather(*(batcher.submit("crowd", 1) for _ in range(3)))
    await begun["crowd"].wait()
    one = asyncio.create_task(batcher.submit("one", 1))
    await asyncio.sleep(0)
    gates["crowd"].set()
    await crowd
    other = asyncio.create_task(batcher.submit("other", 1))
    await asyncio.sleep(0)
    gates["first"].set()
    await asyncio.gather(first, one, other)

    assert batches == [["first"], ["crowd"] * 3, ["one", "other"]]


async def test_after_a_batch_of_several_less_than_a_crowd_waits_for_company_and_a_crowd_does_not(intake_database: Database) -> None:
    desk = Desk(intake_database, pace=3600.0, crowd=3)

    await asyncio.gather(desk.batcher.submit("a", 1), desk.batcher.submit("b", 1))
    one = asyncio.create_task(desk.batcher.submit("c", 1))
    await written(intake_database)  # time enough for a writer that does not wait
    others = asyncio.gather(desk.batcher.submit("d", 1), desk.batcher.submit("e", 1))
    await asyncio.gather(one, others)

    assert desk.batches == [["a", "b"], ["c", "d", "e"]]
    desk.dismiss_writers()


async def test_who_comes_alone_waits_for_nobody(intake_database: Database) -> None:
    desk = Desk(intake_database, pace=3600.0)

    for item in ("a", "b", "c"):
        await desk.batcher.submit(item, 1)

    assert desk.batches == [["a"], ["b"], ["c"]]


async def test_what_waits_for_company_is_written_before_the_desk_closes(intake_database: Database) -> None:
    desk = Desk(intake_database, pace=0.2)

    await asyncio.gather(desk.batcher.submit("a", 1), desk.batcher.submit("b", 1))
    one = asyncio.create_task(desk.batcher.submit("c", 1))
    await asyncio.sleep(0)
    await desk.batcher.close()

    assert one.done()
    assert await written(intake_database) == ["a", "b", "c"]


async def test_each_caller_gets_the_result_of_his_own_item(intake_database: Database) -> None:
    desk = Desk(intake_database)

    results = await asyncio.gather(*(desk.batcher.submit(f"item {n:03}", 10) for n in range(300)))

    assert results == [f"ITEM {n:03}" for n in range(300)]
    assert len(await written(intake_database)) == 300
    assert len(desk.batches) == desk.commits < 20
    assert max(map(len, desk.batches)) <= 256


async def test_what_arrives_while_a_commit_is_running_shares_the_next(intake_database: Database) -> None:
    desk = Desk(intake_database, writers=1)
    desk.go.clear()
    first = asyncio.create_task(desk.batcher.submit("first", 1))
    await desk.begun.wait()

    others = [asyncio.create_task(desk.batcher.submit(f"{n}", 1)) for n in range(5)]
    await asyncio.sleep(0)
    desk.go.set()
    await asyncio.gather(first, *others)

    assert desk.batches == [["first"], ["0", "1", "2", "3", "4"]]


async def test_nobody_is_answered_before_the_commit(intake_database: Database) -> None:
    desk = Desk(intake_database)
    desk.go.clear()
    waiting = asyncio.create_task(desk.batcher.submit("a", 1))
    await desk.begun.wait()

    assert not waiting.done()

    desk.go.set()
    assert await waiting == "A"
    assert await written(intake_database) == ["a"]


async def test_more_than_the_queue_holds_is_refused_at_once(intake_database: Database) -> None:
    desk = Desk(intake_database, items=3, batch=1, writers=1)
    desk.go.clear()
    running = asyncio.create_task(desk.batcher.submit("running", 1))
    await desk.begun.wait()
    waiting = [asyncio.create_task(desk.batcher.submit(f"{n}", 1)) for n in range(3)]
    await asyncio.sleep(0)

    with pytest.raises(QueueFull) as refused:
        await desk.batcher.submit("one too many", 1)

    assert refused.value.retry_after >= 1
    assert (await desk.batcher.room()).passes is False
    desk.go.set()
    await asyncio.gather(running, *waiting)
    assert await written(intake_database) == ["0", "1", "2", "running"]
    assert (await desk.batcher.room()).passes is True


async def test_more_bytes_than_the_queue_holds_are_refused_at_once(intake_database: Database) -> None:
    desk = Desk(intake_database, size=100, writers=1)
    desk.go.clear()
    running = asyncio.create_task(desk.batcher.submit("running", 90))
    await desk.begun.wait()
    waiting = asyncio.create_task(desk.batcher.submit("waiting", 90))
    await asyncio.sleep(0)

    with pytest.raises(QueueFull):
        await desk.batcher.submit("too big", 11)

    desk.go.set()
    await asyncio.gather(running, waiting)


async def test_who_waits_too_long_is_dropped_and_nothing_was_done_for_him(intake_database: Database) -> None:
    desk = Desk(intake_database, patience=0.05, writers=1)
    desk.go.clear()
    running = asyncio.create_task(desk.batcher.submit("running", 1))
    await desk.begun.wait()

    with pytest.raises(WaitedTooLong):
        await desk.batcher.submit("late", 1)

    desk.go.set()
    await running
    assert await written(intake_database) == ["running"]


async def test_when_the_database_is_busy_all_of_the_batch_are_refused_and_nothing_is_stored(intake_database: Database) -> None:
    desk = Desk(intake_database)
    desk.errors["b"] = asyncpg.DeadlockDetectedError("chosen as the victim")

    results = await asyncio.gather(*(desk.batcher.submit(item, 1) for item in "abc"), return_exceptions=True)

    assert [type(result) for result in results] == [NotWritten] * 3
    assert desk.batches == [["a", "b", "c"]]
    assert await written(intake_database) == []
    assert desk.commits == 0


async def test_when_the_work_says_unavailable_all_of_the_batch_hear_it(intake_database: Database) -> None:
    desk = Desk(intake_database)
    desk.errors["b"] = Unavailable("restored", retry_after=30)

    results = await asyncio.gather(*(desk.batcher.submit(item, 1) for item in "abc"), return_exceptions=True)

    assert [result.retry_after for result in results if isinstance(result, Unavailable)] == [30, 30, 30]
    assert await written(intake_database) == []


async def test_an_item_that_is_at_fault_does_not_take_the_others_with_it(intake_database: Database) -> None:
    desk = Desk(intake_database)
    desk.errors = {"b": ZeroDivisionError(), "c": Invalid("wrong")}

    results = await asyncio.gather(*(desk.batcher.submit(item, 1) for item in "abcd"), return_exceptions=True)

    assert [type(result) for result in results] == [str, ZeroDivisionError, Invalid, str]
    assert await written(intake_database) == ["a", "d"]


async def test_the_writers_go_on_after_a_failure(intake_database: Database) -> None:
    desk = Desk(intake_database)
    desk.errors["a"] = Conflict("no")
    with pytest.raises(Conflict):
        await desk.batcher.submit("a", 1)

    assert await desk.batcher.submit("b", 1) == "B"


async def test_nothing_is_written_for_a_caller_who_hung_up_while_he_waited(intake_database: Database) -> None:
    desk = Desk(intake_database, writers=1)
    desk.go.clear()
    running = asyncio.create_task(desk.batcher.submit("running", 1))
    await desk.begun.wait()
    gone = asyncio.create_task(desk.batcher.submit("gone", 1))
    await asyncio.sleep(0)
    gone.cancel()

    desk.go.set()
    await running
    await desk.batcher.close()

    assert await written(intake_database) == ["running"]


async def test_at_the_end_what_waits_is_written_and_what_comes_is_refused(intake_database: Database) -> None:
    desk = Desk(intake_database, writers=1, batch=1)
    desk.go.clear()
    waiting = [asyncio.create_task(desk.batcher.submit(f"{n}", 1)) for n in range(3)]
    await desk.begun.wait()
    closing = asyncio.create_task(desk.batcher.close())
    await asyncio.sleep(0)

    with pytest.raises(QueueFull):
        await desk.batcher.submit("late", 1)

    desk.go.set()
    await asyncio.gather(closing, *waiting)
    assert await written(intake_database) == ["0", "1", "2"]
