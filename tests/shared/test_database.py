"""One transaction per knock at a door: all of it or nothing, whichever way a statement went to the server."""

from __future__ import annotations

import uuid

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

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


async def test_driver_and_sqlalchemy_see_the_same_transaction(reader_database: Database) -> None:
    async with reader_database.transaction() as tx:
        await tx.execute(INSERT, 1)
        assert (await tx.sql.execute(text("SELECT count(*) FROM applied"))).scalar_one() == 1

    assert await count(reader_database) == 1


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

    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, DBAPIError, OSError)) as gone:
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
