"""The tables of tickets. Constraints repeat what the workflow decides, so that no other path can write what it would refuse."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSVECTOR

from services.tickets.sla import Priority, TargetName
from services.tickets.workflow.status import OPEN, Status
from shared.migrations import shared_tables

metadata: Final = MetaData()


def _one_of(column: str, values: type[Status] | type[Priority] | type[TargetName]) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({', '.join(repr(str(value)) for value in values)})", name=f"{column}_known")


def _number(name: str = "number", **options: Any) -> Column[Any]:
    """A ticket's number: compared byte by byte, so that the primary key also finds beginnings."""
    return Column(name, Text(collation="C"), **options)


def _of_ticket(**options: Any) -> Column[Any]:
    return Column("number", Text(collation="C"), ForeignKey("ticket.number"), **options)


def _moment(name: str, **options: Any) -> Column[Any]:
    return Column(name, DateTime(timezone=True), **options)


_OPEN_NOW: Final = text(f"status IN ({', '.join(repr(str(status)) for status in Status if status in OPEN)})")

ticket: Final = Table(
    "ticket",
    metadata,
    _number(primary_key=True),
    _number("series", nullable=False, comment="number of the first ticket on this matter"),
    Column("version", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("customer_id", Uuid, nullable=False),
    Column("channel", Text, nullable=False),
    Column("locale", Text, nullable=False),
    Column("tier", Text, nullable=False),
    Column("type", Text),
    Column("step", Text),
    Column("priority", Text, nullable=False),
    Column("category", Text),
    Column("root_topic", Text),
    Column("product_model", Text),
    Column("batch", Text),
    Column("team", Text),
    Column("assignee", Text),
    _moment("opened_at", nullable=False),
    _moment("changed_at", nullable=False),
    Column("episode", Integer, nullable=False, comment="how many times it was resolved"),
    Column("resolution_code", Text),
    _moment("first_resolved_at"),
    _moment("resolved_at", comment="the last resolve"),
    _moment("closed_at"),
    _number("linked_to"),
    # what only people read; the customer's words and belongings, cleared when the customer is erased
    Column("subject", Text),
    Column("product_named", Text, comment="in the customer's words; product_model is a code"),
    Column("serial_number", Text),
    Column("order_number", Text),
    Column("purchase_date", Text),
    _moment("expected_resolution_at"),
    Column("words", TSVECTOR, nullable=False, comment="of the subject, cut by search.py"),
    _one_of("status", Status),
    _one_of("priority", Priority),
    CheckConstraint("version > 0 AND episode >= 0", name="counts"),
    CheckConstraint("assignee IS NOT NULL OR status IN ('new', 'triaged', 'cancelled', 'merged')", name="worked_on_by_somebody"),
    CheckConstraint("(episode > 0) = (resolved_at IS NOT NULL)", name="resolved_at_is_the_last_resolve"),
    CheckConstraint("resolved_at IS NOT NULL OR status NOT IN ('resolved', 'confirmed')", name="done_is_resolved"),
    CheckConstraint("(closed_at IS NOT NULL) = (status IN ('closed', 'cancelled', 'merged'))", name="closed_at_is_the_end"),
    CheckConstraint("(linked_to IS NULL) = (series = number)", name="only_linked_tickets_continue_a_series"),
    # lists run newest first; the number breaks ties
    Index("ticket_newest", "opened_at", "number"),
    Index("ticket_open", "status", "opened_at", "number", postgresql_where=_OPEN_NOW),
    Index("ticket_customer", "customer_id", "opened_at", "number"),
    Index("ticket_assignee", "assignee", "opened_at", "number", postgresql_where=text("assignee IS NOT NULL")),
    Index("ticket_team", "team", "opened_at", "number", postgresql_where=text("team IS NOT NULL")),
    Index("ticket_series", "series", postgresql_where=text("linked_to IS NOT NULL")),
    Index("ticket_words", "words", postgresql_using="gin"),
)

sla_clock: Final = Table(
    "sla_clock",
    metadata,
    _of_ticket(primary_key=True),
    Column("target", Text, primary_key=True),
    _moment("started_at", nullable=False),
    Column("budget_ms", BigInteger, nullable=False),
    Column("policy_version", Integer, nullable=False),
    _moment("due_at", nullable=False, comment="as known at the newest change; moves on while the clock is paused"),
    Column("paused_ms", BigInteger, nullable=False, comment="closed pauses"),
    _moment("met_at"),
    _moment("breached_at", comment="the due time that was announced as missed"),
    _moment("stopped_at"),
    _one_of("target", TargetName),
    CheckConstraint("met_at IS NULL OR stopped_at IS NULL", name="ends_once"),
)

sla_pause: Final = Table(
    "sla_pause",
    metadata,
    _of_ticket(primary_key=True),
    Column("target", Text, primary_key=True),
    Column("ordinal", Integer, primary_key=True),
    _moment("started_at", nullable=False),
    _moment("ended_at"),
    CheckConstraint("ended_at >= started_at", name="ends_after_it_began"),
    Index("sla_pause_open", "number", "target", unique=True, postgresql_where=text("ended_at IS NULL")),
)

history: Final = Table(
    "history",
    metadata,
    _of_ticket(primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("type", Text, nullable=False),
    _moment("at", nullable=False, comment="when it happened; a breach is dated at its due time"),
    Column("actor", Text, nullable=False),
    Column("data", JSONB, nullable=False, comment="ids, codes, numbers, salted digests; never words"),
)

message: Final = Table(
    "message",
    metadata,
    Column("id", Uuid, primary_key=True, comment="of a customer's message: the id of the request, so that none counts twice"),
    _of_ticket(nullable=False),
    Column("version", Integer, nullable=False, comment="of the ticket, with this message"),
    Column("author", Text, nullable=False, comment="principal id of staff, or customer"),
    Column("public", Boolean, nullable=False),
    _moment("at", nullable=False),
    Column("channel", Text),
    Column("reference", Text, comment="the customer's service number for this message"),
    Column("text", Text, nullable=False),
    Column("truncated", Boolean, nullable=False, comment="the whole text is in intake"),
    Column("salt", LargeBinary, nullable=False, comment="of the digest in the history; erased with the text"),
    Index("message_of_ticket", "number", "version"),
)

alias: Final = Table(
    "alias",
    metadata,
    _number("reference", primary_key=True),
    _of_ticket(nullable=False),
    comment="service numbers of messages that joined a ticket: each answers as that ticket",
)

series: Final = Table(
    "series",
    metadata,
    _of_ticket(primary_key=True),
    Column("last", SmallInteger, nullable=False, comment="ordinal of the newest linked ticket; its row lock gives out the next"),
)

customer: Final = Table(
    "customer",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("locale", Text, nullable=False),
    Column("tier", Text, nullable=False),
    comment="read copy from intake's events; no name, no address",
)

sla_policy: Final = Table(
    "sla_policy",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    _moment("valid_from", nullable=False),
    Column("pauses_on", ARRAY(Text), nullable=False, comment="what a ticket may wait for while its resolution clock stands still"),
)

sla_budget: Final = Table(
    "sla_budget",
    metadata,
    Column("version", Integer, ForeignKey("sla_policy.version"), primary_key=True, autoincrement=False),
    Column("priority", Text, primary_key=True),
    Column("first_response_ms", BigInteger, nullable=False),
    Column("resolution_ms", BigInteger, nullable=False),
    _one_of("priority", Priority),
    CheckConstraint("first_response_ms > 0 AND resolution_ms > 0", name="budgets_are_positive"),
)

shared_tables(metadata, service="tickets", timers=True)
