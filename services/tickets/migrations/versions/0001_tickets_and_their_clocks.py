"""The tables of tickets, the shared ones, and the first version of the SLA policy.

Revision ID: 0001
"""

from __future__ import annotations

from typing import Final

from alembic import op

from shared.migrations import create_shared_tables

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES: Final = (
    """
    CREATE TABLE ticket (
        number text COLLATE "C" NOT NULL,
        series text COLLATE "C" NOT NULL,
        version integer NOT NULL,
        status text NOT NULL,
        customer_id uuid NOT NULL,
        channel text NOT NULL,
        locale text NOT NULL,
        tier text NOT NULL,
        type text,
        step text,
        priority text NOT NULL,
        category text,
        root_topic text,
        product_model text,
        batch text,
        team text,
        assignee text,
        opened_at timestamptz NOT NULL,
        changed_at timestamptz NOT NULL,
        episode integer NOT NULL,
        resolution_code text,
        first_resolved_at timestamptz,
        resolved_at timestamptz,
        closed_at timestamptz,
        linked_to text COLLATE "C",
        subject text,
        product_named text,
        serial_number text,
        order_number text,
        purchase_date text,
        expected_resolution_at timestamptz,
        words tsvector NOT NULL,
        PRIMARY KEY (number),
        CONSTRAINT status_known CHECK (status IN ('new', 'triaged', 'assigned', 'in_progress', 'waiting_customer',
            'waiting_parts', 'waiting_third_party', 'resolved', 'confirmed', 'closed', 'cancelled', 'merged')),
        CONSTRAINT priority_known CHECK (priority IN ('low', 'normal', 'high', 'urgent')),
        CONSTRAINT counts CHECK (version > 0 AND episode >= 0),
        CONSTRAINT worked_on_by_somebody CHECK (assignee IS NOT NULL OR status IN ('new', 'triaged', 'cancelled', 'merged')),
        CONSTRAINT resolved_at_is_the_last_resolve CHECK ((episode > 0) = (resolved_at IS NOT NULL)),
        CONSTRAINT done_is_resolved CHECK (resolved_at IS NOT NULL OR status NOT IN ('resolved', 'confirmed')),
        CONSTRAINT closed_at_is_the_end CHECK ((closed_at IS NOT NULL) = (status IN ('closed', 'cancelled', 'merged'))),
        CONSTRAINT only_linked_tickets_continue_a_series CHECK ((linked_to IS NULL) = (series = number))
    )
    """,
    """
    CREATE INDEX ticket_assignee ON ticket (assignee, opened_at, number) WHERE assignee IS NOT NULL
    """,
    """
    CREATE INDEX ticket_customer ON ticket (customer_id, opened_at, number)
    """,
    """
    CREATE INDEX ticket_newest ON ticket (opened_at, number)
    """,
    """
    CREATE INDEX ticket_open ON ticket (status, opened_at, number) WHERE status IN ('new', 'triaged', 'assigned', 'in_progress',
        'waiting_customer', 'waiting_parts', 'waiting_third_party')
    """,
    """
    CREATE INDEX ticket_series ON ticket (series) WHERE linked_to IS NOT NULL
    """,
    """
    CREATE INDEX ticket_team ON ticket (team, opened_at, number) WHERE team IS NOT NULL
    """,
    """
    CREATE INDEX ticket_words ON ticket USING gin (words)
    """,
    """
    CREATE TABLE sla_clock (
        number text COLLATE "C" NOT NULL,
        target text NOT NULL,
        started_at timestamptz NOT NULL,
        budget_ms bigint NOT NULL,
        policy_version integer NOT NULL,
        due_at timestamptz NOT NULL,
        paused_ms bigint NOT NULL,
        met_at timestamptz,
        breached_at timestamptz,
        stopped_at timestamptz,
        PRIMARY KEY (number, target),
        CONSTRAINT target_known CHECK (target IN ('first_response', 'resolution')),
        CONSTRAINT ends_once CHECK (met_at IS NULL OR stopped_at IS NULL),
        FOREIGN KEY(number) REFERENCES ticket (number)
    )
    """,
    """
    CREATE TABLE sla_pause (
        number text COLLATE "C" NOT NULL,
        target text NOT NULL,
        ordinal integer NOT NULL,
        started_at timestamptz NOT NULL,
        ended_at timestamptz,
        PRIMARY KEY (number, target, ordinal),
        CONSTRAINT ends_after_it_began CHECK (ended_at >= started_at),
        FOREIGN KEY(number) REFERENCES ticket (number)
    )
    """,
    """
    CREATE UNIQUE INDEX sla_pause_open ON sla_pause (number, target) WHERE ended_at IS NULL
    """,
    """
    CREATE TABLE history (
        number text COLLATE "C" NOT NULL,
        version integer NOT NULL,
        type text NOT NULL,
        at timestamptz NOT NULL,
        actor text NOT NULL,
        data jsonb NOT NULL,
        PRIMARY KEY (number, version),
        FOREIGN KEY(number) REFERENCES ticket (number)
    )
    """,
    """
    CREATE TABLE message (
        id uuid NOT NULL,
        number text COLLATE "C" NOT NULL,
        version integer NOT NULL,
        author text NOT NULL,
        public boolean NOT NULL,
        at timestamptz NOT NULL,
        channel text,
        reference text,
        text text NOT NULL,
        truncated boolean NOT NULL,
        salt bytea NOT NULL,
        PRIMARY KEY (id),
        FOREIGN KEY(number) REFERENCES ticket (number)
    )
    """,
    """
    CREATE INDEX message_of_ticket ON message (number, version)
    """,
    """
    CREATE TABLE alias (
        reference text COLLATE "C" NOT NULL,
        number text COLLATE "C" NOT NULL,
        PRIMARY KEY (reference),
        FOREIGN KEY(number) REFERENCES ticket (number)
    )
    """,
    """
    CREATE TABLE series (
        number text COLLATE "C" NOT NULL,
        last smallint NOT NULL,
        PRIMARY KEY (number),
        FOREIGN KEY(number) REFERENCES ticket (number)
    )
    """,
    """
    CREATE TABLE customer (
        id uuid NOT NULL,
        locale text NOT NULL,
        tier text NOT NULL,
        PRIMARY KEY (id)
    )
    """,
    """
    CREATE TABLE sla_policy (
        version integer NOT NULL,
        valid_from timestamptz NOT NULL,
        pauses_on text[] NOT NULL,
        PRIMARY KEY (version)
    )
    """,
    """
    CREATE TABLE sla_budget (
        version integer NOT NULL,
        priority text NOT NULL,
        first_response_ms bigint NOT NULL,
        resolution_ms bigint NOT NULL,
        PRIMARY KEY (version, priority),
        CONSTRAINT priority_known CHECK (priority IN ('low', 'normal', 'high', 'urgent')),
        CONSTRAINT budgets_are_positive CHECK (first_response_ms > 0 AND resolution_ms > 0),
        FOREIGN KEY(version) REFERENCES sla_policy (version)
    )
    """,
)

