"""The promised times of each ticket, and the versions of the policy that makes them."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, Integer, Table, Text, text
from sqlalchemy.dialects.postgresql import ARRAY

from services.tickets.models.columns import metadata, moment, of_ticket, one_of
from services.tickets.sla import Priority, TargetName

sla_clock: Final = Table(
    "sla_clock",
    metadata,
    of_ticket(primary_key=True),
    Column("target", Text, primary_key=True),
    moment("started_at", nullable=False),
    Column("budget_ms", BigInteger, nullable=False),
    Column("policy_version", Integer, nullable=False),
    moment("due_at", nullable=False, comment="as known at the newest change; moves on while the clock is paused"),
    Column("paused_ms", BigInteger, nullable=False, comment="closed pauses"),
    moment("met_at"),
    moment("breached_at", comment="the due time that was announced as missed"),
    moment("stopped_at"),
    one_of("target", TargetName),
    CheckConstraint("met_at IS NULL OR stopped_at IS NULL", name="ends_once"),
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

sla_policy: Final = Table(
    "sla_policy",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    moment("valid_from", nullable=False),
    Column("pauses_on", ARRAY(Text), nullable=False, comment="what a ticket may wait for while its resolution clock stands still"),
)

sla_budget: Final = Table(
    "sla_budget",
    metadata,
    Column("version", Integer, ForeignKey("sla_policy.version"), primary_key=True, autoincrement=False),
    Column("priority", Text, primary_key=True),
    Column("first_response_ms", BigInteger, nullable=False),
    Column("resolution_ms", BigInteger, nullable=False),
    one_of("priority", Priority),
    CheckConstraint("first_response_ms > 0 AND resolution_ms > 0", name="budgets_are_positive"),
)
