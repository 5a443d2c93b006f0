"""All key figures: cells of all dimensions, spans of open tickets, complaints, aliases of customers, targets with their history.

Facts and rollups that an earlier release built count by other definitions. They stay what they are and go on being shown, with the
positions of this moment as their `as_of`; the service sees that its definitions are newer, logs what arrives, and rebuilds by itself
(`rebuild.keep_current`), which `aftercare kpi rebuild` does as well. Where nothing was logged yet there is nothing to rebuild.

Revision ID: 0002
"""

from __future__ import annotations

import json
from typing import Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
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
}

DIMENSIONS: Final = ("channel", "type", "priority", "team", "agent", "tier")

STATEMENTS: Final[tuple[str, ...]] = (
    # nothing was logged yet: the empty generation is as good as a new one
    f"""
    UPDATE projection SET definitions = '{json.dumps(DEFINITIONS)}'::jsonb
     WHERE status = 'active' AND NOT EXISTS (SELECT FROM event_log)
    """,
    """
    UPDATE projection
       SET as_of = coalesce((SELECT jsonb_object_agg(topic || '/' || part, last_seq) FROM consumer_part WHERE last_seq > 0), '{}')
     WHERE status = 'active' AND EXISTS (SELECT FROM event_log)
    """,
    """
    INSERT INTO kpi_target (kpi, version, value, valid_from)
    SELECT kpi, 1, value, '2000-01-01T00:00:00Z'
      FROM (VALUES ('online_response_time', 30), ('sla_next_response', 0.95), ('sla_resolution', 0.95), ('repeat_complaint_rate', 0.05),
                   ('csat_top2', 0.80), ('survey_response_rate', 0.20)) first (kpi, value)
    """,
)


def upgrade() -> None:
    """Add the tables and columns, then apply the statements in order."""
    _create_cells()
    _create_spans()
    _create_complaints()
    _extend()
    for statement in STATEMENTS:
        op.execute(statement)


def _dimensions(*, primary_key: bool = False) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, primary_key=primary_key, nullable=False, comment="empty = none") for name in DIMENSIONS]


def _create_cells() -> None:
    op.create_table(
        "kpi_cell",
        sa.Column("projection_version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("kpi", sa.Text, primary_key=True),
        sa.Column("bucket", sa.Integer, primary_key=True, autoincrement=False, comment="quarter hours since 1970 UTC"),
        sa.Column("measure", sa.Text, primary_key=True, comment="as in kpi_rollup"),
        *_dimensions(primary_key=True),
        sa.Column("n", sa.BigInteger, nullable=False, comment="cells that went back to 0 stay and mean nothing"),
        comment="key figures as integers in quarter hours, by all dimensions at once: for filters and two dimensions",
        postgresql_with={"fillfactor": "50"},
    )


def _create_spans() -> None:
    op.create_table(
        "open_span",
        sa.Column("projection_version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("ticket", sa.Text, primary_key=True),
        sa.Column("run", sa.Integer, primary_key=True, autoincrement=False, comment="version of the ticket with which it begins"),
        sa.Column("since", sa.BigInteger, nullable=False, comment="microseconds since 1970 UTC"),
        sa.Column("until", sa.BigInteger, nullable=False, comment="the largest number while it lasts"),
        sa.Column("opened_at", sa.BigInteger, nullable=False),
        *_dimensions(),
        comment="who held a ticket while it was open: the backlog of any instant",
    )
    op.create_index("open_span_until", "open_span", ["projection_version", "until", "since"])
    op.create_index("open_span_since", "open_span", ["projection_version", "since"])


def _create_complaints() -> None:
    op.create_table(
        "complaint",
        sa.Column("projection_version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("ticket", sa.Text, primary_key=True),
        sa.Column("customer_id", sa.Text, nullable=False, comment="the file that it was written for"),
        sa.Column("topic", sa.Text, nullable=False, comment="root topic, else category, else the ticket's own"),
        sa.Column("opened_at", sa.BigInteger, nullable=False, comment="microseconds since 1970 UTC"),
        sa.Column("ended_at", sa.BigInteger, nullable=False, comment="the largest number while it is open"),
        *_dimensions(),
        comment="tickets that are complaints",
    )
    op.create_index("complaint_customer", "complaint", ["projection_version", "customer_id"])
    op.create_index("complaint_opened", "complaint", ["projection_version", "opened_at"])
    op.create_table(
        "customer_alias",
        sa.Column("projection_version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("customer_id", sa.Text, primary_key=True),
        sa.Column("into_customer_id", sa.Text, nullable=False),
        comment="customer files that are found under another one",
    )


def _extend() -> None:
    op.add_column(
        "projection",
        sa.Column("as_of", postgresql.JSONB, comment="positions at which it stopped, when a release counts otherwise; null: it goes on"),
    )
    op.add_column("kpi_target", sa.Column("set_by", sa.Text, nullable=False, server_default="aftercare", comment="principal"))
    op.add_column("kpi_target", sa.Column("set_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()))
    op.alter_column("fact", "kind", comment="request, ticket, survey, customer")
    op.alter_column("kpi_rollup", "measure", comment="count; numerator, denominator; score_<n>; <clock>_ms, <clock>_<class>")
