"""The event log, facts and rollups, and the first targets."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from shared.migrations import create_shared_tables

revision: Final = "0001"
down_revision: Final = None

DEFINITIONS: Final = {
    "requests": 1,
    "tickets_opened": 1,
    "tickets_resolved": 1,
    "sla_first_response": 1,
    "resolution_rate": 1,
    "reopen_rate": 1,
    "csat_mean": 1,
    "nps": 1,
}
TARGETS: Final = {
    "sla_first_response": Decimal("0.95"),
    "resolution_rate": Decimal("0.95"),
    "reopen_rate": Decimal("0.05"),
    "csat_mean": Decimal("4.2"),
    "nps": Decimal(40),
}

# The log is the proof: whoever changes a line of it changes history. Only inserts are taken.
REFUSE: Final = """
CREATE FUNCTION event_log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'event_log is append-only';
END $$
"""
APPEND_ONLY: Final = """
CREATE TRIGGER event_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON event_log
  FOR EACH STATEMENT EXECUTE FUNCTION event_log_is_append_only()
"""


def upgrade() -> None:
    """Create everything; projection 1 is active from the start."""
    create_shared_tables("metrics", timers=False)
    _create_event_log()
    _create_projections()
    _create_targets()


def _create_event_log() -> None:
    op.create_table(
        "event_log",
        sa.Column("topic", sa.Text, primary_key=True),
        sa.Column("part", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("event_time", sa.DateTime(timezone=True), nullable=False, comment="when it happened"),
        sa.Column("data", postgresql.JSONB, nullable=False, comment="the fields that services/metrics/reduction.py allows"),
        comment="every event, reduced; append-only, kept for ever",
    )
    op.execute(REFUSE)
    op.execute(APPEND_ONLY)


def _create_projections() -> None:
    projection = op.create_table(
        "projection",
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column(
            "definitions", postgresql.JSONB, nullable=False, comment="version of each key figure's definition that the rows were built by"
        ),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("activated_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint("status IN ('building', 'active', 'retired')", name="projection_status"),
        comment="generations of facts and rollups",
    )
    for status in ("active", "building"):
        op.create_index(f"projection_one_{status}", "projection", ["status"], unique=True, postgresql_where=sa.text(f"status = '{status}'"))
    op.create_table(
        "fact",
        sa.Column("projection_version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.Text, primary_key=True, comment="request, ticket, answer"),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("facts", postgresql.JSONB, nullable=False),
        comment="what is known about one subject, merged from its events",
        postgresql_with={"fillfactor": "70"},
    )
    op.create_table(
        "kpi_rollup",
        sa.Column("projection_version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("kpi", sa.Text, primary_key=True),
        sa.Column("dimension", sa.Text, primary_key=True, comment="total, or one of channel, type, priority, team, agent, tier"),
        sa.Column("bucket", sa.Integer, primary_key=True, autoincrement=False, comment="quarter hours since 1970 UTC"),
        sa.Column("value", sa.Text, primary_key=True, comment="of the dimension; empty = none"),
        sa.Column("measure", sa.Text, primary_key=True, comment="count; numerator, denominator; score_<n>"),
        sa.Column("n", sa.BigInteger, nullable=False, comment="rows that went back to 0 stay and mean nothing"),
        comment="key figures as integers in quarter hours",
        postgresql_with={"fillfactor": "50"},
    )
    op.execute(sa.insert(projection).values(version=1, status="active", definitions=DEFINITIONS, activated_at=sa.func.now()))


def _create_targets() -> None:
    target = op.create_table(
        "kpi_target",
        sa.Column("kpi", sa.Text, primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("value", sa.Numeric, nullable=False, comment="in the unit of the figure"),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        comment="what is aimed at; a change is a new version",
    )
    first = {"version": 1, "valid_from": datetime(2000, 1, 1, tzinfo=UTC)}
    op.execute(sa.insert(target).values([{"kpi": kpi, "value": value, **first} for kpi, value in TARGETS.items()]))
