"""The event log, and how far this database has got with the numbered logs that feed it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.metrics.reduction import Entry
from shared.database import Database, Transaction, from_json, to_json

PATIENCE: Final = 24 * 3600.0
"""Seconds for a statement that reads the whole log."""


@dataclass(frozen=True, slots=True)
class AsOf:
    """How far the figures know the world: the last number applied per log, and the latest event time among those."""

    positions: Mapping[str, int]
    event_time: datetime | None


@asynccontextmanager
async def snapshot(database: Database, *, scratch: bool = False) -> AsyncIterator[Transaction]:
    """A transaction in which every statement sees the database as it was at the first one. ``scratch``: it may make temporary tables."""
    async with database.transaction(isolation="repeatable_read", readonly=not scratch) as tx:
        yield tx


async def append(tx: Transaction, entries: Sequence[Entry]) -> list[Entry]:
    """Write entries into the event log; those that were not there yet, in the order given.

    What comes from the bus for the first time lies behind all that the log holds: that is copied, which takes half the time. Entries that
    come again, or late because they were parked, are inserted where there is none.
    """
    if not entries:
        return []
    held = await _last_of(tx, {(entry.topic, entry.part) for entry in entries})
    if all(entry.seq > held[entry.topic, entry.part] for entry in entries) and len({entry[:3] for entry in entries}) == len(entries):
        await tx.driver.copy_records_to_table(
            "event_log", records=[(*entry[:6], to_json(entry.data)) for entry in entries], columns=_COLUMNS
        )
        return list(entries)
    new = await tx.fetch(
        """
        INSERT INTO event_log (topic, part, seq, type, key, event_time, data)
        SELECT * FROM unnest($1::text[], $2::smallint[], $3::bigint[], $4::text[], $5::text[], $6::timestamptz[], $7::jsonb[])
        ON CONFLICT DO NOTHING
        RETURNING topic, part, seq
        """,
        *(list(values) for values in list(zip(*entries, strict=True))[:6]),
        [to_json(entry.data) for entry in entries],
    )
    written = {(row["topic"], row["part"], row["seq"]) for row in new}
    return [entry for entry in entries if entry[:3] in written]


_COLUMNS: Final = ("topic", "part", "seq", "type", "key", "event_time", "data")


async def _last_of(tx: Transaction, logs: Collection[tuple[str, int]]) -> dict[tuple[str, int], int]:
    """The highest number that the event log holds of each of these logs; 0 where it holds nothing."""
    rows = await tx.fetch(
        """
        SELECT u.topic, u.part, coalesce((SELECT max(seq) FROM event_log l WHERE (l.topic, l.part) = (u.topic, u.part)), 0) AS last
          FROM unnest($1::text[], $2::smallint[]) u(topic, part)
        """,
        [topic for topic, _ in logs],
        [part for _, part in logs],
    )
    return {(row["topic"], row["part"]): row["last"] for row in rows}


async def entries_of(tx: Transaction, topic: str, part: int, at_once: int) -> AsyncIterator[list[Entry]]:
    """All entries of a numbered log in pieces of about so many; those with the same key are together in one piece, in order."""
    await tx.execute("SET LOCAL work_mem = '64MB'")
    await tx.execute("SET LOCAL statement_timeout = 0")
    await tx.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
    query = "SELECT seq, type, key, event_time, data FROM event_log WHERE topic = $1 AND part = $2 ORDER BY key, seq"
    cursor = await tx.driver.cursor(query, topic, part, timeout=PATIENCE)
    piece: list[Entry] = []
    while rows := await cursor.fetch(at_once, timeout=PATIENCE):
        found = [Entry(topic, part, row[0], row[1], row[2], row[3], from_json(row[4])) for row in rows]
        cut = _end_of_last_whole_key(found)
        if cut:
            yield piece + found[:cut]
            piece = found[cut:]
        else:
            piece += found
    if piece:
        yield piece


def _end_of_last_whole_key(entries: Sequence[Entry]) -> int:
    """Where the last key begins: more of it may come."""
    end = len(entries)
    while end and entries[end - 1].key == entries[-1].key:
        end -= 1
    return end


async def vector(tx: Transaction) -> dict[str, tuple[int, int]]:
    """Per log (topic/part): how many entries the event log holds, and the highest number among them."""
    await tx.execute("SET LOCAL statement_timeout = 0")
    query = "SELECT topic, part, count(*) AS entries, max(seq) AS last FROM event_log GROUP BY topic, part ORDER BY topic, part"
    rows = await tx.driver.fetch(query, timeout=PATIENCE)
    return {f"{row['topic']}/{row['part']}": (row["entries"], row["last"]) for row in rows}


async def as_of(tx: Transaction, frozen: Mapping[str, int] | None = None) -> AsOf:
    """How far this database has got, in the snapshot of the transaction; or how far figures know the world that stopped at ``frozen``."""
    rows = await tx.fetch(
        """
        SELECT c.topic, c.part, c.last_seq, e.event_time
          FROM (SELECT topic, part, CASE WHEN $1::jsonb IS NULL THEN last_seq ELSE ($1->>(topic || '/' || part))::bigint END AS last_seq
                  FROM consumer_part) c
          LEFT JOIN LATERAL (SELECT event_time FROM event_log l WHERE (l.topic, l.part) = (c.topic, c.part) AND l.seq <= c.last_seq
                              ORDER BY l.seq DESC LIMIT 1) e ON true
         WHERE c.last_seq > 0
         ORDER BY c.topic, c.part
        """,
        None if frozen is None else to_json(frozen),
    )
    times = [row["event_time"] for row in rows if row["event_time"] is not None]
    return AsOf({f"{row['topic']}/{row['part']}": row["last_seq"] for row in rows}, max(times, default=None))
