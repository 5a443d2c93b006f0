"""Counts: added to by writers, summed for answers. Rollups by one dimension at most, cells by all of them at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from services.metrics.projection import DIMENSIONS, TOTAL, RowKey, Unit
from shared.database import Transaction

_CELL: Final = ", ".join(DIMENSIONS)


async def add(tx: Transaction, version: int, deltas: Mapping[RowKey, int]) -> None:
    """Add to each rollup row; the keys must be sorted, so that two writers meet in the same order."""
    if deltas:
        await tx.execute(
            """
            INSERT INTO kpi_rollup AS r (projection_version, kpi, dimension, value, bucket, measure, n)
            SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::integer[], $6::text[], $7::bigint[])
            ON CONFLICT (projection_version, kpi, dimension, bucket, value, measure) DO UPDATE SET n = r.n + excluded.n
            """,
            version,
            *(list(values) for values in zip(*deltas, strict=True)),
            list(deltas.values()),
        )


async def add_cells(tx: Transaction, version: int, deltas: Mapping[Unit, int]) -> None:
    """Add to each cell; sorted as well."""
    if deltas:
        await tx.execute(
            f"""
            INSERT INTO kpi_cell AS c (projection_version, kpi, measure, bucket, {_CELL}, n)
            SELECT $1, * FROM unnest($2::text[], $3::text[], $4::integer[],
                                     $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::bigint[])
            ON CONFLICT (projection_version, kpi, bucket, measure, {_CELL}) DO UPDATE SET n = c.n + excluded.n
            """,
            version,
            [unit.kpi for unit in deltas],
            [unit.measure for unit in deltas],
            [unit.bucket for unit in deltas],
            *(list(values) for values in zip(*(unit.dimensions for unit in deltas), strict=True)),
            list(deltas.values()),
        )


class Sum(NamedTuple):
    """One measure of one figure, summed over a slot of time for one group."""

    kpi: str
    slot: int
    group: tuple[str, ...]
    """A value for each dimension asked for."""
    measure: str
    n: int


@dataclass(frozen=True, slots=True)
class Cut:
    """How an answer is cut: by which dimensions, and what is left in."""

    by: tuple[str, ...] = ()
    only: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def is_of_one_dimension(self) -> bool:
        """Whether the rollups hold it."""
        return not self.only and len(self.by) <= 1


WHOLE: Final = Cut()


async def sums(tx: Transaction, version: int, kpis: Sequence[str], cut: Cut, buckets: range, slots: Sequence[int]) -> list[Sum]:
    """Counts within the buckets, summed by slot; ``slots`` are the buckets at which slots begin, ascending, the first = 0th slot."""
    if cut.is_of_one_dimension:
        source, group, condition = "kpi_rollup", "ARRAY[value]" if cut.by else "ARRAY[]::text[]", "dimension = $6"
        asked: list[object] = [cut.by[0] if cut.by else TOTAL]
    else:
        source, group = "kpi_cell", group_of(cut)
        condition, asked = condition_of(cut, first_parameter=6)
    rows = await tx.fetch(
        f"""
        SELECT kpi, width_bucket(bucket, $5::integer[]) - 1 AS slot, {group} AS values, measure, sum(n)::bigint AS n
          FROM {source}
         WHERE projection_version = $1 AND kpi = ANY($2::text[]) AND bucket >= $3 AND bucket < $4 AND {condition}
         GROUP BY 1, 2, 3, 4 HAVING sum(n) <> 0 ORDER BY 1, 2, 3, 4
        """,
        version,
        list(kpis),
        buckets.start,
        buckets.stop,
        list(slots),
        *asked,
    )
    return [Sum(row["kpi"], row["slot"], tuple(row["values"]), row["measure"], row["n"]) for row in rows]


def group_of(cut: Cut) -> str:
    """The group as an SQL expression over columns named like the dimensions."""
    return f"ARRAY[{', '.join(cut.by)}]::text[]"


def condition_of(cut: Cut, *, first_parameter: int) -> tuple[str, list[object]]:
    """What is left in, as an SQL condition and its parameters."""
    conditions = [f"{dimension} = ANY(${number}::text[])" for number, dimension in enumerate(cut.only, start=first_parameter)]
    return " AND ".join(conditions) or "true", [list(values) for values in cut.only.values()]
