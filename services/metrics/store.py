"""Metrics' SQL: the event log, facts and rollups, written set-based in sorted order, and the sums that answers are made of.

Locks, in this order: the table `projection` (shared by writers, exclusive for who changes generations), facts by subject, rollups by key.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from pydantic import TypeAdapter
from sqlalchemy import text

from services.metrics.facts import ANSWER, REQUEST, TICKET, AnswerFacts, Facts, RequestFacts, Subject, TicketFacts
from services.metrics.projection import RowKey
from services.metrics.reduction import Entry
from shared.database import Database, Transaction, from_json, to_json

_FACTS: Final[Mapping[str, TypeAdapter[Facts]]] = {
    REQUEST: TypeAdapter(RequestFacts),
    TICKET: TypeAdapter(TicketFacts),
    ANSWER: TypeAdapter(AnswerFacts),
}


class Position(NamedTuple):
    """A place in a numbered log; sorted, the order of the event log's primary key."""

    topic: str
    part: int
    seq: int


START: Final = Position("", -1, -1)


@dataclass(frozen=True, slots=True)
class Projection:
    """One generation of facts and rollups, and by which definitions its rows were built."""

    version: int
    status: str
    definitions: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class AsOf:
    """How far the figures know the world: the last number applied per log, and the latest event time among those."""

    positions: Mapping[str, int]
    event_time: datetime | None


@asynccontextmanager
async def snapshot(database: Database) -> AsyncIterator[Transaction]:
    """A read-only transaction in which every statement sees the database as it was at the first one."""
    async with database.engine.connect() as connection:
        await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        async with connection.begin():
            await connection.execute(text("SELECT 1"))
            raw = await connection.get_raw_connection()
            assert raw.driver_connection is not None
            yield Transaction(connection, raw.driver_connection)


# ------------------------------------------------------------------ event log


async def append_entries(tx: Transaction, entries: Sequence[Entry]) -> list[Entry]:
    """Write entries into the event log; those that were not there yet, in the order given."""
    new = await tx.fetch(
        """
        INSERT INTO event_log (topic, part, seq, type, key, event_time, data)
        SELECT * FROM unnest($1::text[], $2::smallint[], $3::bigint[], $4::text[], $5::text[], $6::timestamptz[], $7::jsonb[])
        ON CONFLICT DO NOTHING
        RETURNING topic, part, seq
        """,
        [entry.topic for entry in entries],
        [entry.part for entry in entries],
        [entry.seq for entry in entries],
        [entry.type for entry in entries],
        [entry.key for entry in entries],
        [entry.time for entry in entries],
        [to_json(entry.data) for entry in entries],
    )
    if len(new) == len(entries):
        return list(entries)
    written = {(row["topic"], row["part"], row["seq"]) for row in new}
    return [entry for entry in entries if (entry.topic, entry.part, entry.seq) in written]


async def entries_after(tx: Transaction, position: Position, limit: int) -> list[Entry]:
    """The next entries of the event log in the order of its primary key."""
    rows = await tx.fetch(
        """
        SELECT topic, part, seq, type, key, event_time, data FROM event_log
         WHERE (topic, part, seq) > ($1, $2, $3) ORDER BY topic, part, seq LIMIT $4
        """,
        *position,
        limit,
    )
    return [
        Entry(row["topic"], row["part"], row["seq"], row["type"], row["key"], row["event_time"], from_json(row["data"])) for row in rows
    ]


async def log_vector(tx: Transaction) -> dict[str, tuple[int, int]]:
    """Per log (topic/part): how many entries the event log holds, and the highest number among them."""
    rows = await tx.fetch(
        "SELECT topic, part, count(*) AS entries, max(seq) AS last FROM event_log GROUP BY topic, part ORDER BY topic, part"
    )
    return {f"{row['topic']}/{row['part']}": (row["entries"], row["last"]) for row in rows}


async def as_of(tx: Transaction) -> AsOf:
    """How far this database has got, in the snapshot of the transaction."""
    rows = await tx.fetch(
        """
        SELECT c.topic, c.part, c.last_seq, e.event_time
          FROM consumer_part c
          LEFT JOIN LATERAL (SELECT event_time FROM event_log l WHERE (l.topic, l.part) = (c.topic, c.part) AND l.seq <= c.last_seq
                              ORDER BY l.seq DESC LIMIT 1) e ON true
         WHERE c.last_seq > 0
         ORDER BY c.topic, c.part
        """
    )
    times = [row["event_time"] for row in rows if row["event_time"] is not None]
    return AsOf({f"{row['topic']}/{row['part']}": row["last_seq"] for row in rows}, max(times, default=None))


# ------------------------------------------------------------------ projections


async def share_projections(tx: Transaction) -> list[Projection]:
    """The generations to write to, sorted; none begins, is activated or retired before this transaction ends."""
    await tx.execute("LOCK TABLE projection IN ROW SHARE MODE")
    return await projections(tx)


