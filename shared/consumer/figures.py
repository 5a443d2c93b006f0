"""What operators see of a consumer: Prometheus figures, and the check behind `/readyz`."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge

from shared.database import Database, Transaction
from shared.health import Finding

APPLIED: Final = Counter("consumer_applied", "Events applied", ["consumer", "topic"])
DUPLICATES: Final = Counter("consumer_duplicates", "Records dropped because their number had been applied", ["consumer", "topic"])
AHEAD: Final = Counter("consumer_ahead", "Records dropped because a number before them is missing", ["consumer", "topic"])
FOREIGN: Final = Counter("consumer_foreign", "Records without the topic's source or a number, looked past", ["consumer", "topic"])
UNKNOWN: Final = Counter("consumer_unknown_type", "Events of a type that this release does not know, skipped", ["consumer", "topic"])
PARKED: Final = Counter("consumer_parked", "Events parked as dead letters", ["consumer", "topic"])
REBUILDS: Final = Counter("consumer_rebuilds", "Times that the watchdog made a new client", ["consumer"])
LAG: Final = Gauge("consumer_lag_records", "Records on the broker that were not polled yet", ["consumer", "topic"])
STOPPED: Final = Gauge("consumer_stopped_logs", "Logs that are not read on: two histories met, or too much fails", ["consumer"])
DEAD_LETTERS: Final = Gauge("consumer_dead_letters", "Events that wait for an operator", ["consumer", "topic"])


async def show_dead_letters(tx: Transaction, consumer: str, topics: list[str]) -> None:
    """Set the number of parked events."""
    rows = await tx.fetch("SELECT topic, count(*) AS parked FROM dead_letter WHERE status = 'parked' GROUP BY topic")
    found = {row["topic"]: row["parked"] for row in rows}
    for topic in topics:
        DEAD_LETTERS.labels(consumer, topic).set(found.get(topic, 0))


async def check(database: Database) -> Finding:
    """Observes how many logs are not read on. Requests can be served meanwhile, so it passes."""
    async with database.transaction() as tx:
        stopped = await tx.fetchval("SELECT count(stopped) FROM consumer_part")
    return Finding(passes=True, observed=stopped, unit="stopped logs")
