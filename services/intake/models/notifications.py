"""Messages to customers."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
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

from services.intake.models.metadata import METADATA

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