async def projections(tx: Transaction) -> list[Projection]:
    """The active generation and, during a rebuild, the one being built; sorted by version."""
    rows = await tx.fetch("SELECT version, status, definitions FROM projection WHERE status IN ('active', 'building') ORDER BY version")
    return [Projection(row["version"], row["status"], from_json(row["definitions"])) for row in rows]


async def active_projection(tx: Transaction) -> Projection:
    """The generation that answers are read from."""
    return next(found for found in await projections(tx) if found.status == "active")


async def own_projection(tx: Transaction, version: int) -> None:
    """Nobody else changes this generation's facts and rollups until the transaction ends."""
    await tx.execute("SELECT FROM projection WHERE version = $1 FOR UPDATE", version)


# ------------------------------------------------------------------ facts


async def load_facts(tx: Transaction, version: int, subjects: Iterable[Subject]) -> dict[Subject, Facts]:
    """What is known about the subjects, locked."""
    wanted = sorted(subjects)
    rows = await tx.fetch(
        """
        SELECT kind, id, facts FROM fact
         WHERE projection_version = $1 AND (kind, id) IN (SELECT * FROM unnest($2::text[], $3::text[]))
         ORDER BY kind, id FOR UPDATE
        """,
        version,
        [subject.kind for subject in wanted],
        [subject.id for subject in wanted],
    )
    return {Subject(row["kind"], row["id"]): _FACTS[row["kind"]].validate_json(row["facts"]) for row in rows}


async def save_facts(tx: Transaction, version: int, known: Mapping[Subject, Facts], changed: Mapping[Subject, Facts]) -> None:
    """Write what changed. A subject that was not known must be new: where somebody else has just written it, this fails."""
    await _write_facts(
        tx,
        "INSERT INTO fact (projection_version, kind, id, facts) SELECT $1, * FROM unnest($2::text[], $3::text[], $4::jsonb[])",
        version,
        {subject: changed[subject] for subject in sorted(changed.keys() - known.keys())},
    )
    await _write_facts(
        tx,
        """
        UPDATE fact f SET facts = u.facts FROM unnest($2::text[], $3::text[], $4::jsonb[]) u(kind, id, facts)
         WHERE (f.projection_version, f.kind, f.id) = ($1, u.kind, u.id)
        """,
        version,
        {subject: facts for subject, facts in changed.items() if subject in known},
    )


async def _write_facts(tx: Transaction, query: str, version: int, facts: Mapping[Subject, Facts]) -> None:
    if facts:
        documents = [_FACTS[subject.kind].dump_json(value, exclude_defaults=True).decode() for subject, value in facts.items()]
        await tx.execute(query, version, [subject.kind for subject in facts], [subject.id for subject in facts], documents)


# ------------------------------------------------------------------ rollups


async def add_to_rollups(tx: Transaction, version: int, deltas: Mapping[RowKey, int]) -> None:
    """Add to each row; the keys must be sorted, so that two writers meet in the same order."""
    if deltas:
        await tx.execute(
            """
            INSERT INTO kpi_rollup AS r (projection_version, kpi, dimension, value, bucket, measure, n)
            SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::integer[], $6::text[], $7::bigint[])
            ON CONFLICT (projection_version, kpi, dimension, bucket, value, measure) DO UPDATE SET n = r.n + excluded.n
            """,
            version,
            [key.kpi for key in deltas],
            [key.dimension for key in deltas],
            [key.value for key in deltas],
            [key.bucket for key in deltas],
            [key.measure for key in deltas],
            list(deltas.values()),
        )


class Sum(NamedTuple):
    """One measure of one figure, summed over a slot of time for one value of the dimension."""

    kpi: str
    slot: int
    value: str
    measure: str
    n: int


async def sums(tx: Transaction, version: int, kpis: Sequence[str], dimension: str, buckets: range, slots: Sequence[int]) -> list[Sum]:
    """Rollup rows within the buckets, summed by slot; ``slots`` are the buckets at which slots begin, ascending, the first = 0th slot."""
    rows = await tx.fetch(
        """
        SELECT kpi, width_bucket(bucket, $6::integer[]) - 1 AS slot, value, measure, sum(n)::bigint AS n
          FROM kpi_rollup
         WHERE projection_version = $1 AND kpi = ANY($2::text[]) AND dimension = $3 AND bucket >= $4 AND bucket < $5
         GROUP BY 1, 2, 3, 4 HAVING sum(n) <> 0 ORDER BY 1, 2, 3, 4
        """,
        version,
        list(kpis),
        dimension,
        buckets.start,
        buckets.stop,
        list(slots),
    )
    return [Sum(*row) for row in rows]


async def targets(tx: Transaction, at: datetime) -> dict[str, float]:
    """What was aimed at, at a moment, by key figure."""
    rows = await tx.fetch(
        "SELECT DISTINCT ON (kpi) kpi, value FROM kpi_target WHERE valid_from <= $1 ORDER BY kpi, valid_from DESC, version DESC", at
    )
    return {row["kpi"]: float(row["value"]) for row in rows}
