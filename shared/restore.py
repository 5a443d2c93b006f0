"""How a source goes on after its database was restored to an older state, with nothing lost that was accepted since.

The procedure: stop every role of the service, wait longer than a send may take, restore, resume, start. Consumers of its topics stand still
meanwhile. Resume compares the outbox rows above the restored cursor with what the broker holds and consumers have applied, gives every
number one owner again (`shared.protocol.plan_resume`), raises the epoch and lets appends through. The cursor stays: the relay checks the
tail when it starts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID, uuid4

import asyncpg
from aiokafka import AIOKafkaConsumer

from shared import kafka, outbox
from shared.database import Database, Transaction, from_json, to_json
from shared.events.topics import PARTITIONS, produced_by, topic_named
from shared.kafka.records import LogRecord, decode
from shared.outbox import Log
from shared.protocol import Numbered, Placed, ResumePlan, plan_resume, read_after

READ_TIMEOUT: Final = 600.0
"""Seconds that reading one log of the broker may take."""

Applied = Mapping[Log, Mapping[int, UUID | None]]
"""Per log: last_seq -> last_id of each consumer."""


class ResumeRefused(Exception):
    """The log cannot be resumed safely; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Lost:
    """An event that the broker holds and the database has lost: its effect lives on elsewhere, the state that it told of does not."""

    seq: int
    type: str
    key: str
    event_id: UUID


@dataclass(frozen=True, slots=True)
class Resumed:
    """What became of one log."""

    topic: str
    part: int
    epoch: int
    head: int
    kept: int
    moved: int
    fillers: int
    lost: Sequence[Lost]


async def resume_after_restore(
    database: Database, service: str, settings: kafka.KafkaSettings, applied: Applied, *, by: str
) -> list[Resumed]:
    """Resume all logs of a service, each in a transaction of its own; repeatable. Logs that nothing happened to are left out of the answer.

    Args:
        applied: where the consumers stand, by their own databases.
        by: who does it; recorded in `outbox_resumed`.

    Raises:
        TimeoutError, KafkaError: the broker does not answer; that log was not changed.
        ResumeRefused: a row that is needed is missing.
    """
    logs = [(topic.name, part) for topic in produced_by(service) for part in range(PARTITIONS)]
    done = [await _resume(database, settings, log, applied.get(log, {}), by) for log in logs]
    return [resumed for resumed in done if resumed is not None]


async def _resume(
    database: Database, settings: kafka.KafkaSettings, log: Log, applied: Mapping[int, UUID | None], by: str
) -> Resumed | None:
    # the broker is read before anything is locked: it may take longer than a transaction may
    records = await _held_by_broker(settings, log)
    async with database.transaction() as tx:
        await tx.execute("SET LOCAL statement_timeout = 0")
        head = await _lock(tx, log)
        base = read_after(head["seq"], head["floor"])
        rows = await tx.fetch(_ROWS, *log, base)
        _without_hole(log, base, head["head"], rows)
        beyond = {seq: record for seq, record in records.items() if seq > base}
        numbered = [Numbered(head["epoch"], row["seq"], row["event_id"], row["previous_id"]) for row in rows]
        ahead = {seq: event_id for seq, event_id in applied.items() if seq > base}
        plan = plan_resume(base, numbered, {seq: record.numbered for seq, record in beyond.items()}, ahead, head["head"])
        if head["stopped"] is None and plan.head == head["head"] and not plan.lost and all(placed.row for placed in plan.placed):
            return None
        await _rewrite(tx, log, head, base, rows, plan)
        resumed = _told(log, head["epoch"] + 1, plan, numbered, beyond)
        await _record(tx, resumed, by)
        return resumed


async def _lock(tx: Transaction, log: Log) -> asyncpg.Record:
    cursor = await tx.fetchrow("SELECT seq, floor FROM outbox_cursor WHERE (topic, part) = ($1, $2) FOR UPDATE", *log)
    row = await tx.fetchrow(
        """
        SELECT h.epoch, h.head, h.head_id, coalesce(h.stopped, c.stopped) AS stopped, c.seq, c.floor
          FROM outbox_head h JOIN outbox_cursor c USING (topic, part) WHERE (h.topic, h.part) = ($1, $2) FOR UPDATE OF h
        """,
        *log,
    )
    if cursor is None or row is None:
        raise ResumeRefused(f"{log[0]}/{log[1]} has no head or no cursor; run the migrations")
    return row


def _without_hole(log: Log, base: int, head: int, rows: Sequence[asyncpg.Record]) -> None:
    if [row["seq"] for row in rows] != list(range(base + 1, head + 1)):
        raise ResumeRefused(f"{log[0]}/{log[1]} lacks rows between {base + 1} and {head}; restore a complete backup")


