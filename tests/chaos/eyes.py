"""What the harness sees of the platform: reads of the four databases, patient while they are away."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from typing import Any, Final

import asyncpg

from shared.clock import monotonic
from shared.events.topics import NUMBERED
from tests.chaos.platform import Platform

AWAY: Final = (OSError, EOFError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
TOO_LONG: Final = "5 seconds"
"""Longer than this nobody waits for a lock, and no transaction is idle, in a platform at rest."""

Log = tuple[str, int]


@dataclass(frozen=True)
class Standing:
    """How far everything is."""

    heads: dict[Log, int]
    cursors: dict[Log, int]
    applied: dict[tuple[str, Log], int]
    """By consumer and log."""
    parked: int
    overdue: dict[str, int]
    """Timers and notifications whose time has come, by service."""

    @property
    def unsent(self) -> int:
        """Events that the relays have not brought to Kafka."""
        return sum(head - self.cursors.get(log, 0) for log, head in self.heads.items())

    @property
    def behind(self) -> int:
        """Events that consumers have not taken in."""
        return sum(max(0, self.heads[log] - seq) for (_, log), seq in self.applied.items())

    def outstanding(self, *, overdue: bool) -> list[str]:
        """What keeps the platform from rest, in words; with what is overdue, or without."""
        found = [f"{head - self.cursors.get(log, 0)} unsent of {log[0]}/{log[1]}" for log, head in self.heads.items()]
        found = [text for text in found if not text.startswith("0 ")]
        for (consumer, log), seq in self.applied.items():
            if self.heads[log] != seq:
                found.append(f"{consumer} has {seq} of {self.heads[log]} of {log[0]}/{log[1]}")
        if overdue:
            found += [f"{count} overdue in {service}" for service, count in self.overdue.items() if count]
        return [*found, f"{self.parked} parked"] if self.parked else found


class Eyes:
    """A connection to each database, made again when it is lost."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._connections: dict[str, asyncpg.Connection[asyncpg.Record]] = {}
        self._locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def fetch(self, service: str, sql: str, *arguments: Any) -> list[asyncpg.Record]:
        """Rows. Raises one of AWAY."""
        async with self._locks[service]:
            connection = self._connections.get(service)
            if connection is None or connection.is_closed():
                connection = await asyncpg.connect(self._platform.postgres.dsn(service), timeout=10, command_timeout=60)
                self._connections[service] = connection
            try:
                return list(await connection.fetch(sql, *arguments))
            except AWAY:
                connection.terminate()
                raise

    async def close(self) -> None:
        """Close what is open."""
        for connection in self._connections.values():
            connection.terminate()

    async def standing(self) -> Standing:
        """How far everything is. Raises one of AWAY."""
        heads: dict[Log, int] = {}
        cursors: dict[Log, int] = {}
        applied: dict[tuple[str, Log], int] = {}
        overdue: dict[str, int] = {}
        parked = 0
        for service in self._platform.urls:
            # positions before heads: what a consumer has, its source gave out before
            consumed = {
                (row["topic"], row["part"]): row["last_seq"]
                for row in await self.fetch(service, "SELECT topic, part, last_seq FROM consumer_part")
            }
            for topic in NUMBERED:
                if service in topic.consumers:
                    applied |= {(service, (topic.name, part)): consumed.get((topic.name, part), 0) for part in range(12)}
            parked += (await self.fetch(service, "SELECT count(*) FROM dead_letter WHERE status = 'parked'"))[0][0]
            overdue[service] = await self._overdue(service)
        for service in self._platform.urls:
            rows = await self.fetch(service, "SELECT topic, part, head, seq FROM outbox_head JOIN outbox_cursor USING (topic, part)")
            heads |= {(row["topic"], row["part"]): row["head"] for row in rows}
            cursors |= {(row["topic"], row["part"]): row["seq"] for row in rows}
        return Standing(heads, cursors, applied, parked, overdue)

    async def _overdue(self, service: str) -> int:
        timers = "SELECT count(*) FROM timer WHERE due_at < clock_timestamp() - interval '2 seconds'"
        sql = {
            "tickets": timers,
            "feedback": timers,
            "intake": "SELECT count(*) FROM notification WHERE status = 'pending'"
            " AND next_attempt_at < clock_timestamp() - interval '2 seconds'",
        }.get(service)
        return 0 if sql is None else int((await self.fetch(service, sql))[0][0])

    async def stuck(self) -> list[str]:
        """Transactions that are idle, and waits for locks, for longer than TOO_LONG."""
        rows = await self.fetch(
            "intake",
            f"""
            SELECT datname, application_name, state, wait_event_type, left(query, 120) AS query FROM pg_stat_activity
             WHERE (state LIKE 'idle in transaction%' AND state_change < clock_timestamp() - interval '{TOO_LONG}')
                OR (wait_event_type = 'Lock' AND query_start < clock_timestamp() - interval '{TOO_LONG}')
            """,
        )
        return [f"{row['application_name']} in {row['datname']}: {row['state']}, {row['wait_event_type']}: {row['query']}" for row in rows]


async def await_quiet(eyes: Eyes, deadline: float, *, overdue: bool) -> list[str]:
    """Wait until nothing is outstanding any more, twice in a row; what still is when that takes until ``deadline``."""
    rested, last = 0, ["not even the databases answer"]
    while monotonic() < deadline:
        try:
            last = (await eyes.standing()).outstanding(overdue=overdue)
        except AWAY:
            rested = 0
        else:
            rested = 0 if last else rested + 1
            if rested == 2:
                return []
        await asyncio.sleep(0.25)
    return last
