"""The tables of intake. Rules that must hold whatever the code does are constraints here; `migrations/` creates what is declared here."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Sequence,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from services.intake.reference import NUMBERS
from shared.migrations import shared_tables

METADATA: Final = MetaData()
shared_tables(METADATA, service="intake", timers=False)

REFERENCE_NUMBER: Final = Sequence("reference_number", minvalue=0, maxvalue=NUMBERS - 1, start=0, cycle=True, metadata=METADATA)
"""Tells references of the same second apart."""

REFERENCE_KEY: Final = Table(
    "reference_key",
    METADATA,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("key", LargeBinary, nullable=False, comment="made once by the first migration; another key could give a number out twice"),
    CheckConstraint("id = 1", name="reference_key_one_row"),
)

CUSTOMER: Final = Table(
    "customer",
    METADATA,
    Column("customer_id", Uuid, primary_key=True),
    Column("name", Text),
    Column("locale", Text, nullable=False),
    Column("tier", Text, nullable=False, server_default="standard"),
    Column("registered_at", DateTime(timezone=True), nullable=False),
)

IDENTITY: Final = Table(
    "identity",
    METADATA,
    # one row per value that anybody ever showed: who registers or links locks it, so that two requests of one new customer
    # that arrive at once decide one after the other
    Column("scheme", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    CheckConstraint("scheme IN ('app_user', 'email', 'phone')", name="identity_scheme"),
)

CUSTOMER_IDENTITY: Final = Table(
    "customer_identity",
    METADATA,
    Column("customer_id", Uuid, ForeignKey("customer.customer_id", name="customer_identity_customer"), primary_key=True),
    Column("scheme", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("address", Text, nullable=False, comment="as it is written to; the value is as it is compared"),
    Column("matches", Boolean, nullable=False, comment="false: a contact that recognises nobody"),
    Column("linked_at", DateTime(timezone=True), nullable=False),
    ForeignKeyConstraint(["scheme", "value"], ["identity.scheme", "identity.value"], name="customer_identity_identity"),
    Index("customer_identity_holders", "scheme", "value", postgresql_where=text("matches")),
    # an account is strong: it is one customer's; a phone number or an address may be shared
    Index("customer_identity_account", "value", unique=True, postgresql_where=text("scheme = 'app_user'")),
)

MERGE_SUGGESTION: Final = Table(
    "merge_suggestion",
    METADATA,
    Column("customer_id", Uuid, ForeignKey("customer.customer_id", name="merge_suggestion_customer"), primary_key=True),
    Column("other_id", Uuid, ForeignKey("customer.customer_id", name="merge_suggestion_other"), primary_key=True),
    Column("suggested_at", DateTime(timezone=True), nullable=False),
)

REQUEST: Final = Table(
    "request",
    METADATA,
    Column("request_id", Uuid, primary_key=True),
    Column("reference", Text, nullable=False),
    Column("customer_id", Uuid, ForeignKey("customer.customer_id", name="request_customer"), nullable=False),
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
    Index("request_reference", "reference", unique=True),
    # further messages under a used external_id take effect once per content
    Index("request_reused_content", "channel", "external_id", "content_digest", unique=True, postgresql_where=text("external_id_reused")),
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

TICKET_COPY: Final = Table(
    "ticket_copy",
    METADATA,
    # read copy of aftercare.tickets
    Column("number", Text, primary_key=True),
    Column("customer_id", Uuid, nullable=False),
    Column("status", Text, nullable=False),
    Column("version", Integer, nullable=False),
)

TICKET_ALIAS: Final = Table(
    "ticket_alias",
    METADATA,
    Column("reference", Text, primary_key=True, comment="of a request that joined the ticket instead of opening one"),
    Column("number", Text, nullable=False),
)

NOTIFICATION: Final = Table(
    "notification",
    METADATA,
    Column("event_id", Uuid, primary_key=True, comment="of notification.requested; Message-ID and file name derive from it"),
    Column("notification_id", Uuid, nullable=False),
    Column("customer_id", Uuid, nullable=False),
    Column("kind", Text, nullable=False),
    Column("locale", Text, nullable=False),
    Column("ticket_number", Text),
    Column("text", Text),
    Column("link", Text),
    Column("expires_at", DateTime(timezone=True)),
    Column("requested_at", DateTime(timezone=True), nullable=False),
    Column("status", Text, nullable=False, server_default="pending"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("first_attempt_at", DateTime(timezone=True), comment="real time"),
    Column("next_attempt_at", DateTime(timezone=True), nullable=False, comment="real time; while claimed, the end of the claim"),
    Column("address", Text, comment="where it went"),
    Column("finished_at", DateTime(timezone=True)),
    Column("failure", Text),
    CheckConstraint("status IN ('pending', 'delivered', 'failed')", name="notification_status"),
    CheckConstraint("(status = 'pending') = (finished_at IS NULL)", name="notification_finished"),
    CheckConstraint("(status = 'failed') = (failure IS NOT NULL)", name="notification_failure"),
    Index("notification_due", "next_attempt_at", postgresql_where=text("status = 'pending'")),
    Index("notification_sent_to", "address", "finished_at", postgresql_where=text("status = 'delivered'")),
)
