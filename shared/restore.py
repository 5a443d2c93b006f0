"""How a source goes on after its database was restored to an older state. A procedure, not an automatism:

    stop every role of the service; wait longer than the send time-out; restore; `aftercare outbox resume-after-restore`; start

The broker and the consumers know numbers that the database has forgotten. Each number above the restored cursor gets one owner again: rows
that the outside knows stay, rows that somebody wrote after the restore move above everything known, and fillers take the numbers between,
so that the log has no hole and can be sent again as often as need be. The epoch is raised. Consumers stand still meanwhile, by the ids.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from aiokafka import AIOKafkaConsumer, TopicPartition

from shared import errors, kafka, protocol, telemetry
from shared.database import Database, Transaction, from_json, to_json
from shared.events.envelope import FILLER_TYPE
from shared.events.topics import PARTITIONS, POSITIONS_TOPIC, produced_by, topic_named
from shared.kafka.records import LogRecord, decode
from shared.outbox import Log
from shared.positions import parse_report
from shared.protocol import Numbered, Placed, Report, ResumePlan

_log = telemetry.logger()

STILL_RUNNING: Final = timedelta(seconds=15)
"""A log whose cursor moved so lately has a relay: the procedure was not followed."""
CLOCKS_DIFFER: Final = timedelta(hours=1)
"""The database's clock and the producers' may differ by so much."""


class StillRunning(errors.Conflict):
    """The service was not stopped, or not for long enough."""

    code = "service_still_running"


@dataclass(frozen=True)
class LostEvent:
    """An event that consumers may have applied and this database has forgotten."""

    seq: int
    event_id: UUID
    type: str
    key: str


@dataclass(frozen=True)
class Resumed:
    """How one log goes on."""

    topic: str
    part: int
    epoch: int
    head: int
    moved: int
    """Rows with a new number."""
    fillers: int
    lost: tuple[LostEvent, ...]


@dataclass(frozen=True)
class _Restored:
    """A log as the restored database has it."""

    log: Log
    epoch: int
    head: int
    head_id: UUID | None
    cursor: int
    cursor_id: UUID | None
    since: datetime | None
    """When the row of the cursor was written: what the broker holds above it came later."""
    rows: tuple[Numbered, ...]


async def resume_after_restore(database: Database, settings: kafka.KafkaSettings, service: str, *, by: str, reason: str) -> list[Resumed]:
    """Resume all logs of a service, and record who did it. Repeatable: a log that agrees with the broker keeps its numbers.

    Raises:
        StillRunning: a relay was active a moment ago.
        What `kafka.CLIENT_ERRORS` lists: the broker is away; nothing was changed.
    """
    logs = [(topic.name, part) for topic in produced_by(service) for part in range(PARTITIONS)]
    async with database.transaction() as tx:
        restored = [await _read(tx, log) for log in logs]
    reader = kafka.new_reader(settings)
    try:
        await reader.start()
        reports = await _reports(reader, settings, frozenset(topic for topic, _ in logs))
        held = {each.log: await _held(reader, settings, each) for each in restored}
    finally:
        await kafka.close(reader)
    async with database.transaction() as tx:
        return [await _resume(tx, each, held[each.log], reports.get(each.log, {}), by=by, reason=reason) for each in restored]


# --- what the database has -----------------------------------------------------------------------------------------------------------


async def _read(tx: Transaction, log: Log) -> _Restored:
    row = await tx.fetchrow(
        """
        SELECT h.epoch, h.head, h.head_id, greatest(c.seq, c.floor) AS cursor, o.event_id AS cursor_id, o.created_at AS since,
               c.owned_at > clock_timestamp() - $3::interval AS is_running
          FROM outbox_head h JOIN outbox_cursor c USING (topic, part)
          LEFT JOIN outbox o ON (o.topic, o.part, o.seq) = (c.topic, c.part, greatest(c.seq, c.floor))
         WHERE (h.topic, h.part) = ($1, $2)
        """,
        *log,
        STILL_RUNNING,
    )
    assert row is not None
    if row["is_running"]:
        raise StillRunning(f"a relay carried {log[0]}/{log[1]} less than {STILL_RUNNING.seconds} s ago: stop the service first")
    rows = await tx.fetch(
        "SELECT seq, event_id, previous_id, headers FROM outbox WHERE (topic, part) = ($1, $2) AND seq > $3 ORDER BY seq",
        *log,
        row["cursor"],
    )
    return _Restored(
        log,
        row["epoch"],
        row["head"],
        row["head_id"],
        row["cursor"],
        row["head_id"] if row["cursor"] == row["head"] else row["cursor_id"] or rows[0]["previous_id"],
        row["since"],
        tuple(
            Numbered(int(from_json(found["headers"])["ce_epoch"]), found["seq"], found["event_id"], found["previous_id"]) for found in rows
        ),
    )


# --- what the outside knows ----------------------------------------------------------------------------------------------------------


async def _held(reader: AIOKafkaConsumer, settings: kafka.KafkaSettings, restored: _Restored) -> dict[int, LogRecord]:
    """The broker's records above the restored cursor, by number; of one number the first, which is the one that was applied."""
    partition = settings.partition(restored.log)
    topic = topic_named(restored.log[0])
    found: dict[int, LogRecord] = {}
    for record in await _read_from(reader, partition, restored.since):
        decoded = decode(topic, record)
        if decoded is not None and decoded.seq > restored.cursor:
            found.setdefault(decoded.seq, decoded)
    return found


