"""Where the consumer stands in each log, in its own database: the row that fences, dedupes and tells where to read on."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from shared.database import Transaction
from shared.outbox import Log
from shared.protocol import Position


@dataclass(frozen=True, slots=True)
class Stand:
    """The consumer's row of one log. ``next_off`` is a hint: a wrong one costs time, never correctness."""

    position: Position
    next_off: int
    stopped: str | None = None


async def ensure(tx: Transaction, logs: Sequence[Log]) -> None:
    """Make rows for logs that are read for the first time."""
    await tx.execute(
        """
        INSERT INTO consumer_part (topic, part, last_seq, next_off)
        SELECT topic, part, 0, 0 FROM unnest($1::text[], $2::smallint[]) u(topic, part) ON CONFLICT DO NOTHING
        """,
        *_columns(logs),
    )


async def read(tx: Transaction, logs: Collection[Log]) -> dict[Log, Stand]:
    """The rows as committed."""
    return await _select(tx, logs, "")


async def lock(tx: Transaction, logs: Collection[Log]) -> dict[Log, Stand]:
    """The rows, held until COMMIT. Whoever else polled the same records comes second and finds them applied."""
    return await _select(tx, logs, "FOR UPDATE OF c")


async def save(tx: Transaction, stands: Mapping[Log, Stand]) -> None:
    """Write the rows."""
    logs = sorted(stands)
    await tx.execute(
        """
        UPDATE consumer_part c SET epoch = u.epoch, last_seq = u.last_seq, last_id = u.last_id, next_off = u.next_off, stopped = u.stopped,
               updated_at = clock_timestamp()
          FROM unnest($1::text[], $2::smallint[], $3::int[], $4::bigint[], $5::uuid[], $6::bigint[], $7::text[])
               u(topic, part, epoch, last_seq, last_id, next_off, stopped)
         WHERE (c.topic, c.part) = (u.topic, u.part)
        """,
        *_columns(logs),
        [stands[log].position.epoch for log in logs],
        [stands[log].position.last_seq for log in logs],
        [stands[log].position.last_id for log in logs],
        [stands[log].next_off for log in logs],
        [stands[log].stopped for log in logs],
    )


async def mark_stopped(tx: Transaction, log: Log, reason: str) -> None:
    """Tell operators why a log is not read on."""
    await tx.execute("UPDATE consumer_part SET stopped = $3, updated_at = clock_timestamp() WHERE (topic, part) = ($1, $2)", *log, reason)


async def reread(tx: Transaction, topic: str) -> int:
    """Read a topic from its start again, which may still hold what the outbox has dropped; what was applied is not applied again.

    The number of logs. A running consumer takes it up when it seeks the next time: at its start.
    """
    tag = await tx.execute("UPDATE consumer_part SET next_off = 0 WHERE topic = $1", topic)
    return int(tag.split()[-1])


async def _select(tx: Transaction, logs: Collection[Log], locking: str) -> dict[Log, Stand]:
    rows = await tx.fetch(
        f"""
        SELECT c.topic, c.part, c.epoch, c.last_seq, c.last_id, c.next_off, c.stopped
          FROM consumer_part c JOIN unnest($1::text[], $2::smallint[]) wanted(topic, part) USING (topic, part)
         ORDER BY c.topic, c.part {locking}
        """,
        *_columns(sorted(logs)),
    )
    return {
        (row["topic"], row["part"]): Stand(Position(row["epoch"], row["last_seq"], row["last_id"]), row["next_off"], row["stopped"])
        for row in rows
    }


def _columns(logs: Collection[Log]) -> tuple[list[str], list[int]]:
    return [topic for topic, _ in logs], [part for _, part in logs]
