"""Steps, merges, links, reminders, the customer's view.

Revision ID: 0004
"""

from __future__ import annotations

from typing import Final

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_OPEN: Final = "('new', 'triaged', 'assigned', 'in_progress', 'waiting_customer', 'waiting_parts', 'waiting_third_party')"
_URGENCY: Final = "array_position('{urgent,high,normal,low}'::text[], priority)"

STATEMENTS: Final[tuple[str, ...]] = (
    """
    ALTER TABLE ticket
        ADD COLUMN started_at timestamptz,
        ADD COLUMN waiting_since timestamptz,
        ADD COLUMN reminded_at timestamptz,
        ADD COLUMN merged_into text COLLATE "C",
        ADD COLUMN next_due_at timestamptz
    """,
    "UPDATE ticket SET waiting_since = changed_at WHERE status = 'waiting_customer'",
    "UPDATE ticket SET started_at = changed_at WHERE status IN ('in_progress', 'waiting_customer', 'waiting_parts', 'waiting_third_party')",
    """
    UPDATE ticket t SET next_due_at = c.due_at
      FROM (SELECT number, min(due_at) AS due_at FROM sla_clock k
             WHERE met_at IS NULL AND stopped_at IS NULL
               AND NOT EXISTS (SELECT FROM sla_pause p WHERE p.number = k.number AND p.target = k.target AND p.ended_at IS NULL)
             GROUP BY number) c
     WHERE c.number = t.number
    """,
    """
    INSERT INTO timer (kind, subject, gen, due_at)
    SELECT d.kind, t.number, t.version, t.waiting_since + d.after
      FROM ticket t, (VALUES ('remind', interval '3 days'), ('give_up', interval '7 days')) d(kind, after)
     WHERE t.waiting_since IS NOT NULL
        ON CONFLICT DO NOTHING
    """,
    """
    ALTER TABLE ticket
        ADD CONSTRAINT merged_into_another CHECK ((merged_into IS NOT NULL) = (status = 'merged') AND merged_into <> number),
        ADD CONSTRAINT waiting_for_the_customer CHECK ((waiting_since IS NOT NULL) = (status = 'waiting_customer'))
    """,
    "CREATE INDEX ticket_updated ON ticket (changed_at, number)",
    "CREATE INDEX ticket_due ON ticket (next_due_at, number) WHERE next_due_at IS NOT NULL",
    f"CREATE INDEX ticket_priority ON ticket ({_URGENCY}, opened_at, number) WHERE status IN {_OPEN}",
    "CREATE INDEX ticket_merged ON ticket (merged_into) WHERE merged_into IS NOT NULL",
    f"CREATE INDEX ticket_customer_open ON ticket (customer_id) WHERE status IN {_OPEN}",
    "ALTER TABLE message ADD COLUMN received_at timestamptz, ADD COLUMN entered_by text",
    """
    CREATE TABLE customer_alias (
        customer_id uuid NOT NULL,
        into_customer_id uuid NOT NULL,
        PRIMARY KEY (customer_id),
        CONSTRAINT of_another CHECK (customer_id <> into_customer_id)
    )
    """,
    "CREATE INDEX customer_alias_into ON customer_alias (into_customer_id)",
    """
    CREATE TABLE conversation (
        channel text NOT NULL,
        id text COLLATE "C" NOT NULL,
        customer_id uuid NOT NULL,
        number text COLLATE "C" NOT NULL,
        PRIMARY KEY (channel, id, customer_id),
        FOREIGN KEY(number) REFERENCES ticket (number)
    )
    """,
    """
    CREATE TABLE link (
        number text COLLATE "C" NOT NULL,
        other text COLLATE "C" NOT NULL,
        kind text NOT NULL,
        linked_by text NOT NULL,
        linked_at timestamptz NOT NULL,
        PRIMARY KEY (number, other, kind),
        CONSTRAINT kind_known CHECK (kind IN ('related', 'duplicate', 'caused_by')),
        CONSTRAINT with_another CHECK (number <> other),
        FOREIGN KEY(number) REFERENCES ticket (number),
        FOREIGN KEY(other) REFERENCES ticket (number)
    )
    """,
    "CREATE INDEX link_other ON link (other)",
    """
    CREATE TABLE proof (
        reference text COLLATE "C" NOT NULL,
        digest text NOT NULL,
        number text COLLATE "C" NOT NULL,
        PRIMARY KEY (reference, digest),
        FOREIGN KEY(number) REFERENCES ticket (number)
    )
    """,
    "CREATE INDEX proof_of_ticket ON proof (number)",
    """
    CREATE TABLE tracking_try (
        reference text COLLATE "C" NOT NULL,
        wrong integer NOT NULL,
        last_at timestamptz NOT NULL,
        PRIMARY KEY (reference)
    )
    """,
    "CREATE INDEX tracking_try_last ON tracking_try (last_at)",
    "COMMENT ON COLUMN ticket.started_at IS 'when work first began'",
    "COMMENT ON COLUMN ticket.waiting_since IS 'since when it waits for the customer'",
    "COMMENT ON COLUMN ticket.reminded_at IS 'when the customer was reminded of this waiting'",
    "COMMENT ON COLUMN ticket.merged_into IS 'the ticket that goes on for both'",
    "COMMENT ON COLUMN ticket.next_due_at IS 'the earliest running promise'",
    "COMMENT ON COLUMN message.received_at IS 'when we had it; at is when it was written'",
    "COMMENT ON COLUMN message.entered_by IS 'who wrote it down for the customer; NULL is himself'",
    "COMMENT ON TABLE customer_alias IS 'customers who turned out to be another one; rows keep the id that they were written with'",
    "COMMENT ON TABLE conversation IS 'the newest ticket of each conversation'",
    "COMMENT ON COLUMN conversation.id IS 'the channel''s own'",
    "COMMENT ON TABLE link IS 'tickets that have to do with each other; caused_by reads from number to other'",
    "COMMENT ON TABLE proof IS 'keyed digests of what proves the customer of a reference; see shared/events/proof.py'",
    "COMMENT ON COLUMN tracking_try.reference IS 'as it was asked for; perhaps nobody''s'",
    "COMMENT ON COLUMN tracking_try.wrong IS 'wrong tries in a row'",
    "COMMENT ON TABLE tracking_try IS 'tries on the tracking page; a reference with too many is locked for a while'",
)


def upgrade() -> None:
    """Apply the statements in order."""
    for statement in STATEMENTS:
        op.execute(statement)
