"""The outbox: a small numbered log inside the service's own database. Writing to it is part of the change that an event reports.

Each event gets the next number of its log (topic, partition), without holes, and names the id of its predecessor. Numbers are given out
under the row lock of `outbox_head`, which is the last lock that a transaction takes before COMMIT: so commit order is the order of numbers,
and a rollback gives its numbers back. `shared/relay` carries the rows to Kafka; nobody else reads them.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID, uuid4

from shared import errors
from shared.database import Transaction
from shared.events.envelope import FILLER_TYPE, Event, Written
from shared.ids import random_ids
from shared.protocol import partition_of
from shared.telemetry import traceparent

MAX_PAYLOAD: Final = 512 * 1024
"""Bytes of one event's data. A larger one could stop a partition; texts are cut before that, by who writes the event."""

Log = tuple[str, int]
"""A numbered log: (topic, partition)."""


class EventTooLarge(errors.TooLarge):
    """An event's data exceeds MAX_PAYLOAD; nothing was written."""

    code = "event_too_large"


class OutboxStopped(errors.Unavailable):
    """The log does not belong to the history that the broker knows: the database was restored. An operator must resume it."""

    code = "outbox_stopped"


class UnknownLog(Exception):
    """The event's topic is not one of this service's: a bug, or a migration that was not run."""


class Wakeup:
    """Tells the relay of the same process that rows were committed, so that it need not wait for its next poll."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def __call__(self) -> None:
        """Call after COMMIT."""
        self._event.set()

    async def wait(self, timeout: float) -> bool:
        """Return when called since the last wait, at the latest after `timeout` seconds; whether it was called."""
        try:
            async with asyncio.timeout(timeout):
                return await self._event.wait()
        except TimeoutError:
            return False
        finally:
            self._event.clear()


class Row(NamedTuple):
    """An event on its way into the outbox; its number comes with the lock. ``time`` and ``trace`` are None of what only holds a number."""

    log: Log
    key: str
    type: str
    event_id: UUID
    time: datetime | None
    trace: str | None
    payload: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """Where the end of a log was before this transaction, which holds its lock."""

    epoch: int
    seq: int
    event_id: UUID | None


async def append(tx: Transaction, events: Sequence[Event | Written]) -> None:
    """Write the events, in this order, as the last work of the transaction; without events no statement runs.

    Raises:
        EventTooLarge: one of them has more than MAX_PAYLOAD bytes; nothing was written.
        OutboxStopped: one of the logs was stopped after a restore of the database.
        UnknownLog: a topic that this service does not produce.
    """
    if events:
        await append_rows(tx, _encode([event if isinstance(event, Written) else _written(event) for event in events]))


async def append_rows(tx: Transaction, rows: Sequence[Row]) -> None:
    """Write encoded rows: lock the heads in order, move them, number the rows."""
    by_log: dict[Log, list[Row]] = defaultdict(list)
    for row in rows:
        by_log[row.log].append(row)
    heads = await _move_heads(tx, by_log)
    await tx.copy("outbox", _COLUMNS, list(_numbered(by_log, heads)))


async def _move_heads(tx: Transaction, by_log: Mapping[Log, Sequence[Row]]) -> dict[Log, Head]:
    """Lock the ends of the logs until COMMIT and move them behind the new rows; where they were.

    Every caller locks in the same order, so none waits for another in a circle.
    """
    logs = sorted(by_log)
    found = await tx.fetch(
        """
        WITH locked AS MATERIALIZED (
               SELECT h.topic, h.part, h.epoch, h.head, h.head_id, h.stopped, w.n, w.last_id
                 FROM outbox_head h
                      JOIN unnest($1::text[], $2::smallint[], $3::bigint[], $4::uuid[]) w(topic, part, n, last_id) USING (topic, part)
                ORDER BY h.topic, h.part FOR UPDATE OF h)
        UPDATE outbox_head h SET head = h.head + l.n, head_id = l.last_id FROM locked l WHERE (h.topic, h.part) = (l.topic, l.part)
        RETURNING l.topic, l.part, l.epoch, l.head, l.head_id, l.stopped
        """,
        [topic for topic, _ in logs],
        [part for _, part in logs],
        [len(by_log[log]) for log in logs],
        [by_log[log][-1].event_id for log in logs],
    )
    if len(found) != len(logs):
        missing = set(logs) - {(row["topic"], row["part"]) for row in found}
        raise UnknownLog(f"no outbox_head for {sorted(missing)}")
    stopped = [f"{row['topic']}/{row['part']}" for row in found if row["stopped"] is not None]
    if stopped:
        raise OutboxStopped("the database was restored and an operator has not resumed it yet", retry_after=30)
    return {(row["topic"], row["part"]): Head(row["epoch"], row["head"], row["head_id"]) for row in found}


_COLUMNS: Final = ("topic", "part", "seq", "key", "type", "event_id", "previous_id", "headers", "payload")


def _numbered(by_log: Mapping[Log, Sequence[Row]], heads: Mapping[Log, Head]) -> Iterator[tuple[object, ...]]:
    """The rows as columns, each with its number and the id before its own."""
    for (topic, part), log_rows in by_log.items():
        head = heads[topic, part]
        epoch, previous = head.epoch, head.event_id
        for seq, (_, key, type_, event_id, time, trace, payload) in enumerate(log_rows, head.seq + 1):
            yield topic, part, seq, key, type_, event_id, previous, _headers(time, trace, epoch), payload
            previous = event_id


def _headers(time: datetime | None, trace: str | None, epoch: int) -> str:
    """The headers that differ from event to event, as JSON; there is nothing in them that would have to be escaped."""
    if time is None:
        return f'{{"ce_epoch":"{epoch}"}}'
    return f'{{"ce_time":"{time.isoformat()}","traceparent":"{trace}","ce_epoch":"{epoch}"}}'


def filler(log: Log, event_id: UUID | None = None) -> Row:
    """A row without effect that only holds a number."""
    return Row(log, "", FILLER_TYPE, event_id or uuid4(), None, None, b"{}")


def _written(event: Event) -> Written:
    # a field that holds what its contract does not allow is a bug of the producer: better here than as poison in every consumer
    payload = event.__pydantic_serializer__.to_json(event, warnings="error")
    return Written(type(event), event.key, event.occurred_at, payload)


def _encode(events: Sequence[Written]) -> list[Row]:
    together = traceparent()
    rows = []
    for (contract, key, occurred_at, payload, trace), event_id in zip(events, random_ids(len(events)), strict=True):
        if len(payload) > MAX_PAYLOAD:
            raise EventTooLarge(f"{contract.TYPE} has {len(payload)} bytes, at most {MAX_PAYLOAD} may be sent")
        log = (contract.TOPIC.name, partition_of(key))
        rows.append(Row(log, key, contract.TYPE, event_id, occurred_at, trace or together, payload))
    return rows
