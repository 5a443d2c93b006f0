"""Customer files: consents, tiers, merges, contact history.

Revision ID: 0002
"""

from __future__ import annotations

from typing import Final

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_CUSTOMERS: Final = (
    """
    ALTER TABLE customer
      ADD COLUMN name_key text COLLATE "C",
      ADD COLUMN version integer NOT NULL DEFAULT 1,
      ADD COLUMN tier_reason text,
      ADD COLUMN consents_given jsonb NOT NULL DEFAULT '{"status": true, "survey": true, "marketing": false}',
      ADD COLUMN consent_status boolean NOT NULL DEFAULT true,
      ADD COLUMN consent_survey boolean NOT NULL DEFAULT true,
      ADD COLUMN consent_marketing boolean NOT NULL DEFAULT false,
      ADD COLUMN primary_email text,
      ADD COLUMN primary_phone text,
      ADD COLUMN merged_into uuid CONSTRAINT customer_merged_into REFERENCES customer (customer_id),
      ADD COLUMN survivor_id uuid
    """,
    "UPDATE customer SET survivor_id = customer_id, name_key = lower(normalize(name, NFKC))",
    """
    ALTER TABLE customer
      ALTER COLUMN survivor_id SET NOT NULL,
      ADD CONSTRAINT customer_tier CHECK (tier IN ('standard', 'silver', 'gold', 'vip')),
      ADD CONSTRAINT customer_survivor CHECK ((merged_into IS NULL) = (survivor_id = customer_id))
    """,
    "CREATE INDEX customer_listed ON customer (registered_at, customer_id) WHERE merged_into IS NULL",
    "CREATE INDEX customer_named ON customer (name_key, customer_id) WHERE merged_into IS NULL",
    "CREATE INDEX customer_merged ON customer (survivor_id) WHERE merged_into IS NOT NULL",
)

_IDENTITIES: Final = (
    "ALTER TABLE identity DROP CONSTRAINT identity_scheme, ADD COLUMN shared boolean NOT NULL DEFAULT false",
    """
    ALTER TABLE customer_identity
      ADD COLUMN origin_id uuid,
      ADD COLUMN evidence text NOT NULL DEFAULT 'shown',
      ADD COLUMN stands_in text,
      ADD COLUMN verified_at timestamptz,
      ADD COLUMN verified_by text
    """,
    "UPDATE customer_identity SET origin_id = customer_id, evidence = CASE WHEN matches THEN 'shown' ELSE 'claimed' END",
    """
    ALTER TABLE customer_identity
      DROP CONSTRAINT customer_identity_pkey,
      DROP CONSTRAINT customer_identity_customer,
      ADD PRIMARY KEY (scheme, value, origin_id),
      ADD CONSTRAINT customer_identity_origin FOREIGN KEY (origin_id) REFERENCES customer (customer_id),
      ADD CONSTRAINT customer_identity_evidence CHECK (evidence IN ('shown', 'claimed', 'entered')),
      ADD CONSTRAINT customer_identity_verified CHECK ((verified_at IS NULL) = (verified_by IS NULL)),
      ADD CONSTRAINT customer_identity_stand_in CHECK (stands_in IS NULL OR NOT matches)
    """,
    "DROP INDEX customer_identity_holders",
    "CREATE INDEX customer_identity_holders ON customer_identity (scheme, value, customer_id) WHERE matches",
    "CREATE INDEX customer_identity_of ON customer_identity (customer_id)",
    "CREATE UNIQUE INDEX customer_identity_stands_in ON customer_identity (scheme, value, stands_in) WHERE stands_in IS NOT NULL",
)

