"""Intake reads the facts of surveys, too: their rows are kept until it has them.

Revision ID: 0003
"""

from __future__ import annotations

from typing import Final

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

STATEMENTS: Final[tuple[str, ...]] = (
    """
    INSERT INTO outbox_known (consumer, topic, part, last_seq, stamp)
    SELECT 'intake', 'aftercare.feedback', part, 0, 'epoch' FROM generate_series(0, 11) part ON CONFLICT DO NOTHING
    """,
)


def upgrade() -> None:
    """Apply the statements in order."""
    for statement in STATEMENTS:
        op.execute(statement)
