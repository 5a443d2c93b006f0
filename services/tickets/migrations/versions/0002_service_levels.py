"""Calendars, policies by type, priority and tier, next response.

Revision ID: 0002
"""

from __future__ import annotations

from typing import Final

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES: Final = (
    """
    CREATE TABLE sla_edition (
        one boolean NOT NULL DEFAULT true,
        edition integer NOT NULL,
        key uuid NOT NULL,
        PRIMARY KEY (one),
        CONSTRAINT one_row CHECK (one),
        CONSTRAINT counts CHECK (edition > 0)
    )
    """,
    """
    CREATE TABLE calendar (
        id text COLLATE "C" NOT NULL,
        version integer NOT NULL,
        valid_from timestamptz NOT NULL,
        zone text NOT NULL,
        week jsonb NOT NULL,
        country text,
        subdivision text,
        makeup jsonb NOT NULL,
        changed_at timestamptz NOT NULL,
        changed_by text NOT NULL,
        PRIMARY KEY (id, version),
        CONSTRAINT a_part_of_a_country CHECK (subdivision IS NULL OR country IS NOT NULL)
    )
    """,
    """
    CREATE TABLE calendar_day (
        id text COLLATE "C" NOT NULL,
        version integer NOT NULL,
        day date NOT NULL,
        windows jsonb NOT NULL,
        source text NOT NULL,
        name text NOT NULL,
        PRIMARY KEY (id, version, day),
        CONSTRAINT source_known CHECK (source IN ('holiday', 'makeup', 'override'))
    )
    """,
    """
    CREATE TABLE policy (
        id text COLLATE "C" NOT NULL,
        version integer NOT NULL,
        valid_from timestamptz NOT NULL,
        type text,
        priority text,
        tier text,
        calendar text NOT NULL,
        first_response_ms bigint NOT NULL,
        next_response_ms bigint,
        resolution_ms bigint NOT NULL,
        pauses_on text[] NOT NULL,
        warn_percent smallint,
        escalations jsonb NOT NULL,
        active boolean NOT NULL,
        changed_at timestamptz NOT NULL,
        changed_by text NOT NULL,
        PRIMARY KEY (id, version),
        CONSTRAINT priority_known CHECK (priority IN ('low', 'normal', 'high', 'urgent')),
        CONSTRAINT budgets_are_positive CHECK (first_response_ms > 0 AND next_response_ms > 0 AND resolution_ms > 0),
        CONSTRAINT warned_before_it_is_due CHECK (warn_percent BETWEEN 1 AND 99)
    )
    """,
)

SEEDS: Final = (
    "INSERT INTO sla_edition (edition, key) VALUES (1, gen_random_uuid())",
    # around the clock, seven days a week; since ever, for a customer may say that he wrote long ago
    """
    INSERT INTO calendar (id, version, valid_from, zone, week, makeup, changed_at, changed_by)
    VALUES ('always', 1, '0001-01-01 00:00:00+00', 'UTC',
            '[[[0,1440]],[[0,1440]],[[0,1440]],[[0,1440]],[[0,1440]],[[0,1440]],[[0,1440]]]', '[[0,1440]]', 'epoch', 'system')
    """,
    # the promises of the first policy, now one policy for each priority; who asks again waits no longer than who asks first
    """
    INSERT INTO policy (id, version, valid_from, priority, calendar, first_response_ms, next_response_ms, resolution_ms, pauses_on,
                        warn_percent, escalations, active, changed_at, changed_by)
    SELECT 'standard-' || priority, 1, '0001-01-01 00:00:00+00', priority, 'always', first_response_ms, first_response_ms, resolution_ms,
           '{customer}', 80, '[{"reason": "sla_breached", "level": 1, "target": null}]', true, 'epoch', 'system'
      FROM sla_budget WHERE version = 1
    """,
)

