"""Requests, the channels' own ids that they came under, and where references come from."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Index,
    LargeBinary,
    Sequence,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from services.intake.models.metadata import METADATA
from services.intake.reference import NUMBERS

REFERENCE_NUMBER: Final = Sequence("reference_number", minvalue=0, maxvalue=NUMBERS - 1, start=0, cycle=True, metadata=METADATA)
"""Tells references of the same second apart."""

REFERENCE_KEY: Final = Table(
    "reference_key",
    METADATA,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("key", LargeBinary, nullable=False, comment="made once by the first migration; another key could give a number out twice"),
    CheckConstraint("id = 1", name="reference_key_one_row"),
)

REQUEST: Final = Table(
    "request",
    METADATA,
    Column("request_id", Uuid, primary_key=True),
    Column("reference", Text, nullable=False),
    # no foreign keys in what each request writes: who writes it has registered or found the customer, and no customer is ever deleted
    Column("customer_id", Uuid, nullable=False),
    Column("principal", Text, nullable=False, comment="who sent it"),
    Column("channel", Text, nullable=False),
    Column("external_id", Text),
    Column("external_id_reused", Boolean, nullable=False),
    Column("content_digest", LargeBinary, nullable=False),
    Column("type", Text),
    Column("locale", Text, nullable=False),
    Column("subject", Text),
    Column("text", Text, nullable=False),
    Column("contact", JSONB, nullable=False, comment="what the request said of its customer, as it said it"),
    Column("product", JSONB),
    Column("attachments", JSONB, nullable=False),
    Column("metadata", JSONB, nullable=False),
    Column("expected_resolution_at", DateTime(timezone=True)),
    Column("occurred_at", DateTime(timezone=True), nullable=False),
    Column("occurred_at_clamped", Boolean, nullable=False),
    Column("received_at", DateTime(timezone=True), nullable=False),
    Column("in_reply_to", Text),
    Column("completeness", Double, nullable=False),
    Column("missing_fields", JSONB, nullable=False),
    Column("entered_by", Text, nullable=False, server_default="system", comment="customer, bot, agent or system"),
    Column("conversation_id", Text, comment="the channel's own conversation, thread or call"),
    Column("completes", Text, comment="reference of the request whose missing fields this one brings"),
    Column("order_number", Text, comment="of the product that it names"),
    Column("dismissed_at", DateTime(timezone=True)),
    Column("dismissed_by", Text, comment="who verified that there is nothing to do"),
    Column("dismissed_because", Text),
    Index("request_reference", "reference", unique=True),
    # further messages under a used external_id take effect once per content
    Index("request_reused_content", "channel", "external_id", "content_digest", unique=True, postgresql_where=text("external_id_reused")),
    Index("request_customer", "customer_id", "received_at", "request_id"),
    Index("request_order", "order_number", "received_at", "request_id", postgresql_where=text("order_number IS NOT NULL")),
    Index("request_completes", "completes", postgresql_where=text("completes IS NOT NULL")),
    CheckConstraint(
        "(dismissed_at IS NULL) = (dismissed_by IS NULL) AND (dismissed_at IS NULL) = (dismissed_because IS NULL)",
        name="request_dismissed",
    ),
    CheckConstraint("completeness BETWEEN 0 AND 1", name="request_completeness"),
    CheckConstraint("external_id IS NOT NULL OR NOT external_id_reused", name="request_reused_has_external_id"),
)

EXTERNAL_MESSAGE: Final = Table(
    "external_message",
    METADATA,
    # the claim on a channel's own message id; taken before anything else is written for it
    Column("channel", Text, primary_key=True),
    Column("external_id", Text, primary_key=True),
    Column(
        "first_request_id",
        Uuid,
        ForeignKey("request.request_id", name="external_message_first", deferrable=True, initially="DEFERRED"),
        nullable=False,
    ),
)
