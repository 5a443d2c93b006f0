"""One transaction per knock at a door: all of it or nothing, whichever way a statement went to the server."""

from __future__ import annotations

import asyncio
import uuid

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared import connections, database
from shared.database import Database, Transaction, from_json, is_transient, to_json
from tests.waiting import eventually

pytestmark = pytest.mark.postgres

INSERT = "INSERT INTO applied (topic, part, seq, key, event_id) VALUES ('t', 0, $1, 'k', gen_random_uuid())"


async def _fails_inside_a_savepoint(tx: Transaction) -> None:
    async with tx.savepoint():
        await tx.execute(INSERT, 2)
        await tx.execute("SELECT 1 / 0")


async def count(database: Database) -> int:
    async with database.transaction() as tx:
        return int(await tx.fetchval("SELECT count(*) FROM applied"))


async def test_a_row_written_through_the_driver_is_gone_when_the_door_raises(reader_database: Database) -> None:
    async def knock() -> None:
        async with reader_database.transaction() as tx:
            await tx.execute(INSERT, 1)
            raise LookupError

    with pytest.raises(LookupError):
        await knock()

    assert await count(reader_database) == 0


async def test_an_error_that_ends_the_connection_does_not_hide_what_went_wrong_first(reader_database: Database) -> None:
    async def knock() -> None:
        async with reader_database.transaction() as tx:
            tx.driver.terminate()
            raise LookupError

    with pytest.raises(LookupError):
        await knock()

    assert await count(reader_database) == 0


async def test_whoever_is_cancelled_in_the_middle_leaves_nothing_behind(reader_database: Database) -> None:
    async def knock() -> None:
        async with reader_database.transaction() as tx:
            await tx.execute(INSERT, 1)
            await tx.execute("SELECT pg_sleep(60)")

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(knock(), 0.3)

    assert await count(reader_database) == 0


async def test_more_transactions_than_connections_wait_for_each_other(service_database: Database) -> None:
    async def knock(number: int) -> int:
        async with service_database.transaction() as tx:
            return int(await tx.fetchval("SELECT $1::int", number))

    assert await asyncio.gather(*map(knock, range(60))) == list(range(60))


async def test_nobody_waits_for_ever_for_a_connection(reader_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "WAIT", 0.1)
    url = reader_database.url
    small = Database(url, pool_size=1, application_name="tests")

    with pytest.raises(TimeoutError) as refused:
        async with small.transaction(), small.transaction():
            pass

    assert is_transient(refused.value)
    await small.close()


async def test_all_statements_of_a_snapshot_see_the_same(reader_database: Database) -> None:
    async with reader_database.transaction(isolation="repeatable_read", readonly=True) as snapshot:
        before = await snapshot.fetchval("SELECT count(*) FROM applied")
        async with reader_database.transaction() as tx:
            await tx.execute(INSERT, 1)

        assert await snapshot.fetchval("SELECT count(*) FROM applied") == before
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await snapshot.execute(INSERT, 2)


async def test_what_a_savepoint_undid_is_gone_and_the_rest_stays(reader_database: Database) -> None:
    async with reader_database.transaction() as tx:
        await tx.execute(INSERT, 1)
        with pytest.raises(asyncpg.DivisionByZeroError):
            await _fails_inside_a_savepoint(tx)
        await tx.execute(INSERT, 3)

    assert await count(reader_database) == 2


async def test_a_killed_connection_and_a_deadlock_are_worth_another_try_and_a_bug_is_not(reader_database: Database) -> None:
    async def killed() -> None:
        async with reader_database.transaction() as tx:
            await tx.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)) as gone:
        await killed()

    assert is_transient(gone.value)
    assert is_transient(asyncpg.DeadlockDetectedError())
    assert is_transient(asyncpg.DiskFullError())
    assert is_transient(asyncpg.InternalClientError("cannot switch to state 11; another operation (2) is in progress"))
    assert is_transient(TimeoutError())
    assert not is_transient(asyncpg.UniqueViolationError())
    assert not is_transient(ValueError())
    assert await count(reader_database) == 0


async def test_connections_that_the_server_has_closed_are_replaced_and_nobody_notices(reader_database: Database) -> None:
    async with reader_database.transaction() as one, reader_database.transaction() as other:
        drivers = [one.driver, other.driver]
        pids = [driver.get_server_pid() for driver in drivers]

    async with reader_database.transaction() as tx:
        own = await tx.fetchval("SELECT pg_backend_pid()")
        await tx.execute("SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) p(pid) WHERE pid <> $2", pids, own)

    async def closed() -> int:
        return sum(driver.is_closed() for driver in drivers)

    await eventually(closed)
    for _ in range(3):
        async with reader_database.transaction() as tx:
            assert await tx.fetchval("SELECT 1") == 1


async def test_a_plan_made_for_a_small_table_is_not_kept_when_it_has_grown(
    reader_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "PLANS_LIVE", 0.1)
    lookup = "SELECT filler FROM grown JOIN unnest($1::int[]) wanted(n) USING (n)"
    rows_read = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'grown'"
    own = Database(reader_database.url, pool_size=1, application_name="tests")

    async with own.connection() as tx:
        await tx.execute("CREATE TEMPORARY TABLE grown (n integer PRIMARY KEY, filler text)")  # nothing analyses it
        await tx.execute("INSERT INTO grown VALUES (0, 'x')")
        for _ in range(8):  # the first five are planned one by one, and then for all
            await tx.fetch(lookup, [1, 2, 3])
        await tx.execute("INSERT INTO grown SELECT n, repeat('x', 100) FROM generate_series(1, 50000) n")

        async def read() -> int:
            async with tx.savepoint():
                before = await tx.fetchval(rows_read)
                assert len(await tx.fetch(lookup, [1, 2, 3])) == 3
                return int(await tx.fetchval(rows_read) - before)

        await eventually(read, lambda rows: rows <= 3)
    await own.close()


async def test_the_driver_s_ids_are_json(reader_database: Database) -> None:
    async with reader_database.transaction() as tx:
        found = await tx.fetchval("SELECT '3f2b8a52-0f0e-4a0c-9a55-0d7d0c5f6b11'::uuid")

    assert from_json(to_json({"id": found})) == {"id": str(uuid.UUID("3f2b8a52-0f0e-4a0c-9a55-0d7d0c5f6b11"))}


@given(words=st.lists(st.text(st.characters(categories=("L", "N")), min_size=1, max_size=12), max_size=30, unique=True))
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_copied_words_are_those_that_postgresql_reads_itself(service_database: Database, words: list[str]) -> None:
    async with service_database.transaction() as tx:
        await tx.execute("CREATE TEMPORARY TABLE cut (words tsvector) ON COMMIT DROP")
        await tx.copy("cut", ("words",), [(" ".join(words),)])

        assert await tx.fetchval("SELECT words = $1::text::tsvector FROM cut", " ".join(words))
