"""A ticket that was merged names the one that goes on, so that a customer sees how that one stands.

Revision ID: 0005
"""

from __future__ import annotations

from typing import Final

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

STATEMENTS: Final[tuple[str, ...]] = ("ALTER TABLE ticket_copy ADD COLUMN merged_into text",)


def upgrade() -> None:
    """Apply the statements in order."""
    for statement in STATEMENTS:
        op.execute(statement)
