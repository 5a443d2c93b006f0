"""Days of the outbox: made ahead of time, dropped when every consumer has their rows.

The outbox is partitioned by day. A plain CREATE ... PARTITION OF or DROP TABLE would wait for the relay's open transaction and make every
append queue behind it; ATTACH and DETACH CONCURRENTLY do not block. A day goes in steps, each of which may be the last for today: raise the
floors of its logs, so that nobody takes the gone rows for a hole; detach; drop.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from shared import outbox, protocol, telemetry
from shared.database import Database, Transaction
from shared.events.topics import Kind, topic_named
from shared.outbox import Log

_log = telemetry.logger()

DAYS_AHEAD: Final = 7
KEPT: Final = timedelta(days=7)
"""At least as long as the oldest backup that a consumer may be restored from."""
OVERDUE: Final = timedelta(days=30)
"""A day that is older and still needed is an alarm: a consumer is missing."""

_DAYS_LOCK: Final = 0x61667463_6F646179
"""Advisory lock of whoever makes days: two processes that start at once must not make the same one."""
_DROP_LOCK: Final = 0x61667463_64726F70
"""The same for whoever drops them."""


@dataclass(frozen=True)
class Kept:
    """What became of the days past their time."""

    dropped: tuple[date, ...]
    needed: tuple[date, ...]
    """Some consumer does not have all of their rows."""


# --- days to come --------------------------------------------------------------------------------------------------------------------


async def ensure_outbox_days(database: Database, *, ahead: int = DAYS_AHEAD) -> None:
    """Make the days from today to `ahead` days on that are not there yet. Repeatable; call at start and every hour."""
    async with database.transaction() as tx:
        await create_days(tx, ahead=ahead)


async def create_days(tx: Transaction, *, ahead: int = DAYS_AHEAD) -> None:
    """The same inside a transaction of the caller."""
    await tx.execute("SELECT pg_advisory_xact_lock($1)", _DAYS_LOCK)
    today: date = await tx.fetchval("SELECT current_date")
    present = {row["relname"] for row in await tx.fetch("SELECT relname FROM pg_class WHERE relname LIKE 'outbox\\_2%'")}
    for offset in range(ahead + 1):
        day = today + timedelta(days=offset)
        if day_table(day) not in present:
            await create_day(tx, day)


async def create_day(tx: Transaction, day: date) -> None:
    """Make one day."""
    name = day_table(day)
    await tx.execute(f"CREATE TABLE {name} (LIKE outbox INCLUDING ALL)")
    await tx.execute(f"ALTER TABLE outbox ATTACH PARTITION {name} FOR VALUES FROM ('{day}') TO ('{day + timedelta(days=1)}')")


def day_table(day: date) -> str:
    """The name of a day's partition."""
    return f"outbox_{day:%Y%m%d}"


# --- days gone by --------------------------------------------------------------------------------------------------------------------


async def drop_old_days(database: Database) -> Kept:
    """Drop the days past KEPT that nobody needs any more. Repeatable; call every hour.

    Raises what `is_transient` knows when somebody holds a row for too long; the next call goes on.
    """
    dropped, needed = [], []
    await _finish_detaching(database)
    for day, is_attached in await _days_before(database, KEPT):
        if is_attached:
            await _move_heads_out(database, day)
        # the floors of a detached day were raised before it was detached
        if not is_attached or await _raise_floors(database, day):
            await _detach_and_drop(database, day)
            dropped.append(day)
        else:
            needed.append(day)
    overdue = {day for day, _ in await _days_before(database, OVERDUE)} & set(needed)
    if overdue:
        _log.critical("outbox_days_overdue", count=len(overdue), first_at=min(overdue))
    return Kept(tuple(dropped), tuple(needed))


