"""What the event log says against what the tables hold."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.metrics.buckets import bucket_of, sql_bucket, start_of
from services.metrics.verification.counts import COUNTED
from services.metrics.verification.rows import ROWS
from shared.database import Transaction

PATIENCE: Final = 24 * 3600.0
"""Seconds that one key figure's comparison may take: it reads the whole log."""

PLANNING: Final = ("statement_timeout = 0", "enable_nestloop = off", "jit = off", "work_mem = '64MB'")
"""The planner cannot guess how many events a history has; a nested loop over histories would take a square of them."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One row that is not what the event log says."""

    kpi: str
    dimension: str
    """The dimension of a rollup; ``cell`` for all dimensions at once, ``row`` for what is no count."""
    span: int
    """Quarter hours that the row spans."""
    value: str
    bucket_start: datetime
    measure: str
    expected: int
    """By the event log."""
    actual: int
    """By the tables."""


async def differences(tx: Transaction, version: int) -> list[Difference]:
    """All rows of a projection that differ from the event log; none is the proof.

    ``tx`` must see one snapshot (REPEATABLE READ).
    """
    for setting in PLANNING:
        await tx.execute(f"SET LOCAL {setting}")
    found: list[Difference] = []
    for kpi, counted in COUNTED.items():
        rows = await tx.driver.fetch(_COMPARED.format(counted=counted), version, kpi, timeout=PATIENCE)
        found += [Difference(kpi, row[0], row[1], row[2], start_of(row[3]), row[4], row[5], row[6]) for row in rows]
    for kpi, (expected, actual) in ROWS.items():
        rows = await tx.driver.fetch(_ROWS_COMPARED.format(expected=expected, actual=actual), version, timeout=PATIENCE)
        found += [Difference(kpi, "row", 1, row[0], start_of(bucket_of(row[1])), "rows", row[2], row[3]) for row in rows]
    return found + await _undefined(tx, version)


async def _undefined(tx: Transaction, version: int) -> list[Difference]:
    """Counts of figures that nobody has defined."""
    rows = await tx.driver.fetch(
        f"""
        SELECT kpi, dimension, span, held.value, bucket, m.key, m.value::bigint
          FROM ({_ROLLUPS} UNION ALL {_CELLS}) held
         CROSS JOIN LATERAL jsonb_each(counts) f(kpi, measures) CROSS JOIN LATERAL jsonb_each_text(measures) m
         WHERE kpi <> ALL($2::text[]) ORDER BY kpi, dimension, span, held.value, bucket, m.key
        """,
        version,
        list(COUNTED),
        timeout=PATIENCE,
    )
    return [Difference(row[0], row[1], row[2], row[3], start_of(row[4]), row[5], 0, row[6]) for row in rows]


_ROLLUPS: Final = "SELECT dimension, span, value, bucket, counts FROM kpi_rollup WHERE projection_version = $1"
_CELLS: Final = """
    SELECT 'cell' AS dimension, 1::smallint AS span, concat_ws('/', channel, type, priority, team, agent, tier) AS value, bucket, counts
      FROM kpi_cell WHERE projection_version = $1
"""

_COMPARED: Final = (
    """
    WITH counted AS ({counted}),
    cell AS MATERIALIZED (
      SELECT coalesce(dims->>'channel', '') AS channel, coalesce(dims->>'type', '') AS type, coalesce(dims->>'priority', '') AS priority,
             coalesce(dims->>'team', '') AS team, coalesce(dims->>'agent', '') AS agent, coalesce(dims->>'tier', '') AS tier, """
    + sql_bucket("at")
    + """ AS bucket, measure, sum(n)::bigint AS n
        FROM counted WHERE dims->>'channel' <> 'internal'
       GROUP BY 1, 2, 3, 4, 5, 6, 7, 8 HAVING sum(n) <> 0
    ),
    grouped AS (
      SELECT g.dimension, g.value, bucket, measure, sum(n) AS n
        FROM cell
       CROSS JOIN LATERAL (VALUES ('total', ''), ('channel', channel), ('type', type), ('priority', priority), ('team', team),
                                  ('agent', agent), ('tier', tier)) g(dimension, value)
       GROUP BY 1, 2, 3, 4
    ),
    expected AS (
      SELECT 'cell' AS dimension, 1 AS span, concat_ws('/', channel, type, priority, team, agent, tier) AS value, bucket, measure, n
        FROM cell
      UNION ALL
      SELECT dimension, s.span, value, bucket - (bucket % s.span + s.span) % s.span, measure, sum(n)::bigint
        FROM grouped JOIN (VALUES (1), (4), (96)) s(span) ON s.span > 1 OR dimension = 'total'
       GROUP BY 1, 2, 3, 4, 5
    ),
    actual AS (
      SELECT dimension, span, held.value, bucket, m.key AS measure, m.value::bigint AS n
        FROM ("""
    + f"{_ROLLUPS} UNION ALL {_CELLS}"
    + """) held CROSS JOIN LATERAL jsonb_each_text(counts->$2) m
    )
    SELECT dimension, span, value, bucket, measure, coalesce(e.n, 0) AS expected, coalesce(a.n, 0) AS actual
      FROM (SELECT * FROM expected WHERE n <> 0) e FULL JOIN actual a USING (dimension, span, value, bucket, measure)
     WHERE e.n IS DISTINCT FROM a.n
     ORDER BY bucket, dimension, span, value, measure
    """
)
"""``counted`` = one row (at, dims, measure, n) for each time that something counts."""

_ROWS_COMPARED: Final = """
    WITH expected AS ({expected}), actual AS ({actual})
    SELECT value, at, sum(expected)::bigint, sum(actual)::bigint
      FROM (SELECT e::text AS value, at, 1 AS expected, 0 AS actual FROM expected e
            UNION ALL
            SELECT a::text, at, 0, 1 FROM actual a) both_sides
     GROUP BY 1, 2 HAVING sum(expected) <> sum(actual) ORDER BY at, value
"""
"""``expected`` and ``actual`` = rows with the same columns in the same order, one of them an instant ``at``."""
