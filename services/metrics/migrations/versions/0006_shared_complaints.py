"""A complaint says whether it is the only one of its file on its topic: nearly all are, and nobody has to look for others any more.

Revision ID: 0006
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

MARK: Final = """
UPDATE complaint c SET is_shared = true
  FROM (SELECT projection_version, customer_id, topic FROM complaint GROUP BY 1, 2, 3 HAVING count(*) > 1) shared
 WHERE (c.projection_version, c.customer_id, c.topic) = (shared.projection_version, shared.customer_id, shared.topic)
"""


def upgrade() -> None:
    """Add the column, then mark those that share."""
    op.execute("SET LOCAL statement_timeout = 0")
    op.add_column(
        "complaint",
        sa.Column(
            "is_shared",
            sa.Boolean,
            nullable=False,
            server_default="false",
            comment="there is another one of the same file on the same topic",
        ),
    )
    op.execute(MARK)
