"""What the harness sees of the platform: reads of the four databases, patient while they are away."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import asyncpg

from shared.clock import monotonic, real_now
from shared.events.topics import NUMBERED, PARTITIONS, produced_by
from tests.chaos.platform import Platform

AWAY: Final = (OSError, EOFError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
TOO_LONG: Final = 2.0
"""Seconds. Longer than this nobody waits for a lock, and no transaction is idle, in a platform at rest. A relay's are the longest: it asks
the broker what it holds. The database ends every wait after five."""
LOOKS: Final = 5
"""At the sessions of a platform at rest, one a second."""
LEASE: Final = timedelta(minutes=2)
"""So long a message to a customer is with the process that took it, also if that has died since: it is waiting, and not yet overdue."""

ROOM: Final = 60.0
"""Seconds of patience that are left for what is due last."""

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
    """Timers whose time has come, and messages to customers that are still to leave, by service."""

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
            found += [f"{count} timers or messages to be seen to in {service}" for service, count in self.overdue.items() if count]
        return [*found, f"{self.parked} parked"] if self.parked else found


@dataclass(frozen=True)
class Session:
    """Somebody connected to a database, at one moment."""

    application: str
    database: str
    query: str
    idle: float
    """Seconds for which its transaction has been idle."""
    waiting: float
    """Seconds for which it has waited for a lock."""

    @property
    def is_stuck(self) -> bool:
        """Whether that is longer than it may be at rest."""
        return max(self.idle, self.waiting) > TOO_LONG

    def __str__(self) -> str:
        return f"{self.application} in {self.database}: idle for {self.idle:.1f} s, waiting for {self.waiting:.1f} s: {self.query}"


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

    async def standing(self, due: datetime | None = None) -> Standing:
        """How far everything is. ``due``: messages to customers that leave until then are still to leave. Raises one of AWAY."""
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
                    applied |= {(service, (topic.name, part)): consumed.get((topic.name, part), 0) for part in range(PARTITIONS)}
            parked += (await self.fetch(service, "SELECT count(*) FROM dead_letter WHERE status = 'parked'"))[0][0]
            overdue[service] = await self._overdue(service, due)
        for service in self._platform.urls:
            rows = await self.fetch(service, "SELECT topic, part, head, seq FROM outbox_head JOIN outbox_cursor USING (topic, part)")
            heads |= {(row["topic"], row["part"]): row["head"] for row in rows}
            cursors |= {(row["topic"], row["part"]): row["seq"] for row in rows}
        return Standing(heads, cursors, applied, parked, overdue)

    async def _overdue(self, service: str, due: datetime | None) -> int:
        if service in ("tickets", "feedback"):
            timers = "SELECT count(*) FROM timer WHERE due_at < statement_timestamp() - interval '2 seconds'"
            return int((await self.fetch(service, timers))[0][0])
        if service != "intake":
            return 0
        messages = (
            "SELECT count(*) FROM notification"
            " WHERE status = 'pending' AND next_attempt_at < greatest($1::timestamptz, statement_timestamp() - interval '2 seconds')"
        )
        return int((await self.fetch(service, messages, due))[0][0])

    async def unsent_age(self) -> float:
        """Seconds since the oldest event was written that no relay has brought to Kafka; 0 when there is none. Raises one of AWAY."""
        return max(await asyncio.gather(*(self._unsent_age(service) for service in self._platform.urls if produced_by(service))))

    async def _unsent_age(self, service: str) -> float:
        rows = await self.fetch(
            service,
            """
            SELECT coalesce(extract(epoch FROM max(clock_timestamp() - o.created_at)), 0)::float8
              FROM outbox_head h JOIN outbox_cursor c USING (topic, part)
                   JOIN LATERAL (SELECT created_at FROM outbox WHERE h.head > c.seq AND (topic, part, seq) = (c.topic, c.part, c.seq + 1)) o
                     ON true
            """,
        )
        return float(rows[0][0])

    async def sessions(self) -> list[Session]:
        """Everybody who is connected, at several moments."""
        found = await self._sessions()
        for _ in range(LOOKS - 1):
            await asyncio.sleep(1)
            found += await self._sessions()
        return found

    async def _sessions(self) -> list[Session]:
        # a server may have other databases, whose sessions are not the platform's
        own = [self._platform.postgres.dsn(service).rpartition("/")[2] for service in self._platform.urls]
        rows = await self.fetch(
            "intake",
            """
            SELECT a.application_name AS application, a.datname AS database, left(a.query, 120) AS query,
                   CASE WHEN a.state LIKE 'idle in transaction%' THEN extract(epoch FROM now() - a.state_change)::float8 ELSE 0 END AS idle,
                   (SELECT coalesce(extract(epoch FROM max(now() - l.waitstart)), 0)::float8 FROM pg_locks l WHERE l.pid = a.pid) AS waiting
              FROM pg_stat_activity a WHERE a.backend_type = 'client backend' AND a.pid <> pg_backend_pid() AND a.datname = ANY($1)
            """,
            own,
        )
        return [Session(**dict(row)) for row in rows]


async def await_quiet(eyes: Eyes, deadline: float, *, overdue: bool) -> list[str]:
    """Wait until nothing is outstanding any more, twice in a row; what still is when that takes until ``deadline``.

    A message that a process died with is waited for, as far as patience goes. One that is due later than such a claim ends has another
    reason to wait, which is judged when all is read (`reconcile.effects.endings`).
    """
    rested, last = 0, ["not even the databases answer"]
    due = real_now() + min(LEASE, timedelta(seconds=max(0.0, deadline - monotonic() - ROOM)))
    while monotonic() < deadline:
        try:
            last = (await eyes.standing(due)).outstanding(overdue=overdue)
        except AWAY:
            rested = 0
        else:
            rested = 0 if last else rested + 1
            if rested == 2:
                return []
        await asyncio.sleep(0.25)
    return last
