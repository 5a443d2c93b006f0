"""Tickets of a kind that few are (a status, type, channel, tier or priority) are found without looking at all of them.

Revision ID: 0007
"""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One index for the four: their values are few, so it is looked through by leaps, and small. Statuses have theirs, but for closed."""
    op.execute("CREATE INDEX ticket_kind ON ticket (priority, tier, type, channel)")
    op.execute("DROP INDEX ticket_open")
    op.execute("CREATE INDEX ticket_open ON ticket (status, opened_at, number) WHERE status <> 'closed'")
