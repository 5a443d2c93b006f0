"""The tables of this service. What may be erased (the comment) stands apart from what may be kept (the numbers).

The database guards what the code decides: one invitation per resolution, one answer per invitation, answered or cancelled but never both,
scores within their scale.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
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
    func,
)
from sqlalchemy.dialects.postgresql import JSONB

from shared.migrations import shared_tables

METADATA: Final = MetaData()

INVITATION: Final = Table(
    "invitation",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("ticket_number", Text, nullable=False),
    Column("episode", Integer, nullable=False),
    Column("customer_id", Uuid, nullable=False),
    Column("form", Text, nullable=False),
    Column("locale", Text, nullable=False),
    Column("dimensions", JSONB, nullable=False, comment="of the ticket at the resolution; never changed"),
    Column("resolved_at", DateTime(timezone=True), nullable=False),
    Column("send_at", DateTime(timezone=True), nullable=False),
    Column("token_hash", LargeBinary, comment="SHA-256; the token itself is only in the customer's mail"),
    Column("invited_at", DateTime(timezone=True)),
    Column("expires_at", DateTime(timezone=True)),
    Column("answered_at", DateTime(timezone=True)),
    Column("cancelled_at", DateTime(timezone=True)),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    CheckConstraint("episode >= 1", name="invitation_episode"),
    CheckConstraint("num_nulls(token_hash, invited_at, expires_at) IN (0, 3)", name="invitation_sent_with_token"),
    CheckConstraint("answered_at IS NULL OR invited_at IS NOT NULL", name="invitation_answered_after_sent"),
    CheckConstraint("answered_at IS NULL OR cancelled_at IS NULL", name="invitation_answered_or_cancelled"),
    Index("invitation_ticket_episode", "ticket_number", "episode", unique=True),
    Index("invitation_token_hash", "token_hash", unique=True),
    Index("invitation_created_at", "created_at", "id"),
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
    CheckConstraint("overall BETWEEN 1 AND 5", name="answer_overall"),
    CheckConstraint("recommend BETWEEN 0 AND 10", name="answer_recommend"),
    CheckConstraint("solved IN ('yes', 'partly', 'no')", name="answer_solved"),
    CheckConstraint("door IN ('rest', 'page')", name="answer_door"),
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
    comment="copy of what intake tells: the language only",
)

TICKET_ALIAS: Final = Table(
    "ticket_alias",
    METADATA,
    Column("reference", Text, primary_key=True),
    Column("ticket_number", Text, nullable=False),
    comment="copy of what tickets tells: service numbers that answer as a ticket",
)

shared_tables(METADATA, service="feedback", timers=True)
