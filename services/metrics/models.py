"""Metrics' tables. Everything but the event log and the targets can be rebuilt from the event log."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
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
from sqlalchemy.dialects.postgresql import JSON, JSONB

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
    Column("data", JSONB, nullable=False, comment="the fields that services/metrics/reduction allows"),
    comment="every event, reduced; append-only, kept for ever",
)

projection = Table(
    "projection",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("status", Text, nullable=False),
    Column(
        "definitions",
        JSONB,
        nullable=False,
        comment="version of each key figure's definition, and of the rows' form, that they were built by",
    ),
    Column("started_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("activated_at", DateTime(timezone=True)),
    Column("as_of", JSONB, comment="positions at which it stopped, when a release counts otherwise; null: it goes on"),
    CheckConstraint("status IN ('building', 'active', 'retired')", name="projection_status"),
    # readers look at one projection, and there is at most one rebuild
    Index("projection_one_active", "status", unique=True, postgresql_where=text("status = 'active'")),
    Index("projection_one_building", "status", unique=True, postgresql_where=text("status = 'building'")),
    comment="generations of facts and rollups",
)

_COUNTS: Final = (
    "by figure and measure: count; numerator, denominator; score_<n>; <clock>_ms, <clock>_<class>. What went back to 0 is left out, and a "
    "row without counts means nothing"
)

fact = Table(
    "fact",
    metadata,
    Column("projection_version", Integer, primary_key=True, autoincrement=False),
    Column("kind", Text, primary_key=True, comment="request, ticket, survey, customer"),
    Column("id", Text, primary_key=True),
    Column("facts", Text, nullable=False, comment="a document of services/metrics/facts/coding.py; nobody asks it questions in SQL"),
    comment="what is known about one subject, merged from its events",
    postgresql_with={"fillfactor": "70"},
)

DIMENSIONS: Final = ("channel", "type", "priority", "team", "agent", "tier")

kpi_rollup = Table(
    "kpi_rollup",
    metadata,
    Column("projection_version", Integer, primary_key=True, autoincrement=False),
    Column("dimension", Text, primary_key=True, comment="total, or one of channel, type, priority, team, agent, tier"),
    Column("span", SmallInteger, primary_key=True, autoincrement=False, comment="quarter hours: 1 and 32 (of the total alone), 4, 96"),
    Column("bucket", Integer, primary_key=True, autoincrement=False, comment="the first of them; quarter hours since 1970 UTC"),
    Column("value", Text, primary_key=True, comment="of the dimension; empty = none"),
    Column("counts", JSON, nullable=False, comment=_COUNTS),
    Column("durations", JSON, nullable=False, comment="the same of the figures that are durations: they are long"),
    comment="key figures as integers, by quarter hour, hour, third of a day and day",
    # counts of the running hour change with every batch: room for the next version of a row beside it (HOT)
    postgresql_with={"fillfactor": "50"},
)

kpi_cell = Table(
    "kpi_cell",
    metadata,
    Column("projection_version", Integer, primary_key=True, autoincrement=False),
    Column("bucket", Integer, primary_key=True, autoincrement=False, comment="quarter hours since 1970 UTC"),
    *(Column(name, Text, primary_key=True, comment="empty = none") for name in DIMENSIONS),
    Column("counts", JSON, nullable=False, comment=_COUNTS),
    comment="key figures as integers in quarter hours, by all dimensions at once: for filters and two dimensions",
    postgresql_with={"fillfactor": "85"},
)

kpi_cell_part = Table(
    "kpi_cell_part",
    metadata,
    Column("projection_version", Integer, nullable=False),
    Column("bucket", Integer, nullable=False, comment="quarter hours since 1970 UTC"),
    *(Column(name, Text, nullable=False, comment="empty = none") for name in DIMENSIONS),
    Column("counts", Text, nullable=False, comment="as in kpi_cell"),
    Index("kpi_cell_part_bucket", "projection_version", "bucket"),
    comment="what the pieces of a rebuild give to cells, until they are added up: nobody waits for another who writes the same cell",
    # a crash of the server empties it, and ends the rebuild as well
    prefixes=["UNLOGGED"],
)

open_span = Table(
    "open_span",
    metadata,
    Column("projection_version", Integer, primary_key=True, autoincrement=False),
    Column("ticket", Text, primary_key=True),
    Column("run", Integer, primary_key=True, autoincrement=False, comment="version of the ticket with which it begins"),
    Column("since", BigInteger, nullable=False, comment="microseconds since 1970 UTC"),
    Column("until", BigInteger, nullable=False, comment="the largest number while it lasts"),
    Column("opened_at", BigInteger, nullable=False),
    *(Column(name, Text, nullable=False, comment="empty = none") for name in DIMENSIONS),
    Index("open_span_until", "projection_version", "until", "since"),
    Index("open_span_since", "projection_version", "since"),
    comment="who held a ticket while it was open: the backlog of any instant",
)

complaint = Table(
    "complaint",
    metadata,
    Column("projection_version", Integer, primary_key=True, autoincrement=False),
    Column("ticket", Text, primary_key=True),
    Column("customer_id", Text, nullable=False, comment="the file that it was written for"),
    Column("topic", Text, nullable=False, comment="root topic, else category, else the ticket's own"),
    Column("opened_at", BigInteger, nullable=False, comment="microseconds since 1970 UTC"),
    Column("ended_at", BigInteger, nullable=False, comment="the largest number while it is open"),
    *(Column(name, Text, nullable=False, comment="empty = none") for name in DIMENSIONS),
    Column("is_shared", Boolean, nullable=False, server_default="false", comment="there is another one of the same file on the same topic"),
    Index("complaint_customer", "projection_version", "customer_id"),
    Index("complaint_opened", "projection_version", "opened_at"),
    comment="tickets that are complaints",
)

customer_alias = Table(
    "customer_alias",
    metadata,
    Column("projection_version", Integer, primary_key=True, autoincrement=False),
    Column("customer_id", Text, primary_key=True),
    Column("into_customer_id", Text, nullable=False),
    comment="customer files that are found under another one",
)

kpi_target = Table(
    "kpi_target",
    metadata,
    Column("kpi", Text, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("value", Numeric, nullable=False, comment="in the unit of the figure"),
    Column("valid_from", DateTime(timezone=True), nullable=False),
    Column("set_by", Text, nullable=False, server_default="aftercare", comment="principal"),
    Column("set_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    comment="what is aimed at; a change is a new version",
)
