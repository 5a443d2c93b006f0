"""Rollups hold durations in a document of their own, and the total in thirds of a day besides.

Durations are hundreds of measures, everything else a dozen: whoever asks for a rate read them all. What was counted is carried over, so
nothing has to be rebuilt; a rebuild that the upgrade interrupted is begun anew.

Revision ID: 0004
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

DURATIONS: Final = "('first_response_time', 'online_response_time', 'resolution_time')"
_OF_COUNTS: Final = "SELECT coalesce(json_object_agg(key, value), '{}') FROM json_each(counts)"

STATEMENTS: Final[tuple[str, ...]] = (
    "UPDATE projection SET status = 'retired' WHERE status = 'building'",
    f"""
    UPDATE kpi_rollup
       SET counts = ({_OF_COUNTS} WHERE key NOT IN {DURATIONS}), durations = ({_OF_COUNTS} WHERE key IN {DURATIONS})
     WHERE counts::text LIKE '%_time"%'
    """,
    f"""
    INSERT INTO kpi_rollup (projection_version, dimension, span, bucket, value, counts, durations)
    SELECT projection_version, 'total', 32, bucket, '',
           coalesce(json_object_agg(kpi, measures) FILTER (WHERE kpi NOT IN {DURATIONS}), '{{}}'),
           coalesce(json_object_agg(kpi, measures) FILTER (WHERE kpi IN {DURATIONS}), '{{}}')
      FROM (SELECT projection_version, bucket, kpi, json_object_agg(measure, n) AS measures
              FROM (SELECT projection_version, bucket - (bucket % 32 + 32) % 32 AS bucket, f.key AS kpi, m.key AS measure,
                           sum(m.value::bigint)::bigint AS n
                      FROM kpi_rollup
                     CROSS JOIN LATERAL (VALUES (counts), (durations)) part(document)
                     CROSS JOIN LATERAL json_each(document) f CROSS JOIN LATERAL json_each_text(f.value) m
                     WHERE dimension = 'total' AND span = 4
                     GROUP BY 1, 2, 3, 4 HAVING sum(m.value::bigint) <> 0) sums
             GROUP BY 1, 2, 3) figures
     GROUP BY 1, 2, 3, 4
    """,
    """UPDATE projection SET definitions = definitions || '{"rows": 3}' WHERE definitions->>'rows' = '2'""",
)


def upgrade() -> None:
    """Add the column, then apply the statements in order."""
    op.execute("SET LOCAL statement_timeout = 0")
    op.add_column(
        "kpi_rollup",
        sa.Column(
            "durations",
            postgresql.JSON,
            nullable=False,
            server_default="{}",
            comment="the same of the figures that are durations: they are long",
        ),
    )
    op.alter_column("kpi_rollup", "durations", server_default=None)
    op.alter_column("kpi_rollup", "span", comment="quarter hours: 1 and 32 (of the total alone), 4, 96")
    op.create_table_comment("kpi_rollup", "key figures as integers, by quarter hour, hour, third of a day and day")
    for statement in STATEMENTS:
        op.execute(statement)