COMMENTS: Final = (
    "COMMENT ON COLUMN ticket.series IS 'number of the first ticket on this matter'",
    "COMMENT ON COLUMN ticket.episode IS 'how many times it was resolved'",
    "COMMENT ON COLUMN ticket.resolved_at IS 'the last resolve'",
    "COMMENT ON COLUMN ticket.product_named IS 'in the customer''s words; product_model is a code'",
    "COMMENT ON COLUMN ticket.words IS 'of the subject, cut by search.py'",
    "COMMENT ON COLUMN sla_clock.due_at IS 'as known at the newest change; moves on while the clock is paused'",
    "COMMENT ON COLUMN sla_clock.paused_ms IS 'closed pauses'",
    "COMMENT ON COLUMN sla_clock.breached_at IS 'the due time that was announced as missed'",
    "COMMENT ON COLUMN history.at IS 'when it happened; a breach is dated at its due time'",
    "COMMENT ON COLUMN history.data IS 'ids, codes, numbers, salted digests; never words'",
    "COMMENT ON COLUMN message.id IS 'of a customer''s message: the id of the request, so that none counts twice'",
    "COMMENT ON COLUMN message.version IS 'of the ticket, with this message'",
    "COMMENT ON COLUMN message.author IS 'principal id of staff, or customer'",
    "COMMENT ON COLUMN message.reference IS 'the customer''s service number for this message'",
    "COMMENT ON COLUMN message.truncated IS 'the whole text is in intake'",
    "COMMENT ON COLUMN message.salt IS 'of the digest in the history; erased with the text'",
    "COMMENT ON TABLE alias IS 'service numbers of messages that joined a ticket: each answers as that ticket'",
    "COMMENT ON COLUMN series.last IS 'ordinal of the newest linked ticket; its row lock gives out the next'",
    "COMMENT ON TABLE customer IS 'read copy from intake''s events; no name, no address'",
    "COMMENT ON COLUMN sla_policy.pauses_on IS 'what a ticket may wait for while its resolution clock stands still'",
)

FIRST_POLICY: Final = (
    # around the clock; a complaint starts as high, everything else as normal
    "INSERT INTO sla_policy (version, valid_from, pauses_on) VALUES (1, 'epoch', '{customer}')",
    """
    INSERT INTO sla_budget (version, priority, first_response_ms, resolution_ms)
    SELECT 1, priority, extract(epoch FROM first_response) * 1000, extract(epoch FROM resolution) * 1000
      FROM (VALUES ('low',    interval '8 hours',    interval '5 days'),
                   ('normal', interval '4 hours',    interval '3 days'),
                   ('high',   interval '1 hour',     interval '1 day'),
                   ('urgent', interval '15 minutes', interval '4 hours')) AS seed(priority, first_response, resolution)
    """,
)


def upgrade() -> None:
    """Create everything."""
    create_shared_tables("tickets", timers=True)
    for statement in (*TABLES, *COMMENTS, *FIRST_POLICY):
        op.execute(statement)
