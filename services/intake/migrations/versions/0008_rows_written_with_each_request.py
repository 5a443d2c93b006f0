"""Rows that are written with each request need no foreign key: who writes them has registered or found the customer and locked the identity
in the same transaction, and neither is ever deleted. A foreign key looks each of them up, row by row, and writes a lock into what it finds.

A claimed key gets its answer in the same transaction; with room in its page for that no index is touched a second time.

Revision ID: 0008
"""

from __future__ import annotations

from typing import Final

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

STATEMENTS: Final[tuple[str, ...]] = (
    "SET LOCAL lock_timeout = '10s'",
    "ALTER TABLE request DROP CONSTRAINT request_customer",
    "ALTER TABLE customer_identity DROP CONSTRAINT customer_identity_origin, DROP CONSTRAINT customer_identity_identity",
    "ALTER TABLE idempotency SET (fillfactor = 12)",
)


def upgrade() -> None:
    """Apply the statements in order."""
    for statement in STATEMENTS:
        op.execute(statement)
