"""Waiting for a condition with a deadline, never for a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from shared.clock import monotonic
from shared.database import Database

Found = TypeVar("Found")


async def eventually(look: Callable[[], Awaitable[Found]], wanted: Callable[[Found], bool] = bool, *, timeout: float = 30) -> Found:
    """What `look` finds as soon as it is what is wanted; fails with the last find when that takes too long."""
    deadline = monotonic() + timeout
    while True:
        found = await look()
        if wanted(found):
            return found
        assert monotonic() < deadline, f"still {found!r} after {timeout} s"
        await asyncio.sleep(0.02)


async def waiting_for_locks(database: Database) -> int:
    """How many transactions of this database wait for another one."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    async with database.transaction() as tx:
        return int(await tx.fetchval(query))
