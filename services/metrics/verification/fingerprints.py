"""Fingerprints of documents of counts, as SQL: most documents are as they should be, and a number for each of them shows it.

The fingerprint of a document is the sum of each measure times a weight, which is a 64-bit hash of the figure and the measure with a salt
drawn for this proof. Sums of documents have the sum of their fingerprints, so those of hours and days are made from those of quarter hours
without their measures. Two different documents have the same fingerprint with a probability of about 2^-64 (Freivalds' way to check a
product: R. Freivalds, "Probabilistic machines can use less running time", 1977); where they differ, the measures are compared.
"""

from __future__ import annotations

from typing import Final

CELL: Final = "concat_ws('/', channel, type, priority, team, agent, tier)"
"""The value of a row of all dimensions at once."""
GROUPS: Final = """(VALUES ('total', ''), ('channel', channel), ('type', type), ('priority', priority), ('team', team), ('agent', agent),
                                  ('tier', tier)) g(dimension, value)"""
"""The rollups to which a cell belongs."""

HELD: Final = f"""
    SELECT dimension, span, value, bucket, document
      FROM kpi_rollup CROSS JOIN LATERAL (VALUES (counts), (durations)) part(document) WHERE projection_version = $1
    UNION ALL
    SELECT 'cell', 1::smallint, {CELL}, bucket, counts FROM kpi_cell WHERE projection_version = $1
"""
"""All documents of a projection."""


def first_of_span(bucket: str, span: str) -> str:
    """The bucket at which the span begins in which a bucket lies, as an SQL expression."""
    return f"{bucket} - ({bucket} % {span} + {span}) % {span}"


def _weight(kpi: str, measure: str) -> str:
    """Of a measure of a figure; $1 is the salt."""
    return f"hashtextextended({measure}, hashtextextended({kpi}, $1))::numeric"


def _of(document: str) -> str:
    """The fingerprint of a document."""
    return f"""(
      SELECT coalesce(sum(m.value::numeric * {_weight("f.key", "m.key")}), 0)
        FROM json_each({document}) f CROSS JOIN LATERAL json_each_text(f.value) m
    )"""


PRINTS_HELD: Final = f"""
    SELECT dimension, span::integer AS span, value, bucket, {_of("counts")} + {_of("durations")} AS print
      FROM kpi_rollup WHERE projection_version = $2
    UNION ALL
    SELECT 'cell', 1, {CELL}, bucket, {_of("counts")} FROM kpi_cell WHERE projection_version = $2
"""
"""Of all rows that a projection has."""

PRINTS_EXPECTED: Final = f"""
    WITH cell AS MATERIALIZED (
      SELECT channel, type, priority, team, agent, tier, bucket, sum(n * {_weight("kpi", "measure")}) AS print
        FROM proof_cell GROUP BY 1, 2, 3, 4, 5, 6, 7
    ),
    hour AS MATERIALIZED (
      SELECT g.dimension, g.value, {first_of_span("bucket", "4")} AS bucket, sum(print) AS print
        FROM cell CROSS JOIN LATERAL {GROUPS} GROUP BY 1, 2, 3
    )
    SELECT 'cell' AS dimension, 1 AS span, {CELL} AS value, bucket, print FROM cell
    UNION ALL
    SELECT 'total', 1, '', bucket, sum(print) FROM cell GROUP BY bucket
    UNION ALL
    SELECT dimension, 4, value, bucket, print FROM hour
    UNION ALL
    SELECT dimension, span, value, {first_of_span("bucket", "span")}, sum(print)
      FROM hour JOIN (VALUES (32), (96)) s(span) ON span = 96 OR dimension = 'total' GROUP BY 1, 2, 3, 4
"""
"""Of all rows that there should be, from the table of expected cells."""

SUSPECTS: Final = """
    SELECT dimension, span, value, bucket
      FROM (SELECT dimension, span, value, bucket, print FROM proof_print_expected
            UNION ALL
            SELECT dimension, span, value, bucket, -print FROM proof_print_held) both_sides
     GROUP BY 1, 2, 3, 4 HAVING sum(print) <> 0
"""
"""Rows whose fingerprint is not the expected one."""
