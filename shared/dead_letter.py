"""Events that could not be applied. Their key is parked: later events of it wait behind them, in order, until an operator decides.

Dead letters live in the consumer's database alone, in the transaction that moves its position, so `accepted = applied + parked + discarded`
holds at any time. Replay takes the parked key's row FOR UPDATE before it reads the letters; consumers hold it FOR SHARE while they apply:
otherwise an event parked in between would be stranded behind a key that is no longer parked.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import metadata
from typing import Any
from uuid import UUID

import asyncpg
from pydantic import ValidationError

from shared import errors
from shared.database import Database, Transaction, from_json, to_json
from shared.kafka.records import LogRecord, parse
from shared.outbox import Log

LogKey = tuple[str, int, str]
"""A key inside a log: (topic, partition, key)."""


class NotParked(errors.NotFound):
    """No event of that key, or with that number, is parked."""

    code = "not_parked"


@dataclass(frozen=True, slots=True)
class Letter:
    """An event that is to be parked: because of an error of its own, or (None) because its key is parked."""

    record: LogRecord
    error: BaseException | None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A parked, replayed or discarded event as an operator sees it."""

    topic: str
    part: int
    seq: int
    key: str
    type: str
    event_id: UUID
    status: str
    error_class: str | None
    error_text: str | None
    handler_version: str
    first_at: datetime
    attempts: int
    resolved_by: str | None
    resolved_at: datetime | None
    reason: str | None


# --- the consumer's side -------------------------------------------------------------------------------------------------------------


async def parked_keys(tx: Transaction, keys: Collection[LogKey]) -> set[LogKey]:
    """Which of the keys are parked; held FOR SHARE until COMMIT, so that no replay runs meanwhile.

    Only whoever holds the position of a log parks keys of it, and that is the caller: what is not parked now will not be meanwhile.
    """
    logs = await _logs_with_parked_keys(tx, {(topic, part) for topic, part, _ in keys})
    keys = [key for key in keys if key[:2] in logs] if logs else ()
    if not keys:
        return set()
    rows = await tx.fetch(
        """
        SELECT p.topic, p.part, p.key FROM parked_key p JOIN unnest($1::text[], $2::smallint[], $3::text[]) k(topic, part, key)
         USING (topic, part, key) ORDER BY p.topic, p.part, p.key FOR SHARE OF p
        """,
        *_columns(keys),
    )
    return {(row["topic"], row["part"], row["key"]) for row in rows}


async def _logs_with_parked_keys(tx: Transaction, logs: Collection[Log]) -> set[Log]:
    """Nearly always none: so that a batch need not ask for each of its keys."""
    if not logs:
        return set()
    rows = await tx.fetch(
        """
        SELECT w.topic, w.part FROM unnest($1::text[], $2::smallint[]) w(topic, part)
         WHERE EXISTS (SELECT FROM parked_key p WHERE (p.topic, p.part) = (w.topic, w.part))
        """,
        [topic for topic, _ in logs],
        [part for _, part in logs],
    )
    return {(row["topic"], row["part"]) for row in rows}


async def park(tx: Transaction, letters: Sequence[Letter]) -> None:
    """Write the letters and park their keys."""
    if not letters:
        return
    records = [letter.record for letter in letters]
    await tx.execute(
        """
        INSERT INTO parked_key (topic, part, key) SELECT DISTINCT * FROM unnest($1::text[], $2::smallint[], $3::text[])
        ON CONFLICT DO NOTHING
        """,
        *_columns({(*record.log, record.key) for record in records}),
    )
    await tx.execute(
        """
        INSERT INTO dead_letter (topic, part, seq, epoch, kafka_offset, key, type, event_id, headers, value, error_class, error_text,
                                 handler_version)
        SELECT *, $13::text FROM unnest($1::text[], $2::smallint[], $3::bigint[], $4::int[], $5::bigint[], $6::text[], $7::text[],
                                        $8::uuid[], $9::jsonb[], $10::bytea[], $11::text[], $12::text[])
        """,
        [record.log[0] for record in records],
        [record.log[1] for record in records],
        [record.seq for record in records],
        [record.numbered.epoch for record in records],
        [record.offset for record in records],
        [record.key for record in records],
        [record.type for record in records],
        [record.numbered.event_id for record in records],
        [to_json(dict(record.headers)) for record in records],
        [record.value for record in records],
        [None if letter.error is None else type(letter.error).__name__ for letter in letters],
        [None if letter.error is None else describe(letter.error) for letter in letters],
        metadata.version("aftercare"),
    )


def describe(error: BaseException) -> str:
    """What went wrong, without the values that it went wrong with: those may be somebody's data."""
    if isinstance(error, ValidationError):
        found = error.errors(include_input=False, include_url=False, include_context=False)
        return "; ".join(f"{'.'.join(str(step) for step in each['loc'])}: {each['type']}" for each in found)[:2000]
    if isinstance(error, asyncpg.PostgresError):
        facts = (getattr(error, name, None) for name in ("sqlstate", "table_name", "column_name", "constraint_name"))
        return " ".join(str(fact) for fact in facts if fact)
    cause = error.__cause__
    if type(error).__module__.startswith("sqlalchemy"):
        return "" if cause is None else describe(cause)
    return str(error)[:2000]


