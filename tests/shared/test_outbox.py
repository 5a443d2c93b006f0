"""Events enter the outbox in the transaction of the change, numbered without holes in commit order."""

from __future__ import annotations

import asyncio
import random
from typing import cast

import pytest

from shared import outbox
from shared.database import Database, Transaction
from tests.shared.events import opened

pytestmark = pytest.mark.postgres


async def rows_of(database: Database) -> dict[tuple[str, int], list[tuple[int, object, object]]]:
    """(seq, event_id, previous_id) of each log, ascending."""
    logs: dict[tuple[str, int], list[tuple[int, object, object]]] = {}
    async with database.transaction() as tx:
        for row in await tx.fetch("SELECT topic, part, seq, event_id, previous_id FROM outbox ORDER BY topic, part, seq"):
            logs.setdefault((row["topic"], row["part"]), []).append((row["seq"], row["event_id"], row["previous_id"]))
    return logs


def assert_gapless(logs: dict[tuple[str, int], list[tuple[int, object, object]]]) -> None:
    for rows in logs.values():
        assert [seq for seq, _, _ in rows] == list(range(1, len(rows) + 1))
        assert [previous for _, _, previous in rows] == [None, *(event_id for _, event_id, _ in rows[:-1])]


async def test_numbers_are_gapless_and_name_their_predecessor(service_database: Database) -> None:
    for first in (1, 40):
        async with service_database.transaction() as tx:
            await outbox.append(tx, [opened(f"T-{number}") for number in range(first, first + 39)])

    logs = await rows_of(service_database)

    assert sum(len(rows) for rows in logs.values()) == 78
    assert_gapless(logs)


async def test_sixteen_writers_with_rollbacks_leave_no_hole(service_database: Database) -> None:
    class Abandoned(Exception):
        pass

    committed = 0

    async def writer(seed: int) -> None:
        nonlocal committed
        dice = random.Random(seed)
        for _ in range(25):
            events = [opened(f"T-{dice.randrange(500)}") for _ in range(dice.randrange(1, 6))]
            try:
                async with service_database.transaction() as tx:
                    await outbox.append(tx, events)
                    if dice.random() < 0.3:
                        raise Abandoned
                committed += len(events)
            except Abandoned:
                continue

    async with asyncio.TaskGroup() as writers:
        for seed in range(16):
            writers.create_task(writer(seed))

    logs = await rows_of(service_database)
    assert sum(len(rows) for rows in logs.values()) == committed
    assert_gapless(logs)


async def test_a_row_written_by_the_driver_goes_with_the_rollback(service_database: Database) -> None:
    async def write_and_fail(tx: Transaction) -> None:
        await tx.driver.execute("INSERT INTO parked_key (topic, part, key) VALUES ('t', 0, 'k')")
        await outbox.append(tx, [opened("T-1")])
        raise RuntimeError("after the write")

    with pytest.raises(RuntimeError, match="after the write"):
        async with service_database.transaction() as tx:
            await write_and_fail(tx)

    async with service_database.transaction() as tx:
        assert await tx.fetchval("SELECT count(*) FROM parked_key") == 0
        assert await tx.fetchval("SELECT count(*) FROM outbox") == 0
        assert await tx.fetchval("SELECT max(head) FROM outbox_head") == 0


async def test_nothing_to_tell_needs_no_statement() -> None:
    no_connection = cast(Transaction, None)

    await outbox.append(no_connection, [])


async def test_an_event_that_is_too_large_is_refused_before_anything_is_written(service_database: Database) -> None:
    large = opened("T-1", actor="x" * outbox.MAX_PAYLOAD)

    async with service_database.transaction() as tx:
        with pytest.raises(outbox.EventTooLarge):
            await outbox.append(tx, [opened("T-2"), large])

        assert await tx.fetchval("SELECT count(*) FROM outbox") == 0
        assert await tx.fetchval("SELECT max(head) FROM outbox_head") == 0


async def test_an_event_of_another_service_is_refused(reader_database: Database) -> None:
    async with reader_database.transaction() as tx:
        with pytest.raises(outbox.UnknownLog, match=r"aftercare\.tickets"):
            await outbox.append(tx, [opened("T-1")])


async def test_a_stopped_log_takes_no_events(service_database: Database) -> None:
    async with service_database.transaction() as tx:
        await tx.execute("UPDATE outbox_head SET stopped = 'restored'")

    with pytest.raises(outbox.OutboxStopped):
        async with service_database.transaction() as tx:
            await outbox.append(tx, [opened("T-1")])


async def test_a_wakeup_before_the_wait_is_not_lost() -> None:
    wakeup = outbox.Wakeup()
    wakeup()

    async with asyncio.timeout(5):
        await wakeup.wait(60)
