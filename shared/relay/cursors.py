"""The relay's SQL: which logs it owns for a round, what stands in them, how far they are sent. Set-based: one statement for all logs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final
from uuid import UUID

from shared.database import Transaction, from_json
from shared.kafka.records import OutboxRow
from shared.outbox import MAX_PAYLOAD, Log
from shared.protocol import NACK_LIFE, NACK_PAUSE, Nack

LOGS_PER_ROUND: Final = 12
_ROW_OVERHEAD: Final = 500
"""Bytes of headers that a row has on Kafka, about."""


@dataclass(frozen=True, slots=True)
class Owned:
    """A log whose cursor row this round has locked."""

    log: Log
    seq: int
    floor: int
    owner: str | None
    since_checked: timedelta
    """Since the broker last confirmed what it holds, by a tail or an acknowledgement."""
    since_sent: timedelta

    def at(self, seq: int) -> Owned:
        """The same with its cursor there."""
        return self if seq == self.seq else replace(self, seq=seq)


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a log as committed after the cursor was locked."""

    seq: int
    event_id: UUID | None


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one consumer of a log."""

    consumer: str
    log: Log
    last_seq: int
    last_id: UUID | None
    nack: Nack | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """The rows of a log behind this number, at most so many; or its head row once more."""

    after: int
    limit: int
    is_heartbeat: bool = False


@dataclass(frozen=True, slots=True)
class Moved:
    """What a round did to a log."""

    log: Log
    seq: int
    sent: bool
    checked: bool


@dataclass(frozen=True, slots=True)
class Claim:
    """Which logs a relay may take. A log belongs to another relay while that one's ``lease`` runs; ``resting`` ones are left alone."""

    me: str
    lease: timedelta
    quiet: timedelta
    resting: Sequence[Log]

    @property
    def parameters(self) -> tuple[object, ...]:
        """As `_CLAIMABLE` counts them."""
        topics, parts = [topic for topic, _ in self.resting], [part for _, part in self.resting]
        return self.me, self.lease, self.quiet, NACK_LIFE, NACK_PAUSE, topics, parts


_CLAIMABLE: Final = """
          FROM outbox_cursor c JOIN outbox_head h USING (topic, part)
         WHERE c.stopped IS NULL
           AND (h.head > c.seq OR c.checked_at IS NULL OR c.checked_at < clock_timestamp() - $3::interval
                OR EXISTS (SELECT FROM outbox_known k
                            WHERE (k.topic, k.part) = (c.topic, c.part) AND k.expected > c.floor AND k.expected <= c.seq
                              AND k.expected_at > clock_timestamp() - $4::interval
                              AND NOT EXISTS (SELECT FROM outbox_known r
                                               WHERE (r.topic, r.part, r.rewound_to) = (k.topic, k.part, k.expected)
                                                 AND r.rewound_at > clock_timestamp() - $5::interval)))
           AND (c.owner = $1 OR c.owner IS NULL OR c.owned_at < clock_timestamp() - $2::interval)
           AND NOT EXISTS (SELECT FROM unnest($6::text[], $7::smallint[]) r(topic, part) WHERE (r.topic, r.part) = (c.topic, c.part))
"""
"""Logs that have work and belong to nobody else. Work is: rows to send, quiet for too long, or a consumer's nack."""


async def is_work_there(tx: Transaction, claim: Claim) -> bool:
    """Whether `own` would find something, were it called now; nothing is locked."""
    return bool(await tx.fetchval(f"SELECT EXISTS (SELECT {_CLAIMABLE})", *claim.parameters))


async def own(tx: Transaction, claim: Claim) -> list[Owned]:
    """Lock the cursors of logs that can be claimed, those first that waited longest."""
    rows = await tx.fetch(
        f"""
        SELECT c.topic, c.part, c.seq, c.floor, c.owner,
               clock_timestamp() - c.checked_at AS since_checked, clock_timestamp() - c.sent_at AS since_sent
        {_CLAIMABLE}
         ORDER BY c.owned_at NULLS FIRST LIMIT {LOGS_PER_ROUND}
           FOR UPDATE OF c SKIP LOCKED
        """,
        *claim.parameters,
    )
    return [
        Owned(
            (row["topic"], row["part"]),
            row["seq"],
            row["floor"],
            row["owner"],
            timedelta.max if row["since_checked"] is None else row["since_checked"],
            timedelta.max if row["since_sent"] is None else row["since_sent"],
        )
        for row in rows
    ]


async def ends(tx: Transaction, logs: Sequence[Log]) -> tuple[dict[Log, Head], dict[Log, list[Known]]]:
    """The ends of the logs, and what is known of the consumers of each: both as of one moment after the cursors were locked and the tails
    read. An older head could lie below the tail, and one older than what a consumer tells below that.
    """
    rows = await tx.fetch(
        """
        SELECT h.topic, h.part, h.head, h.head_id, k.consumer, k.last_seq, k.last_id, k.expected,
               clock_timestamp() - k.expected_at AS age,
               CASE WHEN k.expected IS NOT NULL THEN (
                 SELECT min(clock_timestamp() - r.rewound_at) FROM outbox_known r
                  WHERE (r.topic, r.part, r.rewound_to) = (k.topic, k.part, k.expected)) END AS since_same
          FROM outbox_head h JOIN unnest($1::text[], $2::smallint[]) wanted(topic, part) USING (topic, part)
               LEFT JOIN outbox_known k ON (k.topic, k.part) = (h.topic, h.part)
        """,
        [topic for topic, _ in logs],
        [part for _, part in logs],
    )
    heads: dict[Log, Head] = {}
    found: dict[Log, list[Known]] = {log: [] for log in logs}
    for topic, part, head, head_id, consumer, last_seq, last_id, expected, age, since_same in rows:
        log = (topic, part)
        heads[log] = Head(head, head_id)
        if consumer is not None:
            nack = None if expected is None else Nack(expected, age, since_same)
            found[log].append(Known(consumer, log, last_seq, last_id, nack))
    return heads, found


