"""Acknowledgements, status messages, budgets.

Revision ID: 0003
"""

from __future__ import annotations

from typing import Final

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_NOTIFICATIONS: Final = (
    """
    ALTER TABLE notification
      ADD COLUMN data jsonb NOT NULL DEFAULT '{}'::jsonb,
      ADD COLUMN given_address text,
      ADD COLUMN channel text,
      ADD COLUMN created_at timestamptz NOT NULL DEFAULT now(),
      ADD COLUMN resend_of uuid,
      ADD COLUMN requested_by text
    """,
    "UPDATE notification SET channel = 'email' WHERE address IS NOT NULL",
    "CREATE UNIQUE INDEX notification_named ON notification (notification_id)",
    "CREATE UNIQUE INDEX notification_resent ON notification (resend_of) WHERE resend_of IS NOT NULL",
    "CREATE INDEX notification_listed ON notification (requested_at, event_id)",
    "CREATE INDEX notification_failed ON notification (requested_at, event_id) WHERE status = 'failed'",
    "CREATE INDEX notification_ticket ON notification (ticket_number, requested_at, event_id) WHERE ticket_number IS NOT NULL",
    """
    CREATE INDEX notification_keeps_text ON notification (finished_at)
     WHERE status = 'failed' AND (text IS NOT NULL OR link IS NOT NULL)
    """,
    "DROP INDEX notification_sent_to",
    # a receipt looks for those of the ticket's other references
    "CREATE INDEX ticket_alias_of ON ticket_alias (number)",
)

_BUDGET: Final = (
    """
    CREATE TABLE budget_use (
      event_id uuid NOT NULL,
      claimed_until timestamptz NOT NULL,
      key text NOT NULL,
      at timestamptz NOT NULL,
      PRIMARY KEY (event_id, claimed_until)
    )
    """,
    "CREATE INDEX budget_use_of ON budget_use (key, at)",
    "CREATE INDEX budget_use_at ON budget_use (at)",
    # what left before counts on
    """
    INSERT INTO budget_use (event_id, claimed_until, key, at)
    SELECT event_id, next_attempt_at, 'email:' || lower(address), finished_at FROM notification
     WHERE status = 'delivered' AND kind <> 'ticket_reply' AND finished_at > now() - interval '1 day'
    """,
)

_COMMENTS: Final = {
    "notification.event_id": "of notification.requested, or the request that it acknowledges; Message-ID and file name derive from it",
    "notification.data": "codes and figures that the template shows",
    "notification.given_address": "named by the request itself; goes before those of the customer file",
    "notification.created_at": "real time",
    "notification.resend_of": "the failed one that staff had sent again",
    "notification.requested_by": "who had it sent again; none: an event asked for it",
    "budget_use.claimed_until": "tells the attempts at one message apart",
    "budget_use.key": "channel and address, as they share a budget",
    "budget_use.at": "business time; when it left, or may have",
}

STATEMENTS: Final[tuple[str, ...]] = (
    *_NOTIFICATIONS,
    *_BUDGET,
    *(f"COMMENT ON COLUMN {column} IS $${words}$$" for column, words in _COMMENTS.items()),
)


def upgrade() -> None:
    """Apply the statements in order."""
    for statement in STATEMENTS:
        op.execute(statement)
