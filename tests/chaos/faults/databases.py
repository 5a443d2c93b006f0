"""A PostgreSQL that crashes, restarts, drops its clients, is slow, or keeps a row that everybody wants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, ClassVar, Final

import asyncpg

from shared.events.topics import consumed_by, produced_by
from tests.chaos.eyes import AWAY
from tests.chaos.faults.fault import ANY_CLUSTER, Kind, Skipped

if TYPE_CHECKING:
    from tests.chaos.platform import Platform

SERVICES: Final = ("intake", "tickets", "feedback", "metrics")


class PostgresCrash:
    """Every process of it ends at once; it recovers from its log. What was committed is there again, what was not is gone."""

    name: ClassVar = "postgres-crash"
    kind: ClassVar = Kind.DATABASE
    lasts: ClassVar = 4.0
    brokers: ClassVar = ANY_CLUSTER

    async def strike(self, platform: Platform, random: Random) -> str:
        """See `Fault`."""
        await platform.postgres.crash()
        return "immediate stop and recovery"


class PostgresRestart:
    """A fast stop, as an upgrade would do: clients are thrown out."""

    name: ClassVar = "postgres-restart"
    kind: ClassVar = Kind.DATABASE
    lasts: ClassVar = 3.0
    brokers: ClassVar = ANY_CLUSTER

    async def strike(self, platform: Platform, random: Random) -> str:
        """See `Fault`."""
        await platform.postgres.restart()
        return "fast stop and start"


class ConnectionsKilled:
    """`pg_terminate_backend` of most connections, a few times within a second or two; also in the middle of a COMMIT."""

    name: ClassVar = "connections-killed"
    kind: ClassVar = Kind.DATABASE
    lasts: ClassVar = 2.0
    brokers: ClassVar = ANY_CLUSTER

    async def strike(self, platform: Platform, random: Random) -> str:
        """See `Fault`."""
        ended = 0
        async with connection(platform.postgres.dsn("postgres")) as sql:
            for _ in range(random.randint(2, 5)):
                ended += await sql.fetchval(
                    """
                    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                     WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND random() < $1
                    """,
                    random.uniform(0.5, 1),
                )
                await asyncio.sleep(random.uniform(0.1, 0.6))
        if not ended:
            raise Skipped("nobody was connected")
        return f"{ended} connections"


class SlowDatabase:
    """All processes of PostgreSQL stand still most of the time, for some seconds: a disk that cannot keep up."""

    name: ClassVar = "slow-database"
    kind: ClassVar = Kind.DATABASE
    lasts: ClassVar = 6.0
    brokers: ClassVar = ANY_CLUSTER

    async def strike(self, platform: Platform, random: Random) -> str:
        """See `Fault`."""
        seconds = random.uniform(3, 6)
        async with asyncio.timeout(seconds + 30):
            until = asyncio.get_running_loop().time() + seconds
            while asyncio.get_running_loop().time() < until:
                await platform.postgres.pause()
                try:
                    await asyncio.sleep(0.3)
                finally:
                    await platform.postgres.resume()
                await asyncio.sleep(0.1)
        return f"a quarter of its speed for {seconds:.1f} s"


@dataclass(frozen=True)
class HotRow:
    """Rows that many transactions of a service want."""

    service: str
    what: str
    sql: str


def hot_rows() -> list[HotRow]:
    """Those that the delivery protocol turns on, and the newest tickets."""
    found = [HotRow("tickets", "the newest tickets", "SELECT FROM ticket ORDER BY opened_at DESC LIMIT 50 FOR UPDATE")]
    for service in SERVICES:
        if produced_by(service):
            found.append(HotRow(service, f"{service}'s heads", "SELECT FROM outbox_head ORDER BY topic, part FOR UPDATE"))
            found.append(HotRow(service, f"{service}'s cursors", "SELECT FROM outbox_cursor ORDER BY topic, part FOR UPDATE"))
        if consumed_by(service):
            found.append(HotRow(service, f"{service}'s positions", "SELECT FROM consumer_part ORDER BY topic, part FOR UPDATE"))
    return found


class HotRowLocked:
    """A transaction that is none of ours holds rows for 2 to 9 s: shorter and longer than `lock_timeout`."""

    name: ClassVar = "hot-row-locked"
    kind: ClassVar = Kind.DATABASE
    lasts: ClassVar = 6.0
    brokers: ClassVar = ANY_CLUSTER

    async def strike(self, platform: Platform, random: Random) -> str:
        """See `Fault`."""
        rows, seconds = random.choice(hot_rows()), random.uniform(2, 9)
        async with connection(platform.postgres.dsn(rows.service)) as sql, sql.transaction():
            await sql.execute("SET LOCAL lock_timeout = '20s'; SET LOCAL statement_timeout = '25s'")
            try:
                count = len(await sql.fetch(rows.sql))
            except asyncpg.LockNotAvailableError as error:
                raise Skipped(f"{rows.what} were not to be had") from error
            if not count:
                raise Skipped(f"there are no rows: {rows.what}")
            await asyncio.sleep(seconds)
        return f"{rows.what}, {count} rows for {seconds:.1f} s"


@asynccontextmanager
async def connection(dsn: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """One of our own, as superuser. Raises one of AWAY."""
    sql = await asyncpg.connect(dsn, timeout=30, server_settings={"application_name": "chaos"})
    try:
        yield sql
    finally:
        with suppress(*AWAY):
            await sql.close(timeout=5)
