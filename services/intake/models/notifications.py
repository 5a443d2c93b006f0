"""Messages to customers."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from services.intake.models.metadata import METADATA

NOTIFICATION: Final = Table(
    "notification",
    METADATA,
    Column(
        "event_id",
        Uuid,
        primary_key=True,
        comment="of notification.requested, or the request that it acknowledges; Message-ID and file name derive from it",
    ),
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
    Column("data", JSONB, nullable=False, server_default=text("'{}'::jsonb"), comment="codes and figures that the template shows"),
    Column("given_address", Text, comment="named by the request itself; goes before those of the customer file"),
    Column("channel", Text),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=text("now()"), comment="real time"),
    Column("resend_of", Uuid, comment="the failed one that staff had sent again"),
    Column("requested_by", Text, comment="who had it sent again; none: an event asked for it"),
    CheckConstraint("status IN ('pending', 'delivered', 'failed')", name="notification_status"),
    CheckConstraint("(status = 'pending') = (finished_at IS NULL)", name="notification_finished"),
    CheckConstraint("(status = 'failed') = (failure IS NOT NULL)", name="notification_failure"),
    Index("notification_due", "next_attempt_at", postgresql_where=text("status = 'pending'")),
    Index("notification_customer", "customer_id", "requested_at", "event_id"),
    Index("notification_named", "notification_id", unique=True),
    # a failed message is sent again once; what became of that is another message
    Index("notification_resent", "resend_of", unique=True, postgresql_where=text("resend_of IS NOT NULL")),
    Index("notification_listed", "requested_at", "event_id"),
    Index("notification_failed", "requested_at", "event_id", postgresql_where=text("status = 'failed'")),
    Index("notification_ticket", "ticket_number", "requested_at", "event_id", postgresql_where=text("ticket_number IS NOT NULL")),
    Index(
        "notification_keeps_text",
        "finished_at",
        postgresql_where=text("status = 'failed' AND (text IS NOT NULL OR link IS NOT NULL)"),
    ),
)

VOID_NOTIFICATION: Final = Table(
    "void_notification",
    METADATA,
    # the topics of facts and of messages know no order between them, so the end of a survey may be known before its invitation
    Column("notification_id", Uuid, primary_key=True, comment="asked for already, or not yet"),
    Column("at", DateTime(timezone=True), nullable=False),
    Index("void_notification_at", "at"),
)

SURVEY_WISH: Final = Table(
    "survey_wish",
    METADATA,
    # the last word of each customer file, beside the consents of the file
    Column("customer_id", Uuid, primary_key=True),
    Column("opted_out", Boolean, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False, comment="what was asked for later was asked for in knowledge of it"),
)

BUDGET_USE: Final = Table(
    "budget_use",
    METADATA,
    # one row per automatic message that left for an address, or may have
    Column("event_id", Uuid, primary_key=True),
    Column("claimed_until", DateTime(timezone=True), primary_key=True, comment="tells the attempts at one message apart"),
    Column("key", Text, nullable=False, comment="channel and address, as they share a budget"),
    Column("at", DateTime(timezone=True), nullable=False, comment="business time; when it left, or may have"),
    Index("budget_use_of", "key", "at"),
    Index("budget_use_at", "at"),
)

NOTIFICATION_TEMPLATE: Final = Table(
    "notification_template",
    METADATA,
    # only ever added to: the newest version counts, the others say how messages read before
    Column("kind", Text, primary_key=True),
    Column("locale", Text, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False, comment="0 is the wording that comes with the release"),
    Column("wording", Text, comment="none: back to the wording of the release"),
    Column("changed_at", DateTime(timezone=True), nullable=False),
    Column("changed_by", Text, nullable=False),
    CheckConstraint("version > 0", name="notification_template_version"),
)
