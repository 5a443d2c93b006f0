"""Days of the outbox: made ahead of time, dropped when every consumer has their rows.

The outbox is partitioned by day. A plain CREATE ... PARTITION OF or DROP TABLE would wait for the relay's open transaction and make every
append queue behind it; ATTACH and DETACH CONCURRENTLY do not block.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.database import Database

DAYS_AHEAD: Final = 7

_DAYS_LOCK: Final = 0x61667463_6F646179
"""Advisory lock of whoever makes days: two processes that start at once must not make the same one."""


async def ensure_outbox_days(database: Database, *, ahead: int = DAYS_AHEAD) -> None:
    """Make the days from today to `ahead` days on that are not there yet. Repeatable; call at start and every hour."""
    async with database.engine.begin() as connection:
        await create_days(connection, ahead=ahead)


async def create_days(connection: AsyncConnection, *, ahead: int = DAYS_AHEAD) -> None:
    """The same inside a transaction of the caller."""
    await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _DAYS_LOCK})
    today: date = (await connection.execute(text("SELECT current_date"))).scalar_one()
    present = set((await connection.execute(text("SELECT relname FROM pg_class WHERE relname LIKE 'outbox\\_2%'"))).scalars())
    for offset in range(ahead + 1):
        day = today + timedelta(days=offset)
        if day_table(day) not in present:
            await _create_day(connection, day)


async def _create_day(connection: AsyncConnection, day: date) -> None:
    name = day_table(day)
    await connection.execute(text(f"CREATE TABLE {name} (LIKE outbox INCLUDING ALL)"))
    await connection.execute(text(f"ALTER TABLE outbox ATTACH PARTITION {name} FOR VALUES FROM ('{day}') TO ('{day + timedelta(days=1)}')"))


def day_table(day: date) -> str:
    """The name of a day's partition."""
    return f"outbox_{day:%Y%m%d}"
