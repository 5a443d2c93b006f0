"""Forms as data, rules of sending, reminders, throttle, opt-out, merged customers, anonymous answers.

Revision ID: 0002
"""

from __future__ import annotations

import json
from typing import Final

import sqlalchemy as sa
from alembic import op

from services.feedback.migrations.first_forms import FIRST

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

STATEMENTS: Final[tuple[str, ...]] = (
    """
    ALTER TABLE invitation
      ADD COLUMN purpose text NOT NULL DEFAULT 'survey',
      ADD COLUMN reminder_hash bytea,
      ADD COLUMN inclusion double precision,
      ADD COLUMN reminded_at timestamptz,
      ADD COLUMN throttled_at timestamptz,
      ADD COLUMN reason text,
      ADD CONSTRAINT invitation_purpose CHECK (purpose IN ('survey', 'service')),
      ADD CONSTRAINT invitation_inclusion CHECK (inclusion BETWEEN 0 AND 1),
      ADD CONSTRAINT invitation_reminded_with_token CHECK (num_nulls(reminder_hash, reminded_at) IN (0, 2)),
      ADD CONSTRAINT invitation_throttled_with_reason CHECK (num_nulls(throttled_at, reason) IN (0, 2)),
      ADD CONSTRAINT invitation_throttled_alone CHECK (throttled_at IS NULL OR num_nonnulls(invited_at, cancelled_at) = 0)
    """,
    "DROP INDEX invitation_ticket_episode",
    "DROP INDEX invitation_created_at",
    "CREATE UNIQUE INDEX invitation_resolution ON invitation (ticket_number, episode, purpose)",
    "CREATE UNIQUE INDEX invitation_reminder_hash ON invitation (reminder_hash)",
    "CREATE INDEX invitation_resolved_at ON invitation (resolved_at, id)",
    "CREATE INDEX invitation_throttled ON invitation (resolved_at, id) WHERE throttled_at IS NOT NULL",
    "CREATE INDEX invitation_cancelled ON invitation (resolved_at, id) WHERE cancelled_at IS NOT NULL",
    """
    CREATE INDEX invitation_undecided ON invitation (resolved_at, id)
     WHERE answered_at IS NULL AND cancelled_at IS NULL AND throttled_at IS NULL
    """,
    "ALTER TABLE answer ADD COLUMN flags text[] NOT NULL DEFAULT '{}'",
    """
    UPDATE answer SET flags = array_remove(ARRAY[
      CASE WHEN overall <= 2 OR solved = 'no' THEN 'low' END, CASE WHEN solved = 'no' THEN 'not_solved' END], NULL)
    """,
    "CREATE INDEX answer_flags ON answer USING gin (flags)",
    "ALTER TABLE customer ADD COLUMN consents boolean NOT NULL DEFAULT true",
    "CREATE TABLE customer_alias (customer_id uuid PRIMARY KEY, into_customer_id uuid NOT NULL)",
    "CREATE INDEX customer_alias_into ON customer_alias (into_customer_id)",
    """
    CREATE TABLE opt_out (
      customer_id uuid PRIMARY KEY, opted_out_at timestamptz NOT NULL, by text NOT NULL, actor text,
      CONSTRAINT opt_out_by CHECK (by IN ('customer', 'staff')))
    """,
    """
    CREATE TABLE form (
      type text, version integer, is_active boolean NOT NULL, definition jsonb NOT NULL, published_at timestamptz NOT NULL,
      published_by text NOT NULL, PRIMARY KEY (type, version), CONSTRAINT form_version CHECK (version >= 1))
    """,
    "CREATE UNIQUE INDEX form_active ON form (type) WHERE is_active",
    """
    CREATE TABLE sending_rules (
      version integer PRIMARY KEY, definition jsonb NOT NULL, published_at timestamptz NOT NULL, published_by text NOT NULL,
      CONSTRAINT sending_rules_version CHECK (version >= 1))
    """,
    """
    CREATE TABLE anonymous_response (
      id uuid PRIMARY KEY, form text NOT NULL, answered_on date NOT NULL, channel text NOT NULL, type text, tier text, locale text NOT NULL,
      overall smallint, recommend smallint, solved text, given jsonb NOT NULL, comment text)
    """,
    "CREATE INDEX anonymous_response_answered_on ON anonymous_response (answered_on)",
)

COMMENTS: Final = {
    "COLUMN invitation.purpose": "survey or service",
    "COLUMN invitation.reminder_hash": "SHA-256 of the token in the reminder, which opens the same survey",
    "COLUMN invitation.inclusion": "probability with which it was sampled, or was not; null where the lot was not asked",
    "COLUMN invitation.answered_at": "of an anonymous answer only the beginning of its day",
    "COLUMN invitation.reason": "why it was throttled",
    "COLUMN answer.flags": "codes of what it asks for: low, not_solved, complaint",
    "TABLE customer": "copy of what intake tells: the language and the consent to surveys, nothing else",
    "COLUMN customer.consents": "whether the customer file allows surveys",
    "TABLE customer_alias": "copy of what intake tells: customer files that are one person",
    "TABLE opt_out": "who wants no surveys; consent in the customer file is another matter",
    "COLUMN opt_out.by": "customer or staff",
    "COLUMN opt_out.actor": "principal id of the staff",
    "COLUMN form.type": "T1, T2, T3, S1",
    "COLUMN form.is_active": "what new invitations ask; one version per type",
    "COLUMN form.definition": "never changed",
    "COLUMN sending_rules.definition": "never changed; the highest version holds",
    "COLUMN anonymous_response.id": "random; no key leads from here to an invitation, a ticket or a customer",
    "COLUMN anonymous_response.answered_on": "the day; no moment",
    "COLUMN anonymous_response.overall": "Q0",
    "COLUMN anonymous_response.recommend": "N1",
    "COLUMN anonymous_response.solved": "Y1",
    "COLUMN anonymous_response.given": "all answers but the comment, by question id",
}


def upgrade() -> None:
    """Apply the statements in order, then write the first forms."""
    for statement in STATEMENTS:
        op.execute(statement)
    for thing, comment in COMMENTS.items():
        op.execute(f"COMMENT ON {thing} IS '{comment}'")
    insert = sa.text(
        """INSERT INTO form (type, version, is_active, definition, published_at, published_by)
           VALUES (:type, :version, :is_active, CAST(:definition AS jsonb), now(), 'system')"""
    )
    for type_, version, is_active, definition in FIRST:
        values = {"type": type_, "version": version, "is_active": is_active, "definition": json.dumps(definition, ensure_ascii=False)}
        op.execute(insert.bindparams(**values))