CLOCKS: Final = (
    "ALTER TABLE sla_clock ADD COLUMN policy text, ADD COLUMN policy_row integer, ADD COLUMN calendar text,"
    " ADD COLUMN calendar_row integer, ADD COLUMN warned_at timestamptz",
    "UPDATE sla_clock c SET policy = 'standard-' || t.priority, policy_row = 1, calendar = 'always', calendar_row = 1, policy_version = 1"
    " FROM ticket t WHERE t.number = c.number",
    "ALTER TABLE sla_clock ALTER COLUMN policy SET NOT NULL, ALTER COLUMN policy_row SET NOT NULL, ALTER COLUMN calendar SET NOT NULL,"
    " ALTER COLUMN calendar_row SET NOT NULL",
    "ALTER TABLE sla_clock DROP CONSTRAINT target_known",
    "ALTER TABLE sla_clock ADD CONSTRAINT target_known CHECK (target IN ('first_response', 'next_response', 'resolution'))",
    "CREATE INDEX sla_clock_started ON sla_clock (started_at, number) WHERE target = 'next_response'",
    # what the history says about promises names policy and calendar from now on
    """
    UPDATE history h
       SET data = jsonb_set(h.data, '{promise}', jsonb_build_object(
               'policy', 'standard-' || (h.data ->> 'priority'), 'version', 1, 'calendar', 'always', 'calendar_version', 1, 'edition', 1,
               'first_response_ms', h.data -> 'promise' -> 'first_response_ms',
               'next_response_ms', h.data -> 'promise' -> 'first_response_ms',
               'resolution_ms', h.data -> 'promise' -> 'resolution_ms'))
     WHERE h.data -> 'promise' ? 'policy_version'
    """,
    "DROP TABLE sla_budget",
    "DROP TABLE sla_policy",
    "ALTER TABLE ticket ADD COLUMN entered_by text NOT NULL DEFAULT 'customer', ADD COLUMN contacted_at timestamptz,"
    " ADD COLUMN escalation smallint NOT NULL DEFAULT 0",
    "ALTER TABLE ticket ALTER COLUMN entered_by DROP DEFAULT",
    "CREATE INDEX ticket_escalated ON ticket (escalation, opened_at, number) WHERE escalation > 0",
)

COMMENTS: Final = (
    "COMMENT ON COLUMN sla_edition.edition IS 'counts every version of every policy and calendar'",
    "COMMENT ON COLUMN sla_edition.key IS 'new with each edition: what processes remember belongs to this one'",
    "COMMENT ON TABLE calendar IS 'versions; none ever changes'",
    "COMMENT ON COLUMN calendar.zone IS 'IANA'",
    "COMMENT ON COLUMN calendar.week IS 'seven lists of [first minute, last minute], Monday first'",
    "COMMENT ON COLUMN calendar.makeup IS 'windows of a make-up day'",
    "COMMENT ON TABLE calendar_day IS 'dates with other windows than their weekday''s, as the holidays were known when the version was"
    " written'",
    "COMMENT ON COLUMN calendar_day.windows IS 'none: closed'",
    "COMMENT ON TABLE policy IS 'versions; none ever changes'",
    "COMMENT ON COLUMN policy.type IS 'NULL: any'",
    "COMMENT ON COLUMN policy.priority IS 'NULL: any'",
    "COMMENT ON COLUMN policy.tier IS 'NULL: any'",
    "COMMENT ON COLUMN policy.pauses_on IS 'what a ticket may wait for while next response and resolution stand still'",
    "COMMENT ON COLUMN policy.warn_percent IS 'share of the budget after which somebody is warned'",
    "COMMENT ON COLUMN sla_clock.policy_row IS 'version of that policy'",
    "COMMENT ON COLUMN sla_clock.calendar_row IS 'version of that calendar'",
    "COMMENT ON COLUMN sla_clock.policy_version IS 'edition of all service levels when the promise was given; events carry it'",
    "COMMENT ON COLUMN sla_clock.paused_ms IS 'business time of closed pauses'",
    "COMMENT ON COLUMN sla_clock.warned_at IS 'the moment that was announced as close to the due time'",
    "COMMENT ON COLUMN ticket.entered_by IS 'who wrote the request down: customer, bot, agent, system'",
    "COMMENT ON COLUMN ticket.contacted_at IS 'first public message of staff on a ticket that an agent entered: it answers nothing yet'",
    "COMMENT ON COLUMN ticket.escalation IS 'how high: 1 the lead, 2 the manager'",
)


def upgrade() -> None:
    """Make the tables, move what the first policy promised into them, and drop it."""
    for statement in (*TABLES, *SEEDS, *CLOCKS, *COMMENTS):
        op.execute(statement)