async def _days_before(database: Database, age: timedelta) -> list[tuple[date, bool]]:
    """Days that ended so long ago, oldest first, and whether they are attached."""
    async with database.transaction() as tx:
        rows = await tx.fetch(
            """
            SELECT to_date(right(relname, 8), 'YYYYMMDD') AS day, relispartition FROM pg_class
             WHERE relkind = 'r' AND relname ~ '^outbox_2[0-9]{7}$' AND to_date(right(relname, 8), 'YYYYMMDD') < current_date - $1::int
             ORDER BY day
            """,
            age.days,
        )
    return [(row["day"], row["relispartition"]) for row in rows]


async def _finish_detaching(database: Database) -> None:
    """A detach that was cut short can only be finished, and no other one begins before."""
    async with _outside_transactions(database) as tx:
        pending = "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'outbox'::regclass AND inhdetachpending"
        for row in await tx.fetch(pending):
            await tx.execute(f"ALTER TABLE outbox DETACH PARTITION {row['name']} FINALIZE")


async def _move_heads_out(database: Database, day: date) -> None:
    """Personal data must go in time: where the last event of a content topic is in this day, a filler becomes the last one."""
    async with database.transaction() as tx:
        rows = await tx.fetch(
            f"SELECT h.topic, h.part FROM outbox_head h JOIN {day_table(day)} d ON (d.topic, d.part, d.seq) = (h.topic, h.part, h.head)"
            " WHERE h.stopped IS NULL"
        )
        logs: list[Log] = [(row["topic"], row["part"]) for row in rows if topic_named(row["topic"]).kind is Kind.CONTENT]
        if logs:
            await outbox.append_rows(tx, [outbox.filler(log) for log in logs])


async def _raise_floors(database: Database, day: date) -> bool:
    """Whether the day may go; then the floors of its logs are raised first, under the lock of their cursors."""
    async with database.transaction() as tx:
        logs = await tx.fetch(f"SELECT topic, part, max(seq) AS last FROM {day_table(day)} GROUP BY topic, part ORDER BY topic, part")
        for row in logs:
            if not await _is_droppable(tx, (row["topic"], row["part"]), row["last"]):
                return False
        await tx.execute(
            """
            UPDATE outbox_cursor c SET floor = greatest(c.floor, d.last)
              FROM unnest($1::text[], $2::smallint[], $3::bigint[]) d(topic, part, last)
             WHERE (c.topic, c.part) = (d.topic, d.part)
            """,
            [row["topic"] for row in logs],
            [row["part"] for row in logs],
            [row["last"] for row in logs],
        )
    return True


async def _is_droppable(tx: Transaction, log: Log, last: int) -> bool:
    cursor = await tx.fetchval("SELECT seq FROM outbox_cursor WHERE (topic, part) = ($1, $2) FOR UPDATE", *log)
    head = await tx.fetchval("SELECT head FROM outbox_head WHERE (topic, part) = ($1, $2)", *log)
    rows = await tx.fetch("SELECT consumer, last_seq FROM outbox_known WHERE (topic, part) = ($1, $2)", *log)
    known = {row["consumer"]: row["last_seq"] for row in rows}
    # a topic that nobody reads yet has at least been sent
    all_there = all(known.get(consumer, 0) >= head for consumer in topic_named(log[0]).consumers)
    return protocol.droppable(last, [cursor, *known.values()], all_heard=all_there, holds_head=last == head)


async def _detach_and_drop(database: Database, day: date) -> None:
    name = day_table(day)
    async with _outside_transactions(database) as tx:
        if await tx.fetchval("SELECT relispartition FROM pg_class WHERE oid = to_regclass($1)", name):
            await tx.execute(f"ALTER TABLE outbox DETACH PARTITION {name} CONCURRENTLY")
        await tx.execute(f"DROP TABLE IF EXISTS {name}")


@asynccontextmanager
async def _outside_transactions(database: Database) -> AsyncIterator[Transaction]:
    """A connection where each statement commits by itself, as DETACH CONCURRENTLY asks for; one process at a time."""
    async with database.connection() as tx:
        # the lock goes with the connection
        await tx.execute("SELECT pg_advisory_lock($1)", _DROP_LOCK)
        yield tx
