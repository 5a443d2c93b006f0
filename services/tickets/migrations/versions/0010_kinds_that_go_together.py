"""What hardly any ticket is, is found by an index and not looked for among all.

Statistics on the kinds of tickets and on their teams as a whole, and an index of the tickets that nobody has. The planner took each
column for independent of the others. So it went through a million tickets in order for a page of complaints by phone of a priority that
no such complaint has, since one ticket in thirty should have been one, and for the new tickets of a team that has none: more than a
second each.

Revision ID: 0010
"""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Writers of tickets wait while the index is made: less than a second for a million tickets."""
    op.execute("CREATE STATISTICS ticket_kinds (mcv) ON status, priority, tier, type, channel FROM ticket")
    op.execute("CREATE STATISTICS ticket_teams (mcv) ON status, team, type FROM ticket")
    op.execute("CREATE INDEX ticket_unassigned ON ticket (opened_at, number) WHERE assignee IS NULL")
    # of what is there already; autovacuum does it from now on
    op.execute("ANALYZE ticket")
