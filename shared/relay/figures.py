"""What operators see of an outbox: Prometheus figures, read from the database now and then, and the check behind `/readyz`."""

from __future__ import annotations

import asyncio
from typing import Final

from prometheus_client import Counter, Gauge

from shared import protocol, telemetry
from shared.backoff import pause
from shared.database import Database, Transaction, is_transient
from shared.health import Finding

_log = telemetry.logger()

EVERY: Final = 5.0

SENT: Final = Counter("outbox_sent", "Rows that the broker has acknowledged, repeats included", ["topic"])
UNSENT: Final = Gauge("outbox_unsent_rows", "Rows above the cursor", ["topic"])
OLDEST: Final = Gauge("outbox_oldest_unsent_seconds", "Age of the oldest row above the cursor", ["topic"])
BEHIND: Final = Gauge("outbox_consumer_behind", "Events that a consumer has not confirmed", ["topic", "consumer"])
BELOW_FLOOR: Final = Gauge(
    "outbox_consumer_below_floor", "Logs where a consumer misses rows that the outbox has dropped", ["topic", "consumer"]
)
STOPPED: Final = Gauge("outbox_stopped_logs", "Logs that are not carried: restored, or a row is missing", ["topic"])


async def watch(database: Database, stop: asyncio.Event) -> None:
    """Show the figures until told to stop."""
    while not stop.is_set():
        try:
            async with database.transaction() as tx:
                await show(tx)
        except Exception as error:
            if not is_transient(error):
                raise
            _log.info("figures_wait", error=type(error).__name__)
        await pause(stop, EVERY)


async def show(tx: Transaction) -> None:
    """Set the figures to what the database says now."""
    for row in await tx.fetch(
        """
        SELECT h.topic, sum(greatest(h.head - c.seq, 0))::float8 AS unsent, count(coalesce(h.stopped, c.stopped)) AS stopped,
               coalesce(extract(epoch FROM max(clock_timestamp() - o.created_at)), 0)::float8 AS oldest
          FROM outbox_head h JOIN outbox_cursor c USING (topic, part)
          LEFT JOIN LATERAL (SELECT created_at FROM outbox
                              WHERE h.head > c.seq AND (topic, part, seq) = (c.topic, c.part, c.seq + 1)) o ON true
         GROUP BY h.topic
        """
    ):
        UNSENT.labels(row["topic"]).set(row["unsent"])
        OLDEST.labels(row["topic"]).set(row["oldest"])
        STOPPED.labels(row["topic"]).set(row["stopped"])
    behind: dict[tuple[str, str], int] = {}
    below: dict[tuple[str, str], int] = {}
    for row in await tx.fetch(
        """
        SELECT k.topic, k.consumer, k.last_seq, h.head, c.floor
          FROM outbox_known k JOIN outbox_head h USING (topic, part) JOIN outbox_cursor c USING (topic, part)
        """
    ):
        key = (row["topic"], row["consumer"])
        behind[key] = behind.get(key, 0) + max(0, row["head"] - row["last_seq"])
        below[key] = below.get(key, 0) + protocol.is_below_floor(row["last_seq"], row["floor"])
    for key, value in behind.items():
        BEHIND.labels(*key).set(value)
        BELOW_FLOOR.labels(*key).set(below[key])


async def check(database: Database) -> Finding:
    """Readiness fails while a log refuses events: a restored database that nobody has resumed. Observes how many logs are not carried."""
    async with database.transaction() as tx:
        row = await tx.fetchrow(
            "SELECT count(h.stopped) AS refusing, count(c.stopped) AS stopped FROM outbox_head h JOIN outbox_cursor c USING (topic, part)"
        )
    assert row is not None
    return Finding(passes=row["refusing"] == 0, observed=row["stopped"], unit="stopped logs")
