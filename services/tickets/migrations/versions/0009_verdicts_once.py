"""The verdicts on the agents of a team are kept once, not with each ticket that one of them is given.

Assignments that are there keep theirs. Pages of agents have room for the next version of a row, which each ticket makes of one of them:
without it, three of four of these wrote the indexes as well in a team of a thousand.

Revision ID: 0009
"""

from __future__ import annotations

from typing import Final

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

STATEMENTS: Final[tuple[str, ...]] = (
    """
    CREATE TABLE assignment_line (
        digest bytea NOT NULL,
        verdicts jsonb NOT NULL,
        PRIMARY KEY (digest)
    )
    """,
    # no foreign key, as to the ticket: who writes the assignment has seen or written the line, and lines stay
    "ALTER TABLE assignment ADD COLUMN line bytea",
    "ALTER TABLE agent SET (fillfactor = 50)",
    "COMMENT ON TABLE assignment_line IS 'what assignments have in common; written once, kept for ever'",
    "COMMENT ON COLUMN assignment_line.verdicts IS 'on each agent of a team, before one was chosen'",
    "COMMENT ON COLUMN assignment.line IS 'digest of the verdicts on each agent of the team, where one was looked for'",
    "COMMENT ON COLUMN assignment.candidates IS 'of rows from before there were lines: these verdicts, with the one on who was chosen'",
)


def upgrade() -> None:
    """Waits for nobody longer than it takes to change the catalogue."""
    for statement in STATEMENTS:
        op.execute(statement)
