"""The promised times of each ticket, and the versions of the policies and calendars that make them."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Date, Index, Integer, SmallInteger, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from services.tickets.models.columns import metadata, moment, number, of_ticket, one_of
from services.tickets.sla import Priority, TargetName
from services.tickets.sla.calendar import Source

sla_clock: Final = Table(
    "sla_clock",
    metadata,
    number(primary_key=True),
    Column("target", Text, primary_key=True),
    moment("started_at", nullable=False),
    Column("budget_ms", BigInteger, nullable=False),
    Column("policy", Text, nullable=False),
    Column("policy_row", Integer, nullable=False, comment="version of that policy"),
    Column("calendar", Text, nullable=False),
    Column("calendar_row", Integer, nullable=False, comment="version of that calendar"),
    Column("policy_version", Integer, nullable=False, comment="edition of all service levels when the promise was given; events carry it"),
    moment("due_at", nullable=False, comment="as known at the newest change; moves on while the clock is paused"),
    Column("paused_ms", BigInteger, nullable=False, comment="business time of closed pauses"),
    moment("met_at"),
    moment("warned_at", comment="the moment that was announced as close to the due time"),
    moment("breached_at", comment="the due time that was announced as missed"),
    moment("stopped_at"),
    one_of("target", TargetName),
    CheckConstraint("met_at IS NULL OR stopped_at IS NULL", name="ends_once"),
    # whom a policy changed in the past concerns; the other targets start when their ticket was opened
    Index("sla_clock_started", "started_at", "number", postgresql_where=text("target = 'next_response'")),
    postgresql_with={"fillfactor": "60"},
)

sla_pause: Final = Table(
    "sla_pause",
    metadata,
    of_ticket(primary_key=True),
    Column("target", Text, primary_key=True),
    Column("ordinal", Integer, primary_key=True),
    moment("started_at", nullable=False),
    moment("ended_at"),
    CheckConstraint("ended_at >= started_at", name="ends_after_it_began"),
    Index("sla_pause_open", "number", "target", unique=True, postgresql_where=text("ended_at IS NULL")),
)

sla_edition: Final = Table(
    "sla_edition",
    metadata,
    Column("one", Boolean, primary_key=True, server_default=text("true")),
    Column("edition", Integer, nullable=False, comment="counts every version of every policy and calendar, and of the hours of every team"),
    Column("key", Uuid, nullable=False, comment="new with each edition: what processes remember belongs to this one"),
    CheckConstraint("one", name="one_row"),
    CheckConstraint("edition > 0", name="counts"),
)

calendar: Final = Table(
    "calendar",
    metadata,
    Column("id", Text(collation="C"), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    moment("valid_from", nullable=False),
    Column("zone", Text, nullable=False, comment="IANA"),
    Column("week", JSONB, nullable=False, comment="seven lists of [first minute, last minute], Monday first"),
    Column("country", Text),
    Column("subdivision", Text),
    Column("makeup", JSONB, nullable=False, comment="windows of a make-up day"),
    moment("changed_at", nullable=False),
    Column("changed_by", Text, nullable=False),
    CheckConstraint("subdivision IS NULL OR country IS NOT NULL", name="a_part_of_a_country"),
    comment="versions; none ever changes",
)

calendar_day: Final = Table(
    "calendar_day",
    metadata,
    Column("id", Text(collation="C"), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("day", Date, primary_key=True),
    Column("windows", JSONB, nullable=False, comment="none: closed"),
    Column("source", Text, nullable=False),
    Column("name", Text, nullable=False),
    one_of("source", Source),
    comment="dates with other windows than their weekday's, as the holidays were known when the version was written",
)

policy: Final = Table(
    "policy",
    metadata,
    Column("id", Text(collation="C"), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    moment("valid_from", nullable=False),
    Column("type", Text, comment="NULL: any"),
    Column("priority", Text, comment="NULL: any"),
    Column("tier", Text, comment="NULL: any"),
    Column("calendar", Text, comment="NULL: that of the ticket's team"),
    Column("first_response_ms", BigInteger, nullable=False),
    Column("next_response_ms", BigInteger),
    Column("resolution_ms", BigInteger, nullable=False),
    Column("pauses_on", ARRAY(Text), nullable=False, comment="what a ticket may wait for while next response and resolution stand still"),
    Column("warn_percent", SmallInteger, comment="share of the budget after which somebody is warned"),
    Column("escalations", JSONB, nullable=False),
    Column("active", Boolean, nullable=False),
    moment("changed_at", nullable=False),
    Column("changed_by", Text, nullable=False),
    one_of("priority", Priority),
    CheckConstraint("first_response_ms > 0 AND next_response_ms > 0 AND resolution_ms > 0", name="budgets_are_positive"),
    CheckConstraint("warn_percent BETWEEN 1 AND 99", name="warned_before_it_is_due"),
    comment="versions; none ever changes",
)

team_hours: Final = Table(
    "team_hours",
    metadata,
    Column("team", Text(collation="C"), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    moment("valid_from", nullable=False),
    Column("calendar", Text, comment="NULL: around the clock"),
    comment="versions; none ever changes",
)
