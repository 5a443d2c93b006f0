"""A due time that passes rewrites no index of its ticket.

What a warning changes of a ticket is in no index from now on: where the ticket stands in the order of changes is kept beside it until
something else changes it. Pages have room for the next version of a row.

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
    "ALTER TABLE ticket ADD COLUMN told_at timestamptz",
    """
    CREATE TABLE told (
        at timestamptz NOT NULL,
        number text COLLATE "C" NOT NULL,
        PRIMARY KEY (at, number)
    )
    """,
    "COMMENT ON COLUMN ticket.changed_at IS 'of the newest change; see told_at'",
    "COMMENT ON COLUMN ticket.told_at IS 'of the newest change, if it was a due time that passed: that leaves changed_at alone'",
    "COMMENT ON TABLE told IS 'tickets with told_at: their places in the order of changes'",
    # of pages that are written from now on
    "ALTER TABLE ticket SET (fillfactor = 50)",
    "ALTER TABLE sla_clock SET (fillfactor = 60)",
)


def upgrade() -> None:
    """Waits for nobody longer than it takes to change the catalogue."""
    for statement in STATEMENTS:
        op.execute(statement)