async def _rewrite(tx: Transaction, log: Log, head: asyncpg.Record, base: int, rows: Sequence[asyncpg.Record], plan: ResumePlan) -> None:
    """Give the rows their planned numbers, each naming the one before it, in a new epoch where the number is new."""
    epoch = head["epoch"] + 1
    previous: UUID | None = rows[0]["previous_id"] if rows else head["head_id"]
    by_id = {row["event_id"]: row for row in rows}
    await tx.execute("DELETE FROM outbox WHERE topic = $1 AND part = $2 AND seq > $3", *log, base)
    written: list[tuple[object, ...]] = []
    for placed in plan.placed:
        event_id = placed.event_id or uuid4()
        written.append(_row(log, placed, event_id, previous, by_id, epoch))
        previous = event_id
    await tx.driver.executemany(
        "INSERT INTO outbox (topic, part, seq, key, type, event_id, previous_id, headers, payload) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9)",
        written,
    )
    await tx.execute(
        "UPDATE outbox_head SET head = $3, head_id = $4, epoch = $5, stopped = NULL WHERE (topic, part) = ($1, $2)",
        *log,
        plan.head,
        previous,
        epoch,
    )
    await tx.execute("UPDATE outbox_cursor SET stopped = NULL, owner = NULL WHERE (topic, part) = ($1, $2)", *log)


def _row(
    log: Log, placed: Placed, event_id: UUID, previous: UUID | None, by_id: Mapping[UUID, asyncpg.Record], epoch: int
) -> tuple[object, ...]:
    if placed.row is None:
        filler = outbox.filler(log, event_id)
        return (*log, placed.seq, filler.key, filler.type, event_id, previous, to_json({"ce_epoch": str(epoch)}), filler.payload)
    row = by_id[placed.row]
    headers = from_json(row["headers"])
    if row["seq"] != placed.seq:
        headers["ce_epoch"] = str(epoch)
    return (*log, placed.seq, row["key"], row["type"], event_id, previous, to_json(headers), row["payload"])


def _told(log: Log, epoch: int, plan: ResumePlan, rows: Sequence[Numbered], beyond: Mapping[int, LogRecord]) -> Resumed:
    before = {row.event_id: row.seq for row in rows}
    moved = sum(1 for placed in plan.placed if placed.row and before[placed.row] != placed.seq)
    fillers = sum(1 for placed in plan.placed if placed.row is None)
    lost = [Lost(number.seq, beyond[number.seq].type, beyond[number.seq].key, number.event_id) for number in plan.lost]
    return Resumed(*log, epoch, plan.head, len(plan.placed) - moved - fillers, moved, fillers, lost)


async def _record(tx: Transaction, resumed: Resumed, by: str) -> None:
    """Who did it, and what was lost, stays in the database."""
    await tx.execute(
        "INSERT INTO outbox_resumed (topic, part, epoch, head, moved, fillers, lost, resumed_by) VALUES ($1,$2,$3,$4,$5,$6,$7,$8)",
        resumed.topic,
        resumed.part,
        resumed.epoch,
        resumed.head,
        resumed.moved,
        resumed.fillers,
        to_json([{"seq": lost.seq, "type": lost.type, "key": lost.key, "event_id": str(lost.event_id)} for lost in resumed.lost]),
        by,
    )


async def _held_by_broker(settings: kafka.KafkaSettings, log: Log) -> dict[int, LogRecord]:
    """Our records in the broker by number; where a number came twice, the first, which is the one that consumers took."""
    reader = kafka.new_reader(settings)
    try:
        async with asyncio.timeout(READ_TIMEOUT):
            await reader.start()
            return await _read(reader, settings, log)
    finally:
        await kafka.close(reader)


async def _read(reader: AIOKafkaConsumer, settings: kafka.KafkaSettings, log: Log) -> dict[int, LogRecord]:
    partition, topic = settings.partition(log), topic_named(log[0])
    reader.assign([partition])
    end = (await reader.end_offsets([partition]))[partition]
    begin = (await reader.beginning_offsets([partition]))[partition]
    held: dict[int, LogRecord] = {}
    if end == begin:
        return held
    reader.seek(partition, begin)
    while await reader.position(partition) < end:
        for raw in (await reader.getmany(partition, timeout_ms=500)).get(partition, []):
            record = decode(topic, raw)
            if record is not None and record.seq not in held:
                held[record.seq] = replace(record, value=b"")
    return held


_ROWS: Final = """
SELECT seq, key, type, event_id, previous_id, headers, payload FROM outbox
 WHERE topic = $1 AND part = $2 AND seq > $3 ORDER BY seq
"""