# --- the operator's side -------------------------------------------------------------------------------------------------------------


async def find(tx: Transaction, *, status: str | None = "parked", topic: str | None = None, limit: int = 100) -> list[DeadLetter]:
    """The letters of a status (None = all), oldest first."""
    rows = await tx.fetch(
        f"SELECT {_SHOWN} FROM dead_letter WHERE ($1::text IS NULL OR status = $1) AND ($2::text IS NULL OR topic = $2)"
        " ORDER BY first_at, topic, part, seq LIMIT $3",
        status,
        topic,
        limit,
    )
    return [DeadLetter(**row) for row in rows]


async def show(tx: Transaction, log: Log, seq: int) -> tuple[DeadLetter, dict[str, Any], bytes | None]:
    """One letter with its headers and its data; the data may be personal, and is None once the letter is resolved.

    Raises:
        NotParked: there is none with that number.
    """
    row = await tx.fetchrow(f"SELECT {_SHOWN}, headers, value FROM dead_letter WHERE (topic, part, seq) = ($1, $2, $3)", *log, seq)
    if row is None:
        raise NotParked(f"no dead letter {log[0]}/{log[1]}/{seq}")
    values = dict(row)
    headers, value = values.pop("headers"), values.pop("value")
    return DeadLetter(**values), from_json(headers), value


async def all_parked(tx: Transaction) -> list[LogKey]:
    """Every key that is parked, the longest first."""
    return [(row["topic"], row["part"], row["key"]) for row in await tx.fetch("SELECT topic, part, key FROM parked_key ORDER BY parked_at")]


async def replay(
    database: Database, apply: Callable[[Transaction, Sequence[LogRecord]], Awaitable[None]], key: LogKey, *, by: str, reason: str
) -> int:
    """Apply the parked events of a key in order, all or none, and unpark it; the number of events.

    When one fails again nothing is changed but the number of attempts, and its error is raised.

    Args:
        apply: `shared.consumer.apply_with(handle)` of the service.

    Raises:
        NotParked: the key is not parked.
    """
    try:
        async with database.transaction() as tx:
            await _lock_parked(tx, key)
            records = await _parked_records(tx, key)
            # the letters first: the handler's outbox rows take the last lock
            await _resolve(tx, key, "replayed", by=by, reason=reason)
            await tx.execute("DELETE FROM parked_key WHERE (topic, part, key) = ($1, $2, $3)", *key)
            await apply(tx, records)
            return len(records)
    except NotParked:
        raise
    except Exception:
        async with database.transaction() as tx:
            await tx.execute(f"UPDATE dead_letter SET attempts = attempts + 1 WHERE {_OF_KEY}", *key)
        raise


async def discard(tx: Transaction, key: LogKey, seq: int, *, by: str, reason: str) -> None:
    """Give one parked event up, on somebody's word. The events behind it stay parked until they are replayed; the last one unparks the key.

    Raises:
        NotParked: no event with that number is parked under that key.
    """
    await _lock_parked(tx, key)
    if not await _resolve(tx, key, "discarded", by=by, reason=reason, seq=seq):
        raise NotParked(f"no parked event {key[0]}/{key[1]}/{seq} of that key")
    await tx.execute(
        f"DELETE FROM parked_key p WHERE (topic, part, key) = ($1, $2, $3) AND NOT EXISTS (SELECT FROM dead_letter WHERE {_OF_KEY})", *key
    )


async def _lock_parked(tx: Transaction, key: LogKey) -> None:
    if await tx.fetchval("SELECT 1 FROM parked_key WHERE (topic, part, key) = ($1, $2, $3) FOR UPDATE", *key) is None:
        raise NotParked("that key is not parked")


async def _parked_records(tx: Transaction, key: LogKey) -> list[LogRecord]:
    rows = await tx.fetch(f"SELECT kafka_offset, headers, value FROM dead_letter WHERE {_OF_KEY} ORDER BY seq", *key)
    return [parse((key[0], key[1]), row["kafka_offset"], key[2], from_json(row["headers"]), row["value"]) for row in rows]


async def _resolve(tx: Transaction, key: LogKey, status: str, *, by: str, reason: str, seq: int | None = None) -> int:
    """The data is not kept any longer than somebody may still need it."""
    tag = await tx.execute(
        f"""
        UPDATE dead_letter SET status = $4, resolved_by = $5, reason = $6, resolved_at = clock_timestamp(), attempts = attempts + 1,
               value = NULL
         WHERE {_OF_KEY} AND ($7::bigint IS NULL OR seq = $7)
        """,
        *key,
        status,
        by,
        reason,
        seq,
    )
    return int(tag.split()[-1])


def _columns(keys: Collection[LogKey]) -> tuple[list[str], list[int], list[str]]:
    ordered = sorted(keys)
    return [topic for topic, _, _ in ordered], [part for _, part, _ in ordered], [key for _, _, key in ordered]


_OF_KEY = "(topic, part, key) = ($1, $2, $3) AND status = 'parked'"
_SHOWN = (
    "topic, part, seq, key, type, event_id, status, error_class, error_text, handler_version, first_at, attempts, resolved_by,"
    " resolved_at, reason"
)
