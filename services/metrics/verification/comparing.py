"""What the event log says against what the tables hold."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.metrics.buckets import bucket_of, sql_bucket, start_of
from services.metrics.verification.counts import COUNTED
from services.metrics.verification.fingerprints import CELL, GROUPS, HELD, PRINTS_EXPECTED, PRINTS_HELD, SUSPECTS, first_of_span
from services.metrics.verification.histories import PATIENCE, look_up
from services.metrics.verification.rows import ROWS
from shared.database import Transaction

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

    ``tx`` must see one snapshot (REPEATABLE READ), and may hold temporary tables.
    """
    for setting in PLANNING:
        await tx.execute(f"SET LOCAL {setting}")
    await look_up(tx)
    await tx.execute(_CELLS_EXPECTED)
    for kpi, counted in COUNTED.items():
        await tx.driver.execute(_EXPECTED.format(counted=counted), kpi, timeout=PATIENCE)
    found = await _different_counts(tx, version)
    for kpi, (expected, actual) in ROWS.items():
        rows = await tx.driver.fetch(_ROWS_COMPARED.format(expected=expected, actual=actual), version, timeout=PATIENCE)
        found += [Difference(kpi, "row", 1, row[0], start_of(bucket_of(row[1])), "rows", row[2], row[3]) for row in rows]
    return found


async def _different_counts(tx: Transaction, version: int) -> list[Difference]:
    """Measures that differ, of the documents whose fingerprints do."""
    salt = secrets.randbits(63)
    for table, query, *parameters in (("proof_print_expected", PRINTS_EXPECTED, salt), ("proof_print_held", PRINTS_HELD, salt, version)):
        await tx.driver.execute(f"CREATE TEMPORARY TABLE {table} ON COMMIT DROP AS {query}", *parameters, timeout=PATIENCE)
        await tx.driver.execute(f"ANALYZE {table}", timeout=PATIENCE)
    await tx.driver.execute(f"CREATE TEMPORARY TABLE proof_suspect ON COMMIT DROP AS {SUSPECTS}", timeout=PATIENCE)
    if not await tx.fetchval("SELECT count(*) FROM proof_suspect"):
        return []
    await tx.driver.execute("ANALYZE proof_suspect", timeout=PATIENCE)
    rows = await tx.driver.fetch(_COMPARED, version, timeout=PATIENCE)
    return [Difference(row[0], row[1], row[2], row[3], start_of(row[4]), row[5], row[6], row[7]) for row in rows]


_CELLS_EXPECTED: Final = """
    CREATE TEMPORARY TABLE proof_cell (
      kpi text, channel text, type text, priority text, team text, agent text, tier text, bucket integer, measure text, n bigint
    ) ON COMMIT DROP
"""

_EXPECTED: Final = (
    """
    INSERT INTO proof_cell
    SELECT $1, coalesce(dims->>'channel', ''), coalesce(dims->>'type', ''), coalesce(dims->>'priority', ''), coalesce(dims->>'team', ''),
           coalesce(dims->>'agent', ''), coalesce(dims->>'tier', ''), """
    + sql_bucket("at")
    + """, measure, sum(n)::bigint
      FROM ({counted}) counted WHERE dims->>'channel' <> 'internal'
     GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9 HAVING sum(n) <> 0
    """
)
"""``counted`` = one row (at, dims, measure, n) for each time that something counts."""

_COMPARED: Final = f"""
    WITH expected AS (
      SELECT kpi, 'cell' AS dimension, 1 AS span, {CELL} AS value, bucket, measure, n FROM proof_cell
      UNION ALL
      SELECT kpi, g.dimension, s.span, g.value, {first_of_span("bucket", "s.span")}, measure, n
        FROM proof_cell CROSS JOIN LATERAL {GROUPS} JOIN (VALUES (1), (4), (32), (96)) s(span) ON s.span IN (4, 96) OR g.dimension = 'total'
    ),
    held AS (
      SELECT kpi, dimension, span, held.value, bucket, m.key AS measure, m.value::bigint AS n
        FROM ({HELD}) held JOIN proof_suspect USING (dimension, span, value, bucket)
       CROSS JOIN LATERAL json_each(document) f(kpi, measures) CROSS JOIN LATERAL json_each_text(measures) m
    )
    SELECT kpi, dimension, span, value, bucket, measure, sum(expected)::bigint AS expected, sum(actual)::bigint AS actual
      FROM (SELECT kpi, dimension, span, value, bucket, measure, n AS expected, 0 AS actual
              FROM expected JOIN proof_suspect USING (dimension, span, value, bucket)
            UNION ALL
            SELECT kpi, dimension, span, value, bucket, measure, 0, n FROM held) both_sides
     GROUP BY 1, 2, 3, 4, 5, 6 HAVING sum(expected) <> sum(actual)
     ORDER BY kpi, bucket, dimension, span, value, measure
"""

_ROWS_COMPARED: Final = """
    WITH expected AS ({expected}), actual AS ({actual})
    SELECT value, at, sum(expected)::bigint, sum(actual)::bigint
      FROM (SELECT e::text AS value, at, 1 AS expected, 0 AS actual FROM expected e
            UNION ALL
            SELECT a::text, at, 0, 1 FROM actual a) both_sides
     GROUP BY 1, 2 HAVING sum(expected) <> sum(actual) ORDER BY at, value
"""
"""``expected`` and ``actual`` = rows with the same columns in the same order, one of them an instant ``at``."""
