"""The tables of this service. What may be erased (the comment) stands apart from what may be kept (the numbers).

The database guards what the code decides: one invitation per resolution and purpose, one answer per invitation, answered or cancelled but
never both, throttled or sent but never both, one active version per form, scores within their scale.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from shared.migrations import shared_tables

METADATA: Final = MetaData()

INVITATION: Final = Table(
    "invitation",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("ticket_number", Text, nullable=False),
    Column("episode", Integer, nullable=False),
    Column("purpose", Text, nullable=False, server_default="survey", comment="survey or service"),
    Column("customer_id", Uuid, nullable=False),
    Column("form", Text, nullable=False),
    Column("locale", Text, nullable=False),
    Column("dimensions", JSONB, nullable=False, comment="of the ticket at the resolution; never changed"),
    Column("resolved_at", DateTime(timezone=True), nullable=False),
    Column("send_at", DateTime(timezone=True), nullable=False),
    Column("token_hash", LargeBinary, comment="SHA-256; the token itself is only in the customer's mail"),
    Column("reminder_hash", LargeBinary, comment="SHA-256 of the token in the reminder, which opens the same survey"),
    Column("inclusion", Double, comment="probability with which it was sampled, or was not; null where the lot was not asked"),
    Column("invited_at", DateTime(timezone=True)),
    Column("expires_at", DateTime(timezone=True)),
    Column("reminded_at", DateTime(timezone=True)),
    Column("answered_at", DateTime(timezone=True), comment="of an anonymous answer only the beginning of its day"),
    Column("cancelled_at", DateTime(timezone=True)),
    Column("throttled_at", DateTime(timezone=True)),
    Column("reason", Text, comment="why it was throttled"),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    CheckConstraint("episode >= 1", name="invitation_episode"),
    CheckConstraint("num_nulls(token_hash, invited_at, expires_at) IN (0, 3)", name="invitation_sent_with_token"),
    CheckConstraint("answered_at IS NULL OR invited_at IS NOT NULL", name="invitation_answered_after_sent"),
    CheckConstraint("answered_at IS NULL OR cancelled_at IS NULL", name="invitation_answered_or_cancelled"),
    CheckConstraint("purpose IN ('survey', 'service')", name="invitation_purpose"),
    CheckConstraint("inclusion BETWEEN 0 AND 1", name="invitation_inclusion"),
    CheckConstraint("num_nulls(reminder_hash, reminded_at) IN (0, 2)", name="invitation_reminded_with_token"),
    CheckConstraint("num_nulls(throttled_at, reason) IN (0, 2)", name="invitation_throttled_with_reason"),
    CheckConstraint("throttled_at IS NULL OR num_nonnulls(invited_at, cancelled_at) = 0", name="invitation_throttled_alone"),
    Index("invitation_resolution", "ticket_number", "episode", "purpose", unique=True),
    Index("invitation_token_hash", "token_hash", unique=True),
    Index("invitation_reminder_hash", "reminder_hash", unique=True),
    Index("invitation_resolved_at", "resolved_at", "id"),
    # the rarer states of the lists
    Index("invitation_throttled", "resolved_at", "id", postgresql_where=text("throttled_at IS NOT NULL")),
    Index("invitation_cancelled", "resolved_at", "id", postgresql_where=text("cancelled_at IS NOT NULL")),
    Index(
        "invitation_undecided",
        "resolved_at",
        "id",
        postgresql_where=text("answered_at IS NULL AND cancelled_at IS NULL AND throttled_at IS NULL"),
    ),
    Index("invitation_customer_id", "customer_id"),
)

ANSWER: Final = Table(
    "answer",
    METADATA,
    Column("invitation_id", Uuid, ForeignKey("invitation.id", ondelete="CASCADE"), primary_key=True),
    Column("overall", SmallInteger, comment="Q0"),
    Column("recommend", SmallInteger, comment="N1"),
    Column("solved", Text, comment="Y1"),
    Column("given", JSONB, nullable=False, comment="all answers but the comment, by question id"),
    Column("locale", Text, nullable=False, comment="the language in which the questions were read"),
    Column("door", Text, nullable=False, comment="rest or page"),
    Column("flags", ARRAY(Text), nullable=False, server_default="{}", comment="codes of what it asks for: low, not_solved, complaint"),
    CheckConstraint("overall BETWEEN 1 AND 5", name="answer_overall"),
    CheckConstraint("recommend BETWEEN 0 AND 10", name="answer_recommend"),
    CheckConstraint("solved IN ('yes', 'partly', 'no')", name="answer_solved"),
    CheckConstraint("door IN ('rest', 'page')", name="answer_door"),
    Index("answer_flags", "flags", postgresql_using="gin"),
)

COMMENT: Final = Table(
    "comment",
    METADATA,
    Column("invitation_id", Uuid, ForeignKey("answer.invitation_id", ondelete="CASCADE"), primary_key=True),
    Column("text", Text, nullable=False, comment="the customer's own words; personal, erased with the customer"),
)

CUSTOMER: Final = Table(
    "customer",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("locale", Text, nullable=False),
    Column("consents", Boolean, nullable=False, server_default="true", comment="whether the customer file allows surveys"),
    comment="copy of what intake tells: the language and the consent to surveys, nothing else",
)

TICKET_ALIAS: Final = Table(
    "ticket_alias",
    METADATA,
    Column("reference", Text, primary_key=True),
    Column("ticket_number", Text, nullable=False),
    comment="copy of what tickets tells: service numbers that answer as a ticket",
)

CUSTOMER_ALIAS: Final = Table(
    "customer_alias",
    METADATA,
    Column("customer_id", Uuid, primary_key=True),
    Column("into_customer_id", Uuid, nullable=False),
    Index("customer_alias_into", "into_customer_id"),
    comment="copy of what intake tells: customer files that are one person",
)

OPT_OUT: Final = Table(
    "opt_out",
    METADATA,
    Column("customer_id", Uuid, primary_key=True),
    Column("opted_out_at", DateTime(timezone=True), nullable=False),
    Column("by", Text, nullable=False, comment="customer or staff"),
    Column("actor", Text, comment="principal id of the staff"),
    CheckConstraint("by IN ('customer', 'staff')", name="opt_out_by"),
    comment="who wants no surveys; consent in the customer file is another matter",
)

FORM: Final = Table(
    "form",
    METADATA,
    Column("type", Text, primary_key=True, comment="T1, T2, T3, S1"),
    Column("version", Integer, primary_key=True),
    Column("is_active", Boolean, nullable=False, comment="what new invitations ask; one version per type"),
    Column("definition", JSONB, nullable=False, comment="never changed"),
    Column("published_at", DateTime(timezone=True), nullable=False),
    Column("published_by", Text, nullable=False),
    CheckConstraint("version >= 1", name="form_version"),
    Index("form_active", "type", unique=True, postgresql_where=text("is_active")),
)

SENDING_RULES: Final = Table(
    "sending_rules",
    METADATA,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("definition", JSONB, nullable=False, comment="never changed; the highest version holds"),
    Column("published_at", DateTime(timezone=True), nullable=False),
    Column("published_by", Text, nullable=False),
    CheckConstraint("version >= 1", name="sending_rules_version"),
)

ANONYMOUS_RESPONSE: Final = Table(
    "anonymous_response",
    METADATA,
    Column("id", Uuid, primary_key=True, comment="random; no key leads from here to an invitation, a ticket or a customer"),
    Column("form", Text, nullable=False),
    Column("answered_on", Date, nullable=False, comment="the day; no moment"),
    Column("channel", Text, nullable=False),
    Column("type", Text),
    Column("tier", Text),
    Column("locale", Text, nullable=False),
    Column("overall", SmallInteger, comment="Q0"),
    Column("recommend", SmallInteger, comment="N1"),
    Column("solved", Text, comment="Y1"),
    Column("given", JSONB, nullable=False, comment="all answers but the comment, by question id"),
    Column("comment", Text),
    Index("anonymous_response_answered_on", "answered_on"),
)

shared_tables(METADATA, service="feedback", timers=True)
