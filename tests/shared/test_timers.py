"""Deadlines are fired when they are due, each exactly once, whoever else is at work."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import cast

import pytest

from shared import clock, timers
from shared.database import Database, Transaction
from shared.timers import Timer, TimerLoop, TimerSpec
from tests.explaining import Explaining
from tests.waiting import eventually

pytestmark = pytest.mark.postgres

PAST = clock.now() - timedelta(hours=1)


class Desk:
    """Subjects are advisory locks; what was fired is written as rows, so that twice is seen."""

    def __init__(self, *, refuses: Collection[str] = ()) -> None:
        self.refuses = refuses

    def spec(self) -> TimerSpec:
        return TimerSpec(lock=self._lock, fire=self._fire)

    async def _lock(self, tx: Transaction, subjects: Sequence[str]) -> Collection[str]:
        rows = await tx.fetch(
            "SELECT subject FROM unnest($1::text[]) s(subject) WHERE pg_try_advisory_xact_lock(hashtext(subject))", list(subjects)
        )
        return [row["subject"] for row in rows]

    async def _fire(self, tx: Transaction, due: Sequence[Timer]) -> None:
        await tx.execute(
            "INSERT INTO applied (topic, part, seq, key, event_id) SELECT 'timer', 0, gen, subject, gen_random_uuid() "
            "FROM unnest($1::text[], $2::int[]) t(subject, gen)",
            [timer.subject for timer in due],
            [timer.gen for timer in due],
        )
        assert not {timer.subject for timer in due} & set(self.refuses)


async def armed(database: Database, *due: Timer) -> None:
    async with database.transaction() as tx:
        await timers.arm(tx, due)


async def fired(database: Database) -> list[str]:
    async with database.transaction() as tx:
        return [row["key"] for row in await tx.fetch("SELECT key FROM applied ORDER BY id")]


async def left(database: Database) -> int:
    async with database.transaction() as tx:
        count: int = await tx.fetchval("SELECT count(*) FROM timer")
        return count


async def test_what_is_due_is_fired_and_what_is_not_stays(reader_database: Database) -> None:
    await armed(reader_database, Timer("close", "a", 1, PAST), Timer("close", "b", 1, clock.now() + timedelta(hours=1)))

    assert await TimerLoop(reader_database, Desk().spec()).round() == 1

    assert await fired(reader_database) == ["a"]
    assert await left(reader_database) == 1


async def test_looking_for_what_is_due_reads_nothing_of_what_is_not(reader_database: Database) -> None:
    soon = clock.now() + timedelta(hours=1)
    await armed(reader_database, *(Timer("close", f"s{number}", 1, soon + timedelta(seconds=number)) for number in range(5_000)))

    async with reader_database.transaction() as tx:
        await tx.execute("ANALYZE timer")
        asked = Explaining(tx, analyse=True)
        found = await timers.due(cast(Transaction, asked), 1_000)
        seconds = await timers.seconds_to_next(cast(Transaction, asked))

    assert found == []
    assert seconds == pytest.approx(3_600, abs=100)
    # of both questions: the next one
    assert asked.looked_at == 1


async def test_several_instances_fire_each_deadline_once(reader_database: Database) -> None:
    await armed(reader_database, *(Timer("close", f"s{number}", 1, PAST) for number in range(1000)))
    stop = asyncio.Event()
    loops = [asyncio.create_task(TimerLoop(reader_database, Desk().spec(), batch=50).run(stop)) for _ in range(4)]

    await eventually(lambda: left(reader_database), lambda count: count == 0)
    stop.set()
    await asyncio.gather(*loops)

    assert sorted(await fired(reader_database)) == sorted(f"s{number}" for number in range(1000))


async def test_a_moved_deadline_is_not_fired_by_who_read_it_before(reader_database: Database) -> None:
    await armed(reader_database, Timer("close", "a", 1, PAST))
    desk = Desk()

    class MovedMeanwhile(Desk):
        async def _lock(self, tx: Transaction, subjects: Sequence[str]) -> Collection[str]:
            await armed(reader_database, Timer("close", "a", 2, clock.now() + timedelta(hours=1)))
            return await desk._lock(tx, subjects)

    assert await TimerLoop(reader_database, MovedMeanwhile().spec()).round() == 0
    assert await fired(reader_database) == []
    assert await left(reader_database) == 1


async def test_a_subject_that_somebody_holds_is_left_for_later(reader_database: Database) -> None:
    await armed(reader_database, Timer("close", "held", 1, PAST), Timer("close", "free", 1, PAST))
    loop = TimerLoop(reader_database, Desk().spec())

    async with reader_database.transaction() as tx:
        await tx.execute("SELECT pg_advisory_xact_lock(hashtext('held'))")
        assert await loop.round() == 1

    assert await loop.round() == 1
    assert await fired(reader_database) == ["free", "held"]


async def test_whoever_comes_second_fires_what_comes_after_what_the_first_is_firing(reader_database: Database) -> None:
    await armed(reader_database, *(Timer("close", f"s{number}", 1, PAST + timedelta(seconds=number)) for number in range(6)))
    first, second = Desk(), Desk()

    async with reader_database.transaction() as tx:
        await first._lock(tx, ["s0", "s1", "s2", "s3"])

        assert await TimerLoop(reader_database, second.spec(), batch=2).round() == 2

    assert await fired(reader_database) == ["s4", "s5"]


async def test_whoever_fires_behind_others_comes_back_to_what_they_left(reader_database: Database) -> None:
    await armed(reader_database, *(Timer("close", f"s{number:02}", 1, PAST + timedelta(seconds=number)) for number in range(60)))
    desk = Desk()
    loop = TimerLoop(reader_database, desk.spec(), batch=2)

    async with reader_database.transaction() as tx:
        await desk._lock(tx, ["s00", "s01"])
        assert await loop.round() == 2
    for _ in range(timers.PAGES):
        assert await loop.round() == 2

    done = await fired(reader_database)
    assert len(done) == 2 * (timers.PAGES + 1)
    assert {"s00", "s01"} <= set(done)


async def test_a_deadline_whose_effect_fails_stops_no_other_and_leaves_nothing_behind(reader_database: Database) -> None:
    await armed(reader_database, *(Timer("close", subject, 1, PAST) for subject in ("a", "bad", "c")))

    assert await TimerLoop(reader_database, Desk(refuses={"bad"}).spec()).round() == 2

    assert sorted(await fired(reader_database)) == ["a", "c"]
    assert await left(reader_database) == 1


async def test_a_cancelled_deadline_is_gone_and_cancelling_twice_is_no_error(reader_database: Database) -> None:
    await armed(reader_database, Timer("close", "a", 1, PAST))

    for _ in range(2):
        async with reader_database.transaction() as tx:
            await timers.cancel(tx, [("close", "a"), ("close", "never")])

    assert await TimerLoop(reader_database, Desk().spec()).round() == 0


async def test_arming_the_same_deadline_twice_at_once_keeps_the_last(reader_database: Database) -> None:
    await armed(reader_database, Timer("close", "a", 1, clock.now() + timedelta(hours=1)), Timer("close", "a", 2, PAST))

    assert await TimerLoop(reader_database, Desk().spec()).round() == 1