async def own_ids(tx: Transaction, seqs: Mapping[Log, int | None]) -> dict[Log, UUID]:
    """The ids of our rows with these numbers, where there are such rows."""
    rows = await tx.fetch(
        """
        SELECT t.topic, t.part, o.event_id
          FROM unnest($1::text[], $2::smallint[], $3::bigint[]) t(topic, part, seq)
         CROSS JOIN LATERAL (SELECT event_id FROM outbox o WHERE (o.topic, o.part, o.seq) = (t.topic, t.part, t.seq) LIMIT 1) o
        """,
        [topic for topic, _ in seqs],
        [part for _, part in seqs],
        list(seqs.values()),
    )
    return {(row["topic"], row["part"]): row["event_id"] for row in rows}


async def remember_rewinds(tx: Transaction, rewinds: Sequence[Known]) -> None:
    """Note which nacks moved a cursor, so that the same number does so again only after a pause."""
    await tx.execute(
        """
        UPDATE outbox_known k SET rewound_to = k.expected, rewound_at = clock_timestamp()
          FROM unnest($1::text[], $2::text[], $3::smallint[]) r(consumer, topic, part)
         WHERE (k.consumer, k.topic, k.part) = (r.consumer, r.topic, r.part)
        """,
        [rewind.consumer for rewind in rewinds],
        [rewind.log[0] for rewind in rewinds],
        [rewind.log[1] for rewind in rewinds],
    )


async def read(tx: Transaction, wanted: Mapping[Log, Wanted]) -> dict[Log, list[OutboxRow]]:
    """The wanted rows of each log, at most what one batch holds."""
    rows = await tx.fetch(
        f"""
        SELECT w.log, n.seq, n.key, n.type, n.event_id, n.previous_id, n.headers, n.payload
          FROM unnest($1::text[], $2::smallint[], $3::bigint[], $4::int[]) WITH ORDINALITY w(topic, part, seq, rows, log)
         CROSS JOIN LATERAL (
           SELECT * FROM (
             SELECT o.seq, o.key, o.type, o.event_id, o.previous_id, o.headers, o.payload,
                    sum(octet_length(o.payload) + {_ROW_OVERHEAD}) OVER (ORDER BY o.seq) - octet_length(o.payload) AS bytes_before
               FROM outbox o WHERE (o.topic, o.part) = (w.topic, w.part) AND o.seq > w.seq ORDER BY o.seq LIMIT w.rows) b
            WHERE b.bytes_before <= {MAX_PAYLOAD}) n
         ORDER BY w.log, n.seq
        """,
        [topic for topic, _ in wanted],
        [part for _, part in wanted],
        [each.after for each in wanted.values()],
        [each.limit for each in wanted.values()],
    )
    logs = list(wanted)
    found: dict[Log, list[OutboxRow]] = {log: [] for log in logs}
    for number, seq, key, type_, event_id, previous_id, headers, payload in rows:
        log = logs[number - 1]
        found[log].append(OutboxRow(log, seq, key, type_, event_id, previous_id, from_json(headers), payload))
    return found


async def advance(tx: Transaction, me: str, moved: Sequence[Moved]) -> None:
    """Write where the cursors stand and who owns them."""
    await tx.execute(
        """
        UPDATE outbox_cursor c SET seq = m.seq, owner = $1, owned_at = clock_timestamp(),
               sent_at = CASE WHEN m.sent THEN clock_timestamp() ELSE c.sent_at END,
               checked_at = CASE WHEN m.sent OR m.checked THEN clock_timestamp() ELSE c.checked_at END
          FROM unnest($2::text[], $3::smallint[], $4::bigint[], $5::bool[], $6::bool[]) m(topic, part, seq, sent, checked)
         WHERE (c.topic, c.part) = (m.topic, m.part)
        """,
        me,
        [log.log[0] for log in moved],
        [log.log[1] for log in moved],
        [log.seq for log in moved],
        [log.sent for log in moved],
        [log.checked for log in moved],
    )


async def stop(tx: Transaction, log: Log, reason: str, *, refuse_appends: bool) -> None:
    """Carry nothing more of a log until an operator says so; where its history is in doubt, take nothing more either."""
    await tx.execute("UPDATE outbox_cursor SET stopped = $3 WHERE (topic, part) = ($1, $2)", *log, reason)
    if refuse_appends:
        await tx.execute("UPDATE outbox_head SET stopped = $3 WHERE (topic, part) = ($1, $2)", *log, reason)
