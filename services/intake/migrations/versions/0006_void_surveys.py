"""Surveys that nobody is to be asked any more: intake reads the facts of feedback from now on.

A database that was there before gets its positions in that topic; the topic is kept for ever, so they begin at its first number.

Revision ID: 0006
"""

from __future__ import annotations

from typing import Final

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

STATEMENTS: Final[tuple[str, ...]] = (
    "CREATE TABLE void_notification (notification_id uuid PRIMARY KEY, at timestamptz NOT NULL)",
    "CREATE INDEX void_notification_at ON void_notification (at)",
    "CREATE TABLE survey_wish (customer_id uuid PRIMARY KEY, opted_out boolean NOT NULL, at timestamptz NOT NULL)",
    """
    INSERT INTO consumer_part (topic, part, last_seq, next_off)
    SELECT 'aftercare.feedback', part, 0, 0 FROM generate_series(0, 11) part ON CONFLICT DO NOTHING
    """,
    "COMMENT ON COLUMN void_notification.notification_id IS 'asked for already, or not yet'",
    "COMMENT ON COLUMN survey_wish.at IS 'what was asked for later was asked for in knowledge of it'",
)


def upgrade() -> None:
    """Apply the statements in order."""
    for statement in STATEMENTS:
        op.execute(statement)
