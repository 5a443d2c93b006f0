"""Whose hours count where a policy names no calendar.

Revision ID: 0005
"""

from __future__ import annotations

from typing import Final

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

STATEMENTS: Final[tuple[str, ...]] = (
    """
    CREATE TABLE team_hours (
        team text COLLATE "C" NOT NULL,
        version integer NOT NULL,
        valid_from timestamptz NOT NULL,
        calendar text,
        PRIMARY KEY (team, version)
    )
    """,
    "ALTER TABLE policy ALTER COLUMN calendar DROP NOT NULL",
    # no team had hours until now, so nothing that was promised by these changes: they were around the clock, and still are
    "UPDATE policy SET calendar = NULL WHERE id LIKE 'standard-%' AND version = 1 AND changed_by = 'system'",
    # nobody had looked whether there is such a calendar
    """
    WITH wrong AS (
        UPDATE team SET calendar = NULL, version = version + 1
         WHERE calendar IS NOT NULL AND calendar NOT IN (SELECT id FROM calendar)
        RETURNING id, version)
    INSERT INTO staff_change (kind, id, version, at, actor, data)
    SELECT 'team', id, version, now(), 'system', '{"calendar": null}' FROM wrong
    """,
    """
    INSERT INTO team_hours (team, version, valid_from, calendar)
    SELECT t.id, e.edition + 1, now(), t.calendar FROM team t CROSS JOIN sla_edition e WHERE t.calendar IS NOT NULL
    """,
    "UPDATE sla_edition SET edition = edition + 1, key = gen_random_uuid() WHERE EXISTS (SELECT FROM team_hours)",
    "COMMENT ON TABLE team_hours IS 'versions; none ever changes'",
    "COMMENT ON COLUMN team_hours.calendar IS 'NULL: around the clock'",
    "COMMENT ON COLUMN policy.calendar IS 'NULL: that of the ticket''s team'",
    "COMMENT ON COLUMN sla_edition.edition IS 'counts every version of every policy and calendar, and of the hours of every team'",
    "COMMENT ON COLUMN team.calendar IS 'business calendar in which promises are reckoned where their policy names none'",
)


def upgrade() -> None:
    """No policy and no ticket is promised anything else by this than before."""
    for statement in STATEMENTS:
        op.execute(statement)
