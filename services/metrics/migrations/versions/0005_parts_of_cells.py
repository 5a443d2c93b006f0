"""What the pieces of a rebuild give to cells has a table of its own, so that processes which build together need not wait for each other.

It is empty while nobody rebuilds.

Revision ID: 0005
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

DIMENSIONS: Final = ("channel", "type", "priority", "team", "agent", "tier")


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "kpi_cell_part",
        sa.Column("projection_version", sa.Integer, nullable=False),
        sa.Column("bucket", sa.Integer, nullable=False, comment="quarter hours since 1970 UTC"),
        *(sa.Column(name, sa.Text, nullable=False, comment="empty = none") for name in DIMENSIONS),
        sa.Column("counts", sa.Text, nullable=False, comment="as in kpi_cell"),
        comment="what the pieces of a rebuild give to cells, until they are added up: nobody waits for another who writes the same cell",
        prefixes=["UNLOGGED"],
    )
    op.create_index("kpi_cell_part_bucket", "kpi_cell_part", ["projection_version", "bucket"])