async def _reports(reader: AIOKafkaConsumer, settings: kafka.KafkaSettings, topics: frozenset[str]) -> dict[Log, dict[str, Report]]:
    """Where each consumer says it stands now; what the restored database remembers of that is old."""
    found: dict[Log, dict[str, Report]] = {}
    for part in range(PARTITIONS):
        for record in await _read_from(reader, TopicPartition(settings.physical(POSITIONS_TOPIC), part), None):
            report = parse_report(record.value)
            if report is not None and report.topic in topics:
                consumers = found.setdefault((report.topic, report.part), {})
                told = Report(report.last_seq, report.last_id, report.expected, report.stamp)
                consumers[report.consumer] = protocol.newest(consumers.get(report.consumer), told)
    return found


async def _read_from(reader: AIOKafkaConsumer, partition: TopicPartition, since: datetime | None) -> list[Any]:
    """All records of a partition, or those that were sent since a moment."""
    reader.assign([partition])
    start = (await reader.beginning_offsets([partition]))[partition]
    end = (await reader.end_offsets([partition]))[partition]
    if since is not None:
        at = int((since - CLOCKS_DIFFER).timestamp() * 1000)
        found = (await reader.offsets_for_times({partition: at}))[partition]
        start = end if found is None else max(start, found.offset)
    records: list[Any] = []
    reader.seek(partition, start)
    while await reader.position(partition) < end:
        records.extend((await reader.getmany(partition, timeout_ms=500)).get(partition, []))
    return records


# --- how it goes on ------------------------------------------------------------------------------------------------------------------


async def _resume(
    tx: Transaction, restored: _Restored, held: Mapping[int, LogRecord], reports: Mapping[str, Report], *, by: str, reason: str
) -> Resumed:
    applied = {report.last_seq: report.last_id for report in reports.values() if report.last_seq > restored.cursor}
    broker = {seq: record.numbered for seq, record in held.items()}
    plan = protocol.plan_resume(restored.cursor, restored.rows, broker, applied, restored.head)
    lost = tuple(_lost(held[numbered.seq]) for numbered in plan.lost if held[numbered.seq].type != FILLER_TYPE)
    resumed = Resumed(
        *restored.log,
        restored.epoch + 1,
        plan.head,
        moved=len(_moved(restored, plan)),
        fillers=sum(placed.row is None for placed in plan.placed),
        lost=lost,
    )
    await _rewrite(tx, restored, plan, resumed.epoch)
    await tx.execute(
        """
        INSERT INTO outbox_resume (topic, part, epoch, resumed_by, reason, cursor, old_head, head, lost)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        """,
        *restored.log,
        resumed.epoch,
        by,
        reason,
        restored.cursor,
        restored.head,
        plan.head,
        to_json([{"seq": each.seq, "event_id": str(each.event_id), "type": each.type, "key": each.key} for each in lost]),
    )
    _log.warning("outbox_resumed", topic=resumed.topic, part=resumed.part, epoch=resumed.epoch, head=resumed.head, missing=len(lost))
    return resumed


def _lost(record: LogRecord) -> LostEvent:
    return LostEvent(record.seq, record.numbered.event_id, record.type, record.key)


def _moved(restored: _Restored, plan: ResumePlan) -> list[Placed]:
    before = {row.event_id: row.seq for row in restored.rows}
    return [placed for placed in plan.placed if placed.row is not None and placed.seq != before[placed.row]]


async def _rewrite(tx: Transaction, restored: _Restored, plan: ResumePlan, epoch: int) -> None:
    """Move rows, put in fillers, chain every row above the cursor to the one before it, and let the log go on."""
    ids = [placed.event_id or uuid4() for placed in plan.placed]
    await _move_rows(tx, restored.log, _moved(restored, plan), epoch)
    await _insert_fillers(
        tx, restored.log, [(placed.seq, id_) for placed, id_ in zip(plan.placed, ids, strict=True) if placed.row is None], epoch
    )
    await tx.execute(
        """
        UPDATE outbox o SET previous_id = u.previous_id FROM unnest($3::bigint[], $4::uuid[]) u(seq, previous_id)
         WHERE (o.topic, o.part, o.seq) = ($1, $2, u.seq) AND o.previous_id IS DISTINCT FROM u.previous_id
        """,
        *restored.log,
        [placed.seq for placed in plan.placed],
        [restored.cursor_id, *ids][: len(ids)],
    )
    await tx.execute(
        "UPDATE outbox_head SET epoch = $3, head = $4, head_id = $5, stopped = NULL WHERE (topic, part) = ($1, $2)",
        *restored.log,
        epoch,
        plan.head,
        ids[-1] if ids else restored.head_id,
    )
    await tx.execute(
        "UPDATE outbox_cursor SET owner = NULL, checked_at = NULL, stopped = NULL WHERE (topic, part) = ($1, $2)", *restored.log
    )


async def _move_rows(tx: Transaction, log: Log, moved: Sequence[Placed], epoch: int) -> None:
    """Numbers only grow, so the last row moves first."""
    for placed in reversed(moved):
        await tx.execute(
            """
            UPDATE outbox SET seq = $4, headers = jsonb_set(headers, '{ce_epoch}', to_jsonb($5::text))
             WHERE (topic, part, event_id) = ($1, $2, $3)
            """,
            *log,
            placed.row,
            placed.seq,
            str(epoch),
        )


async def _insert_fillers(tx: Transaction, log: Log, fillers: Sequence[tuple[int, UUID]], epoch: int) -> None:
    await tx.execute(
        """
        INSERT INTO outbox (topic, part, seq, key, type, event_id, headers, payload)
        SELECT $1, $2, seq, '', $5, event_id, jsonb_build_object('ce_epoch', $6::text), '{}'
          FROM unnest($3::bigint[], $4::uuid[]) u(seq, event_id)
        """,
        *log,
        [seq for seq, _ in fillers],
        [event_id for _, event_id in fillers],
        FILLER_TYPE,
        str(epoch),
    )
