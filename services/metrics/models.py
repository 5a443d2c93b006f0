"""Metrics' tables. Everything but the event log and the targets can be rebuilt from the event log."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    MetaData,
    Numeric,
    SmallInteger,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from shared.migrations import shared_tables

metadata: Final = MetaData()
shared_tables(metadata, service="metrics", timers=False)

event_log = Table(
    "event_log",
    metadata,
    Column("topic", Text, primary_key=True),
    Column("part", SmallInteger, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("type", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("event_time", DateTime(timezone=True), nullable=False, comment="when it happened"),
    Column("data", JSONB, nullable=False, comment="the fields that services/metrics/reduction.py allows"),
    comment="every event, reduced; append-only, kept for ever",
)

projection = Table(
    "projection",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("status", Text, nullable=False),
    Column("definitions", JSONB, nullable=False, comment="version of each key figure's definition that the rows were built by"),
    Column("started_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("activated_at", DateTime(timezone=True)),
    CheckConstraint("status IN ('building', 'active', 'retired')", name="projection_status"),
    # readers look at one projection, and there is at most one rebuild
    Index("projection_one_active", "status", unique=True, postgresql_where=text("status = 'active'")),
    Index("projection_one_building", "status", unique=True, postgresql_where=text("status = 'building'")),
    comment="generations of facts and rollups",
)

fact = Table(
    "fact",
    metadata,
    Column("projection_version", Integer, primary_key=True, autoincrement=False),
    Column("kind", Text, primary_key=True, comment="request, ticket, answer"),
    Column("id", Text, primary_key=True),
    Column("facts", JSONB, nullable=False),
    comment="what is known about one subject, merged from its events",
    postgresql_with={"fillfactor": "70"},
)

kpi_rollup = Table(
    "kpi_rollup",
    metadata,
    Column("projection_version", Integer, primary_key=True, autoincrement=False),
    Column("kpi", Text, primary_key=True),
    Column("dimension", Text, primary_key=True, comment="total, or one of channel, type, priority, team, agent, tier"),
    Column("bucket", Integer, primary_key=True, autoincrement=False, comment="quarter hours since 1970 UTC"),
    Column("value", Text, primary_key=True, comment="of the dimension; empty = none"),
    Column("measure", Text, primary_key=True, comment="count; numerator, denominator; score_<n>"),
    Column("n", BigInteger, nullable=False, comment="rows that went back to 0 stay and mean nothing"),
    comment="key figures as integers in quarter hours",
    # counts of the running quarter hour change with every batch: room for the next version of a row beside it (HOT)
    postgresql_with={"fillfactor": "50"},
)

kpi_target = Table(
    "kpi_target",
    metadata,
    Column("kpi", Text, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("value", Numeric, nullable=False, comment="in the unit of the figure"),
    Column("valid_from", DateTime(timezone=True), nullable=False),
    comment="what is aimed at; a change is a new version",
)
