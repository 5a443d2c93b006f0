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
        found += [Difference(kpi, row[0], row[1], start_of(row[2]), row[3], row[4], row[5]) for row in rows]
    for kpi, (expected, actual) in ROWS.items():
        rows = await tx.driver.fetch(_ROWS_COMPARED.format(expected=expected, actual=actual), version, timeout=PATIENCE)
        found += [Difference(kpi, "row", row[0], start_of(bucket_of(row[1])), "rows", row[2], row[3]) for row in rows]
    return found + await _undefined(tx, version)


async def _undefined(tx: Transaction, version: int) -> list[Difference]:
    """Counts of figures that nobody has defined."""
    rows = await tx.driver.fetch(
        """
        SELECT kpi, dimension, value, bucket, measure, n FROM kpi_rollup
         WHERE projection_version = $1 AND n <> 0 AND kpi <> ALL($2::text[])
        UNION ALL
        SELECT kpi, 'cell', concat_ws('/', channel, type, priority, team, agent, tier), bucket, measure, n FROM kpi_cell
         WHERE projection_version = $1 AND n <> 0 AND kpi <> ALL($2::text[])
         ORDER BY 1, 2, 3, 4, 5
        """,
        version,
        list(COUNTED),
        timeout=PATIENCE,
    )
    return [Difference(row[0], row[1], row[2], start_of(row[3]), row[4], 0, row[5]) for row in rows]


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
    expected AS (
      SELECT 'cell' AS dimension, concat_ws('/', channel, type, priority, team, agent, tier) AS value, bucket, measure, n FROM cell
      UNION ALL
      SELECT g.dimension, g.value, bucket, measure, sum(n)::bigint
        FROM cell
       CROSS JOIN LATERAL (VALUES ('total', ''), ('channel', channel), ('type', type), ('priority', priority), ('team', team),
                                  ('agent', agent), ('tier', tier)) g(dimension, value)
       GROUP BY 1, 2, 3, 4
    ),
    actual AS (
      SELECT 'cell' AS dimension, concat_ws('/', channel, type, priority, team, agent, tier) AS value, bucket, measure, n
        FROM kpi_cell WHERE projection_version = $1 AND kpi = $2 AND n <> 0
      UNION ALL
      SELECT dimension, value, bucket, measure, n FROM kpi_rollup WHERE projection_version = $1 AND kpi = $2 AND n <> 0
    )
    SELECT dimension, value, bucket, measure, coalesce(e.n, 0) AS expected, coalesce(a.n, 0) AS actual
      FROM expected e FULL JOIN actual a USING (dimension, value, bucket, measure)
     WHERE e.n IS DISTINCT FROM a.n
     ORDER BY bucket, dimension, value, measure
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
