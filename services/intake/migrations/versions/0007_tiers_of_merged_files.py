"""What tier each file was given, beside the one that counts: of files that are one person the highest.

Persons that were merged before keep the tier that they have until something is merged or undone among their files: it was told so.

Revision ID: 0007
"""

from __future__ import annotations

from typing import Final

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

STATEMENTS: Final[tuple[str, ...]] = (
    "SET LOCAL lock_timeout = '10s'",
    """
    ALTER TABLE customer
      ADD COLUMN tier_given text NOT NULL DEFAULT 'standard',
      ADD COLUMN tier_given_reason text
    """,
    "UPDATE customer SET tier_given = tier, tier_given_reason = tier_reason WHERE tier <> 'standard' OR tier_reason IS NOT NULL",
    "ALTER TABLE customer ADD CONSTRAINT customer_tier_given CHECK (tier_given IN ('standard', 'silver', 'gold', 'vip'))",
)


def upgrade() -> None:
    """Apply the statements in order."""
    for statement in STATEMENTS:
        op.execute(statement)
