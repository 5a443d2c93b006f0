"""`aftercare lag` and `aftercare outbox status`: how far everybody is, read from the databases, not from the broker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deploy.commands.places import transaction_of
from shared.events.topics import NUMBERED, Topic

Heads = Mapping[tuple[str, int], int]


async def lag(*, all_logs: bool) -> list[dict[str, Any]]:
    """For each topic and consumer: events given out, applied, still to come, parked. ``all_logs`` shows every partition."""
    rows: list[dict[str, Any]] = []
    for topic in NUMBERED:
        heads = await _heads(topic)
        for consumer in topic.consumers:
            rows += await _lag_of(topic, consumer, heads, all_logs=all_logs)
    return rows


async def outbox_status(services: list[str]) -> list[dict[str, Any]]:
    """For each topic: events given out, in Kafka as far as the relay knows, unsent, age of the oldest unsent in seconds, alarms."""
    rows: list[dict[str, Any]] = []
    for service in services:
        async with transaction_of(service) as tx:
            rows += [dict(row) for row in await tx.fetch(_STATUS)]
    return rows


async def _heads(topic: Topic) -> Heads:
    async with transaction_of(topic.source) as tx:
        return {
            (row["topic"], row["part"]): row["head"]
            for row in await tx.fetch("SELECT topic, part, head FROM outbox_head WHERE topic = $1", topic.name)
        }


async def _lag_of(topic: Topic, consumer: str, heads: Heads, *, all_logs: bool) -> list[dict[str, Any]]:
    async with transaction_of(consumer) as tx:
        found = await tx.fetch(_POSITIONS, topic.name)
    rows = [
        {
            "topic": topic.name,
            "part": row["part"],
            "consumer": consumer,
            "head": heads[topic.name, row["part"]],
            "applied": row["last_seq"],
            "behind": heads[topic.name, row["part"]] - row["last_seq"],
            "parked": row["parked"],
            "stopped": row["stopped"],
        }
        for row in found
    ]
    return rows if all_logs else [_sum(rows)]


def _sum(rows: list[dict[str, Any]]) -> dict[str, Any]:
    stopped = sorted({f"{row['part']}: {row['stopped']}" for row in rows if row["stopped"]})
    numbers = {name: sum(row[name] for row in rows) for name in ("head", "applied", "behind", "parked")}
    return {**rows[0], **numbers, "part": "all", "stopped": "; ".join(stopped) or None}


_POSITIONS = """
SELECT c.part, c.last_seq, c.stopped, count(d.seq) AS parked
  FROM consumer_part c LEFT JOIN dead_letter d ON d.topic = c.topic AND d.part = c.part AND d.status = 'parked'
 WHERE c.topic = $1 GROUP BY c.topic, c.part ORDER BY c.part
"""

_STATUS = """
SELECT h.topic, sum(h.head)::bigint AS head, sum(least(c.seq, h.head))::bigint AS sent, sum(greatest(h.head - c.seq, 0))::bigint AS unsent,
       coalesce(round(extract(epoch FROM max(clock_timestamp() - o.created_at)))::bigint, 0) AS oldest_unsent_s, max(h.epoch) AS epoch,
       string_agg(DISTINCT coalesce(h.stopped, c.stopped), '; ') AS stopped
  FROM outbox_head h JOIN outbox_cursor c USING (topic, part)
  LEFT JOIN outbox o ON (o.topic, o.part, o.seq) = (c.topic, c.part, c.seq + 1)
 GROUP BY h.topic ORDER BY h.topic
"""
