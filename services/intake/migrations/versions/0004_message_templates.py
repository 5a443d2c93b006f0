"""The organisation's own wording of messages to customers.

Revision ID: 0004
"""

from __future__ import annotations

from typing import Final

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

STATEMENTS: Final[tuple[str, ...]] = (
    """
    CREATE TABLE notification_template (
      kind text NOT NULL,
      locale text NOT NULL,
      version integer NOT NULL,
      wording text,
      changed_at timestamptz NOT NULL,
      changed_by text NOT NULL,
      PRIMARY KEY (kind, locale, version),
      CONSTRAINT notification_template_version CHECK (version > 0)
    )
    """,
    "COMMENT ON COLUMN notification_template.version IS $$0 is the wording that comes with the release$$",
    "COMMENT ON COLUMN notification_template.wording IS $$none: back to the wording of the release$$",
)


def upgrade() -> None:
    """Apply the statements in order."""
    for statement in STATEMENTS:
        op.execute(statement)
