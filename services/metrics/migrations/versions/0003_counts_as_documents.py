"""Counts as documents: one row holds all figures of a quarter hour, an hour or a day; facts as text that only the service reads.

A row per measure cost a dozen index entries for each event. Now a batch writes few rows, and a range is read from its days, with hours and
quarter hours at its edges. What was counted is kept in the new form and goes on being shown, as of this moment; facts are not carried over:
the service sees that its rows are of another form and rebuilds by itself. Where nothing was logged yet there is nothing to rebuild.

Revision ID: 0003
"""

from __future__ import annotations

import json
from typing import Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

DEFINITIONS: Final = {
    "requests": 1,
    "tickets_opened": 2,
    "tickets_resolved": 2,
    "backlog": 1,
    "backlog_age": 1,
    "first_response_time": 1,
    "online_response_time": 1,
    "resolution_time": 1,
    "sla_first_response": 1,
    "sla_next_response": 1,
    "sla_resolution": 1,
    "resolution_rate": 2,
    "reopen_rate": 2,
    "repeat_complaint_rate": 1,
    "csat_mean": 2,
    "csat_top2": 1,
    "nps": 2,
    "survey_response_rate": 1,
    "rows": 2,
}

DIMENSIONS: Final = ("channel", "type", "priority", "team", "agent", "tier")
_CELL: Final = ", ".join(DIMENSIONS)
COUNTS: Final = (
    "by figure and measure: count; numerator, denominator; score_<n>; <clock>_ms, <clock>_<class>. What went back to 0 is left out, and a "
    "row without counts means nothing"
)

STATEMENTS: Final[tuple[str, ...]] = (
    f"""
    UPDATE projection SET definitions = '{json.dumps(DEFINITIONS)}'::jsonb
     WHERE status = 'active' AND NOT EXISTS (SELECT FROM event_log)
    """,
    """
    UPDATE projection
       SET as_of = coalesce((SELECT jsonb_object_agg(topic || '/' || part, last_seq) FROM consumer_part WHERE last_seq > 0), '{}')
     WHERE status = 'active' AND as_of IS NULL AND EXISTS (SELECT FROM event_log)
    """,
    # a rebuild that was interrupted by the upgrade: its rows are of the old form, and it is begun anew
    "UPDATE projection SET status = 'retired' WHERE status = 'building'",
    f"""
    INSERT INTO kpi_cell (projection_version, bucket, {_CELL}, counts)
    SELECT projection_version, bucket, {_CELL}, json_object_agg(kpi, measures)
      FROM (SELECT projection_version, bucket, {_CELL}, kpi, json_object_agg(measure, n) AS measures
              FROM kpi_cell_before WHERE n <> 0 GROUP BY projection_version, bucket, {_CELL}, kpi) figures
     GROUP BY projection_version, bucket, {_CELL}
    """,
    """
    INSERT INTO kpi_rollup (projection_version, dimension, span, bucket, value, counts)
    SELECT projection_version, dimension, span, bucket, value, json_object_agg(kpi, measures)
      FROM (SELECT projection_version, dimension, span, bucket, value, kpi, json_object_agg(measure, n) AS measures
              FROM (SELECT projection_version, dimension, s.span, bucket - (bucket % s.span + s.span) % s.span AS bucket, value, kpi,
                           measure, sum(n)::bigint AS n
                      FROM kpi_rollup_before JOIN (VALUES (1), (4), (96)) s(span) ON s.span > 1 OR dimension = 'total'
                     GROUP BY 1, 2, 3, 4, 5, 6, 7 HAVING sum(n) <> 0) sums
             GROUP BY 1, 2, 3, 4, 5, 6) figures
     GROUP BY 1, 2, 3, 4, 5
    """,
    "DROP TABLE kpi_cell_before",
    "DROP TABLE kpi_rollup_before",
    "TRUNCATE fact",
    "ALTER TABLE fact ALTER COLUMN facts TYPE text USING facts::text",
)


def upgrade() -> None:
    """Make the tables of the new form, carry the counts over, forget the facts."""
    op.execute("SET LOCAL statement_timeout = 0")
    for table in ("kpi_cell", "kpi_rollup"):
        op.rename_table(table, f"{table}_before")
        op.execute(f"ALTER INDEX {table}_pkey RENAME TO {table}_before_pkey")
    _create_rollups()
    _create_cells()
    for statement in STATEMENTS:
        op.execute(statement)
    _explain()


def _create_rollups() -> None:
    op.create_table(
        "kpi_rollup",
        sa.Column("projection_version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("dimension", sa.Text, primary_key=True, comment="total, or one of channel, type, priority, team, agent, tier"),
        sa.Column("span", sa.SmallInteger, primary_key=True, autoincrement=False, comment="quarter hours: 1 (of the total alone), 4, 96"),
        sa.Column("bucket", sa.Integer, primary_key=True, autoincrement=False, comment="the first of them; quarter hours since 1970 UTC"),
        sa.Column("value", sa.Text, primary_key=True, comment="of the dimension; empty = none"),
        sa.Column("counts", postgresql.JSON, nullable=False, comment=COUNTS),
        comment="key figures as integers, by quarter hour, hour and day",
        postgresql_with={"fillfactor": "50"},
    )


def _create_cells() -> None:
    op.create_table(
        "kpi_cell",
        sa.Column("projection_version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("bucket", sa.Integer, primary_key=True, autoincrement=False, comment="quarter hours since 1970 UTC"),
        *(sa.Column(name, sa.Text, primary_key=True, comment="empty = none") for name in DIMENSIONS),
        sa.Column("counts", postgresql.JSON, nullable=False, comment=COUNTS),
        comment="key figures as integers in quarter hours, by all dimensions at once: for filters and two dimensions",
        postgresql_with={"fillfactor": "85"},
    )


def _explain() -> None:
    op.alter_column("event_log", "data", comment="the fields that services/metrics/reduction allows")
    op.alter_column("fact", "facts", comment="a document of services/metrics/facts/coding.py; nobody asks it questions in SQL")
    op.alter_column(
        "projection", "definitions", comment="version of each key figure's definition, and of the rows' form, that they were built by"
    )
