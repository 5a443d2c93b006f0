"""Agents, teams, skills, presence, queues.

Revision ID: 0003
"""

from __future__ import annotations

from typing import Final

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

STATEMENTS: Final[tuple[str, ...]] = (
    """
    CREATE TABLE agent (
        id text COLLATE "C" NOT NULL,
        version integer NOT NULL,
        name text NOT NULL,
        position text,
        teams text[] NOT NULL,
        skills text[] NOT NULL,
        tiers text[] NOT NULL,
        capacity integer,
        presence text NOT NULL,
        presence_at timestamptz NOT NULL,
        active boolean NOT NULL,
        given_at timestamptz,
        PRIMARY KEY (id),
        CONSTRAINT position_known CHECK (position IN ('customer_service_specialist', 'technical_support_engineer',
            'returns_specialist', 'complaint_specialist', 'after_sales_specialist', 'supervisor', 'team_leader',
            'training_supervisor', 'recorder', 'analyst', 'reporter', 'it', 'finance', 'product', 'field_engineer', 'sales',
            'service_engineer', 'supervision', 'expert')),
        CONSTRAINT presence_known CHECK (presence IN ('present', 'away', 'offline')),
        CONSTRAINT agent_counts CHECK (version > 0 AND capacity > 0),
        CONSTRAINT who_left_is_offline CHECK (active OR presence = 'offline')
    )
    """,
    """
    CREATE INDEX agent_teams ON agent USING gin (teams)
    """,
    """
    CREATE TABLE team (
        id text COLLATE "C" NOT NULL,
        version integer NOT NULL,
        name text NOT NULL,
        types text[] NOT NULL,
        channels text[] NOT NULL,
        tiers text[] NOT NULL,
        calendar text,
        distribution text NOT NULL,
        when_offline text NOT NULL,
        active boolean NOT NULL,
        PRIMARY KEY (id),
        CONSTRAINT distribution_known CHECK (distribution IN ('round_robin', 'by_hand')),
        CONSTRAINT when_offline_known CHECK (when_offline IN ('keep', 'queue')),
        CONSTRAINT team_counts CHECK (version > 0)
    )
    """,
    """
    CREATE TABLE skill (
        id text COLLATE "C" NOT NULL,
        version integer NOT NULL,
        name text NOT NULL,
        types text[] NOT NULL,
        categories text[] NOT NULL,
        active boolean NOT NULL,
        PRIMARY KEY (id),
        CONSTRAINT skill_counts CHECK (version > 0)
    )
    """,
    """
    CREATE TABLE staff_change (
        kind text NOT NULL,
        id text COLLATE "C" NOT NULL,
        version integer NOT NULL,
        at timestamptz NOT NULL,
        actor text NOT NULL,
        data jsonb NOT NULL,
        PRIMARY KEY (kind, id, version),
        CONSTRAINT kind_known CHECK (kind IN ('agent', 'team', 'skill'))
    )
    """,
    """
    CREATE TABLE assignment (
        number text COLLATE "C" NOT NULL,
        version integer NOT NULL,
        at timestamptz NOT NULL,
        actor text NOT NULL,
        code text,
        reason text,
        team text,
        agent text,
        needed text[],
        teams jsonb,
        candidates jsonb,
        PRIMARY KEY (number, version),
        FOREIGN KEY (number) REFERENCES ticket (number)
    )
    """,
    """
    CREATE INDEX ticket_queue ON ticket (
        team,
        array_position('{urgent,high,normal,low}'::text[], priority),
        COALESCE(array_position('{vip,gold,silver}'::text[], tier), 4),
        opened_at, number
    ) WHERE assignee IS NULL AND team IS NOT NULL AND status IN ('new', 'triaged')
    """,
    """
    CREATE INDEX ticket_load ON ticket (assignee) WHERE assignee IS NOT NULL AND status IN ('new', 'triaged', 'assigned',
        'in_progress', 'waiting_customer', 'waiting_parts', 'waiting_third_party')
    """,
    "COMMENT ON COLUMN agent.name IS 'what colleagues read; of all tables only this one holds it'",
    "COMMENT ON COLUMN agent.teams IS 'the first one is the home'",
    "COMMENT ON COLUMN agent.tiers IS 'of customers whom he is there for; empty: everybody'",
    "COMMENT ON COLUMN agent.capacity IS 'open tickets beyond which he is given no more'",
    "COMMENT ON COLUMN agent.given_at IS 'when he was given work the last time'",
    "COMMENT ON COLUMN team.types IS 'of requests that it takes; of these lists an empty one does not restrict'",
    "COMMENT ON COLUMN team.calendar IS 'business calendar by which it works'",
    "COMMENT ON COLUMN team.when_offline IS 'what becomes of the open tickets of an agent who goes offline'",
    "COMMENT ON COLUMN skill.types IS 'of tickets that need it; all lists that name anything must name the ticket''s'",
    "COMMENT ON COLUMN staff_change.data IS 'the fields that changed, as they are since; of a name only that it changed'",
    "COMMENT ON COLUMN assignment.version IS 'of the ticket, with this assignment'",
    "COMMENT ON COLUMN assignment.code IS 'how the agent was found; none: opened into a queue'",
    "COMMENT ON COLUMN assignment.needed IS 'skills that it needed'",
    "COMMENT ON COLUMN assignment.teams IS 'verdict on each team, where one was chosen'",
    "COMMENT ON COLUMN assignment.candidates IS 'verdict on each agent of the team, where one was looked for'",
)


def upgrade() -> None:
    """Apply the statements in order."""
    for statement in STATEMENTS:
        op.execute(statement)