_MERGES: Final = (
    """
    ALTER TABLE merge_suggestion
      ADD COLUMN suggestion_id uuid NOT NULL DEFAULT gen_random_uuid(),
      ADD COLUMN status text NOT NULL DEFAULT 'open',
      ADD COLUMN decided_at timestamptz,
      ADD COLUMN decided_by text,
      ADD COLUMN reason text,
      ADD CONSTRAINT merge_suggestion_status CHECK (status IN ('open', 'accepted', 'dismissed')),
      ADD CONSTRAINT merge_suggestion_decided CHECK ((status = 'open') = (decided_at IS NULL))
    """,
    "CREATE UNIQUE INDEX merge_suggestion_id ON merge_suggestion (suggestion_id)",
    "CREATE INDEX merge_suggestion_listed ON merge_suggestion (status, suggested_at, suggestion_id)",
    """
    CREATE TABLE merge_event (
      merge_id uuid PRIMARY KEY,
      kind text NOT NULL CONSTRAINT merge_event_kind CHECK (kind IN ('merged', 'unmerged')),
      customer_id uuid NOT NULL CONSTRAINT merge_event_customer REFERENCES customer (customer_id),
      into_customer_id uuid NOT NULL CONSTRAINT merge_event_into REFERENCES customer (customer_id),
      actor text NOT NULL,
      reason text NOT NULL,
      at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX merge_event_customer_at ON merge_event (customer_id, at)",
    """
    CREATE TABLE customer_change (
      customer_id uuid NOT NULL CONSTRAINT customer_change_customer REFERENCES customer (customer_id),
      version integer NOT NULL,
      type text NOT NULL,
      at timestamptz NOT NULL,
      actor text NOT NULL,
      data jsonb NOT NULL,
      PRIMARY KEY (customer_id, version)
    )
    """,
)

_REQUESTS: Final = (
    """
    ALTER TABLE request
      ADD COLUMN entered_by text NOT NULL DEFAULT 'system',
      ADD COLUMN conversation_id text,
      ADD COLUMN completes text,
      ADD COLUMN order_number text,
      ADD COLUMN dismissed_at timestamptz,
      ADD COLUMN dismissed_by text,
      ADD COLUMN dismissed_because text,
      ADD CONSTRAINT request_dismissed
          CHECK ((dismissed_at IS NULL) = (dismissed_by IS NULL) AND (dismissed_at IS NULL) = (dismissed_because IS NULL))
    """,
    "CREATE INDEX request_customer ON request (customer_id, received_at, request_id)",
    "UPDATE request SET order_number = product ->> 'order_number' WHERE product ->> 'order_number' IS NOT NULL",
    "CREATE INDEX request_order ON request (order_number, received_at, request_id) WHERE order_number IS NOT NULL",
    "CREATE INDEX request_completes ON request (completes) WHERE completes IS NOT NULL",
    "CREATE INDEX ticket_copy_customer ON ticket_copy (customer_id, number)",
    "CREATE INDEX notification_customer ON notification (customer_id, requested_at, event_id)",
)

_COMMENTS: Final = {
    "customer.name_key": "the name as it is searched for",
    "customer.version": "of the file; what is learned from requests does not count",
    "customer.primary_email": "value of the identity that is written to first",
    "customer.survivor_id": "who answers for this customer: himself, or the last one that he was merged into",
    "identity.scheme": "with its scope, if it has one: line:1653",
    "identity.shared": "of a household or a company: recognises nobody",
    "customer_identity.customer_id": "whom it recognises: the survivor of origin_id",
    "customer_identity.evidence": "shown by a source, claimed by himself, entered by staff",
    "customer_identity.stands_in": "channel on which this customer stands for everybody unknown who shows this identity",
    "customer_change.version": "of the file, after the change",
    "request.entered_by": "customer, bot, agent or system",
    "request.conversation_id": "the channel's own conversation, thread or call",
    "request.completes": "reference of the request whose missing fields this one brings",
    "request.order_number": "of the product that it names",
    "request.dismissed_by": "who verified that there is nothing to do",
}

STATEMENTS: Final[tuple[str, ...]] = (
    *_CUSTOMERS,
    *_IDENTITIES,
    *_MERGES,
    *_REQUESTS,
    *(f"COMMENT ON COLUMN {column} IS $${words}$$" for column, words in _COMMENTS.items()),
)


def upgrade() -> None:
    """Apply the statements in order."""
    for statement in STATEMENTS:
        op.execute(statement)
