"""Days of the outbox are made ahead and dropped when everybody has their rows; neither makes an append wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import date, timedelta

import pytest
from sqlalchemy import text

from shared import retention
from shared.clock import monotonic, real_now
from shared.database import Database
from shared.events.topics import TICKETS, TICKETS_OUTBOUND
from shared.outbox import Log
from shared.retention import Kept, day_table
from tests.shared.logs import append, cursor_of, events_in, execute

pytestmark = pytest.mark.postgres

LOG = (TICKETS.name, 3)
OUTBOUND = (TICKETS_OUTBOUND.name, 3)
TODAY = real_now().date()
OLD = TODAY - timedelta(days=8)


@pytest.fixture(autouse=True)
async def old_days(service_database: Database) -> AsyncIterator[None]:
    """Two days past their time; whatever days a test leaves are dropped."""
    async with service_database.transaction() as tx:
        for day in (OLD, OLD - timedelta(days=1), OLD - timedelta(days=40)):
            await retention.create_day(tx, day)
    yield
    for day in await days(service_database):
        if day < TODAY:
            await execute(service_database, f"DROP TABLE {day_table(day)}")
    await retention.ensure_outbox_days(service_database)


async def days(database: Database) -> list[date]:
    """The days that are attached."""
    async with database.transaction() as tx:
        rows = await tx.fetch("SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'outbox'::regclass ORDER BY 1")
        return [date.fromisoformat(row["name"].removeprefix("outbox_")) for row in rows]


async def fill(database: Database, log: Log, *, day: date, rows: int) -> None:
    """Rows of that day are all that the log has so far; they were sent."""
    await execute(
        database,
        """INSERT INTO outbox (topic, part, seq, day, key, type, event_id, headers, payload)
           SELECT $1, $2, seq, $3::date, 'T-1', 'ticket.opened.v1', gen_random_uuid(), '{}', '{}' FROM generate_series(1, $4::int) seq""",
        *log,
        day,
        rows,
    )
    await execute(database, "UPDATE outbox_head SET head = $3, head_id = gen_random_uuid() WHERE (topic, part) = ($1, $2)", *log, rows)
    await execute(database, "UPDATE outbox_cursor SET seq = $3 WHERE (topic, part) = ($1, $2)", *log, rows)


async def heard(database: Database, log: Log, last_seq: int) -> None:
    """Every consumer of the log stands there."""
    await execute(database, "UPDATE outbox_known SET last_seq = $3 WHERE (topic, part) = ($1, $2)", *log, last_seq)


async def floor_of(database: Database, log: Log) -> int:
    async with database.transaction() as tx:
        return int(await tx.fetchval("SELECT floor FROM outbox_cursor WHERE (topic, part) = ($1, $2)", *log))


async def test_a_week_is_made_ahead_once(service_database: Database) -> None:
    async with service_database.engine.begin() as connection:
        await connection.execute(text(f"DROP TABLE {day_table(TODAY + timedelta(days=5))}"))

    await asyncio.gather(*(retention.ensure_outbox_days(service_database) for _ in range(3)))

    assert [day for day in await days(service_database) if day >= TODAY] == [TODAY + timedelta(days=offset) for offset in range(8)]


async def test_a_day_that_everybody_has_read_is_dropped_after_its_floor_is_raised(service_database: Database) -> None:
    await fill(service_database, LOG, day=OLD, rows=3)
    await heard(service_database, LOG, 3)

    kept = await retention.drop_old_days(service_database)

    assert OLD in kept.dropped
    assert await floor_of(service_database, LOG) == 3
    assert [day for day in await days(service_database) if day < TODAY] == []


async def test_a_day_that_a_consumer_still_needs_stays(service_database: Database) -> None:
    await fill(service_database, LOG, day=OLD, rows=3)
    await heard(service_database, LOG, 3)
    await execute(service_database, "UPDATE outbox_known SET last_seq = 2 WHERE consumer = 'metrics' AND (topic, part) = ($1, $2)", *LOG)

    kept = await retention.drop_old_days(service_database)

    assert kept.needed == (OLD,)
    assert OLD in await days(service_database)
    assert await floor_of(service_database, LOG) == 0


async def test_a_day_that_was_not_sent_stays(service_database: Database) -> None:
    await fill(service_database, LOG, day=OLD, rows=3)
    await heard(service_database, LOG, 3)
    await execute(service_database, "UPDATE outbox_cursor SET seq = 2 WHERE (topic, part) = ($1, $2)", *LOG)

    assert (await retention.drop_old_days(service_database)).needed == (OLD,)


async def test_a_filler_takes_the_place_of_personal_data_at_the_head(service_database: Database) -> None:
    await fill(service_database, OUTBOUND, day=OLD, rows=3)
    await heard(service_database, OUTBOUND, 3)

    kept = await retention.drop_old_days(service_database)

    assert OLD in kept.dropped
    async with service_database.transaction() as tx:
        rows = [tuple(row) for row in await tx.fetch("SELECT seq, type, payload FROM outbox WHERE (topic, part) = ($1, $2)", *OUTBOUND)]
        head = await tx.fetchval("SELECT head FROM outbox_head WHERE (topic, part) = ($1, $2)", *OUTBOUND)
    assert rows == [(4, "outbox.filler.v1", b"{}")]
    assert head == 4


async def test_a_detach_that_was_cut_short_is_finished(service_database: Database) -> None:
    name = day_table(OLD)
    engine = service_database.engine.execution_options(isolation_level="AUTOCOMMIT")
    async with service_database.engine.connect() as reader, engine.connect() as operator:
        await reader.execute(text("SELECT count(*) FROM outbox"))
        await operator.execute(text("SET statement_timeout = '300ms'"))
        with pytest.raises(Exception, match="statement timeout"):
            await operator.execute(text(f"ALTER TABLE outbox DETACH PARTITION {name} CONCURRENTLY"))
        await operator.execute(text("RESET statement_timeout"))

    kept = await retention.drop_old_days(service_database)

    assert OLD in kept.dropped
    async with service_database.transaction() as tx:
        assert await tx.fetchval("SELECT to_regclass($1)", name) is None


async def test_dropping_again_changes_nothing(service_database: Database) -> None:
    await retention.drop_old_days(service_database)

    assert await retention.drop_old_days(service_database) == Kept((), ())


async def test_appends_do_not_wait_while_the_relay_reads_and_days_come_and_go(service_database: Database) -> None:
    await execute(service_database, f"DROP TABLE {day_table(TODAY + timedelta(days=7))}")
    async with service_database.transaction() as relay:
        await relay.fetch("SELECT * FROM outbox WHERE topic = $1", LOG[0])
        made = asyncio.create_task(retention.ensure_outbox_days(service_database))
        dropped = asyncio.create_task(retention.drop_old_days(service_database))
        longest = 0.0
        for _ in range(20):
            started = monotonic()
            await append(service_database, *events_in(LOG[1], 1))
            longest = max(longest, monotonic() - started)
        await made

    await dropped
    assert longest < 1
    assert await cursor_of(service_database, LOG) == 0
