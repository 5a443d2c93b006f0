"""Requests, customers and their identities, what intake knows of tickets, notifications; and the key of references, made once."""

import secrets

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from shared.migrations import create_shared_tables

revision = "0001"
down_revision = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create everything."""
    create_shared_tables("intake", timers=False)
    _references()
    _customers()
    _requests()
    _tickets()
    _notifications()


def _references() -> None:
    op.execute("CREATE SEQUENCE reference_number MINVALUE 0 MAXVALUE 1073741823 START 0 CYCLE")
    key = op.create_table(
        "reference_key",
        sa.Column("id", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column(
            "key", sa.LargeBinary, nullable=False, comment="made once by the first migration; another key could give a number out twice"
        ),
        sa.CheckConstraint("id = 1", name="reference_key_one_row"),
    )
    op.bulk_insert(key, [{"id": 1, "key": secrets.token_bytes(32)}])


def _customers() -> None:
    op.create_table(
        "customer",
        sa.Column("customer_id", sa.Uuid, primary_key=True),
        sa.Column("name", sa.Text),
        sa.Column("locale", sa.Text, nullable=False),
        sa.Column("tier", sa.Text, nullable=False, server_default="standard"),
        sa.Column("registered_at", MOMENT, nullable=False),
    )
    op.create_table(
        "identity",
        sa.Column("scheme", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, primary_key=True),
        sa.CheckConstraint("scheme IN ('app_user', 'email', 'phone')", name="identity_scheme"),
    )
    op.create_table(
        "customer_identity",
        sa.Column("customer_id", sa.Uuid, sa.ForeignKey("customer.customer_id", name="customer_identity_customer"), primary_key=True),
        sa.Column("scheme", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, primary_key=True),
        sa.Column("address", sa.Text, nullable=False, comment="as it is written to; the value is as it is compared"),
        sa.Column("matches", sa.Boolean, nullable=False, comment="false: a contact that recognises nobody"),
        sa.Column("linked_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["scheme", "value"], ["identity.scheme", "identity.value"], name="customer_identity_identity"),
    )
    op.create_index("customer_identity_holders", "customer_identity", ["scheme", "value"], postgresql_where=sa.text("matches"))
    op.create_index(
        "customer_identity_account", "customer_identity", ["value"], unique=True, postgresql_where=sa.text("scheme = 'app_user'")
    )
    op.create_table(
        "merge_suggestion",
        sa.Column("customer_id", sa.Uuid, sa.ForeignKey("customer.customer_id", name="merge_suggestion_customer"), primary_key=True),
        sa.Column("other_id", sa.Uuid, sa.ForeignKey("customer.customer_id", name="merge_suggestion_other"), primary_key=True),
        sa.Column("suggested_at", MOMENT, nullable=False),
    )


def _requests() -> None:
    op.create_table(
        "request",
        sa.Column("request_id", sa.Uuid, primary_key=True),
        sa.Column("reference", sa.Text, nullable=False),
        sa.Column("customer_id", sa.Uuid, sa.ForeignKey("customer.customer_id", name="request_customer"), nullable=False),
        sa.Column("principal", sa.Text, nullable=False, comment="who sent it"),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("external_id", sa.Text),
        sa.Column("external_id_reused", sa.Boolean, nullable=False),
        sa.Column("content_digest", sa.LargeBinary, nullable=False),
        sa.Column("type", sa.Text),
        sa.Column("locale", sa.Text, nullable=False),
        sa.Column("subject", sa.Text),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("contact", JSONB, nullable=False, comment="what the request said of its customer, as it said it"),
        sa.Column("product", JSONB),
        sa.Column("attachments", JSONB, nullable=False),
        sa.Column("metadata", JSONB, nullable=False),
        sa.Column("expected_resolution_at", MOMENT),
        sa.Column("occurred_at", MOMENT, nullable=False),
        sa.Column("occurred_at_clamped", sa.Boolean, nullable=False),
        sa.Column("received_at", MOMENT, nullable=False),
        sa.Column("in_reply_to", sa.Text),
        sa.Column("completeness", sa.Double, nullable=False),
        sa.Column("missing_fields", JSONB, nullable=False),
        sa.CheckConstraint("completeness BETWEEN 0 AND 1", name="request_completeness"),
        sa.CheckConstraint("external_id IS NOT NULL OR NOT external_id_reused", name="request_reused_has_external_id"),
    )
    op.create_index("request_reference", "request", ["reference"], unique=True)
    op.create_index(
        "request_reused_content",
        "request",
        ["channel", "external_id", "content_digest"],
        unique=True,
        postgresql_where=sa.text("external_id_reused"),
    )
    first = sa.ForeignKey("request.request_id", name="external_message_first", deferrable=True, initially="DEFERRED")
    op.create_table(
        "external_message",
        sa.Column("channel", sa.Text, primary_key=True),
        sa.Column("external_id", sa.Text, primary_key=True),
        sa.Column("first_request_id", sa.Uuid, first, nullable=False),
    )


def _tickets() -> None:
    op.create_table(
        "ticket_copy",
        sa.Column("number", sa.Text, primary_key=True),
        sa.Column("customer_id", sa.Uuid, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
    )
    op.create_table(
        "ticket_alias",
        sa.Column("reference", sa.Text, primary_key=True, comment="of a request that joined the ticket instead of opening one"),
        sa.Column("number", sa.Text, nullable=False),
    )


def _notifications() -> None:
    op.create_table(
        "notification",
        sa.Column("event_id", sa.Uuid, primary_key=True, comment="of notification.requested; Message-ID and file name derive from it"),
        sa.Column("notification_id", sa.Uuid, nullable=False),
        sa.Column("customer_id", sa.Uuid, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("locale", sa.Text, nullable=False),
        sa.Column("ticket_number", sa.Text),
        sa.Column("text", sa.Text),
        sa.Column("link", sa.Text),
        sa.Column("expires_at", MOMENT),
        sa.Column("requested_at", MOMENT, nullable=False),
        sa.Column("status", sa.Text, nullable=False, server_default="pending"),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("first_attempt_at", MOMENT, comment="real time"),
        sa.Column("next_attempt_at", MOMENT, nullable=False, comment="real time; while claimed, the end of the claim"),
        sa.Column("address", sa.Text, comment="where it went"),
        sa.Column("finished_at", MOMENT),
        sa.Column("failure", sa.Text),
        sa.CheckConstraint("status IN ('pending', 'delivered', 'failed')", name="notification_status"),
        sa.CheckConstraint("(status = 'pending') = (finished_at IS NULL)", name="notification_finished"),
        sa.CheckConstraint("(status = 'failed') = (failure IS NOT NULL)", name="notification_failure"),
    )
    op.create_index("notification_due", "notification", ["next_attempt_at"], postgresql_where=sa.text("status = 'pending'"))
    op.create_index("notification_sent_to", "notification", ["address", "finished_at"], postgresql_where=sa.text("status = 'delivered'"))
