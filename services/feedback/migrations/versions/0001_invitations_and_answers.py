"""Invitations, their answers and comments, the copies of customers' languages and of ticket aliases, and the tables of delivery."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from shared.migrations import create_shared_tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create them."""
    create_shared_tables("feedback", timers=True)
    _create_invitation()
    _create_answer()
    op.create_table(
        "comment",
        sa.Column("invitation_id", sa.Uuid, sa.ForeignKey("answer.invitation_id", ondelete="CASCADE"), primary_key=True),
        sa.Column("text", sa.Text, nullable=False, comment="the customer's own words; personal, erased with the customer"),
    )
    op.create_table(
        "customer",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("locale", sa.Text, nullable=False),
        comment="copy of what intake tells: the language only",
    )
    op.create_table(
        "ticket_alias",
        sa.Column("reference", sa.Text, primary_key=True),
        sa.Column("ticket_number", sa.Text, nullable=False),
        comment="copy of what tickets tells: service numbers that answer as a ticket",
    )


def _create_invitation() -> None:
    op.create_table(
        "invitation",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("ticket_number", sa.Text, nullable=False),
        sa.Column("episode", sa.Integer, nullable=False),
        sa.Column("customer_id", sa.Uuid, nullable=False),
        sa.Column("form", sa.Text, nullable=False),
        sa.Column("locale", sa.Text, nullable=False),
        sa.Column("dimensions", JSONB, nullable=False, comment="of the ticket at the resolution; never changed"),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("send_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("token_hash", sa.LargeBinary, comment="SHA-256; the token itself is only in the customer's mail"),
        sa.Column("invited_at", sa.DateTime(timezone=True)),
        sa.Column("expires_at", sa.DateTime(timezone=True)),
        sa.Column("answered_at", sa.DateTime(timezone=True)),
        sa.Column("cancelled_at", sa.DateTime(timezone=True)),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.CheckConstraint("episode >= 1", name="invitation_episode"),
        sa.CheckConstraint("num_nulls(token_hash, invited_at, expires_at) IN (0, 3)", name="invitation_sent_with_token"),
        sa.CheckConstraint("answered_at IS NULL OR invited_at IS NOT NULL", name="invitation_answered_after_sent"),
        sa.CheckConstraint("answered_at IS NULL OR cancelled_at IS NULL", name="invitation_answered_or_cancelled"),
    )
    op.create_index("invitation_ticket_episode", "invitation", ["ticket_number", "episode"], unique=True)
    op.create_index("invitation_token_hash", "invitation", ["token_hash"], unique=True)
    op.create_index("invitation_created_at", "invitation", ["created_at", "id"])
    op.create_index("invitation_customer_id", "invitation", ["customer_id"])


def _create_answer() -> None:
    op.create_table(
        "answer",
        sa.Column("invitation_id", sa.Uuid, sa.ForeignKey("invitation.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("overall", sa.SmallInteger, comment="Q0"),
        sa.Column("recommend", sa.SmallInteger, comment="N1"),
        sa.Column("solved", sa.Text, comment="Y1"),
        sa.Column("given", JSONB, nullable=False, comment="all answers but the comment, by question id"),
        sa.Column("locale", sa.Text, nullable=False, comment="the language in which the questions were read"),
        sa.Column("door", sa.Text, nullable=False, comment="rest or page"),
        sa.CheckConstraint("overall BETWEEN 1 AND 5", name="answer_overall"),
        sa.CheckConstraint("recommend BETWEEN 0 AND 10", name="answer_recommend"),
        sa.CheckConstraint("solved IN ('yes', 'partly', 'no')", name="answer_solved"),
        sa.CheckConstraint("door IN ('rest', 'page')", name="answer_door"),
    )
