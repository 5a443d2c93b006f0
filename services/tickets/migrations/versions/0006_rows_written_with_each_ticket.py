"""Rows that are written with each ticket need no foreign key: who writes them has opened or locked the ticket in the same transaction.

A foreign key looks the ticket up for each row by itself, which was two fifths of the database's work for a request.

Revision ID: 0006
"""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TABLES = ("sla_clock", "history", "message", "proof", "assignment")


def upgrade() -> None:
    """Waits for nobody longer than it takes to change the catalogue."""
    for table in TABLES:
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT {table}_number_fkey")
