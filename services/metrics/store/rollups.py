"""Rollups: added to by writers, summed for answers; and the targets that figures are held against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from services.metrics.projection import RowKey
from shared.database import Transaction


async def add(tx: Transaction, version: int, deltas: Mapping[RowKey, int]) -> None:
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
    """What was aimed at just before a moment, by key figure."""
    rows = await tx.fetch(
        "SELECT DISTINCT ON (kpi) kpi, value FROM kpi_target WHERE valid_from < $1 ORDER BY kpi, valid_from DESC, version DESC", at
    )
    return {row["kpi"]: float(row["value"]) for row in rows}
