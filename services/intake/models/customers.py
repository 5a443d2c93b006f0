"""Customers, what they are known by, who may be one person, and what was changed in their files by whom."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from services.intake.models.metadata import METADATA

CUSTOMER: Final = Table(
    "customer",
    METADATA,
    Column("customer_id", Uuid, primary_key=True),
    Column("name", Text),
    Column("locale", Text, nullable=False),
    Column("tier", Text, nullable=False, server_default="standard"),
    Column("registered_at", DateTime(timezone=True), nullable=False),
    Column("name_key", Text(collation="C"), comment="the name as it is searched for"),
    Column("version", Integer, nullable=False, server_default="1", comment="of the file; what is learned from requests does not count"),
    Column("tier_reason", Text),
    # what was said in this file; the tier that counts is the highest of all files that are one person
    Column("tier_given", Text, nullable=False, server_default="standard"),
    Column("tier_given_reason", Text),
    Column("consents_given", JSONB, nullable=False, server_default=text("""'{"status": true, "survey": true, "marketing": false}'""")),
    # what counts: the strictest of all files that are one person
    Column("consent_status", Boolean, nullable=False, server_default=text("true")),
    Column("consent_survey", Boolean, nullable=False, server_default=text("true")),
    Column("consent_marketing", Boolean, nullable=False, server_default=text("false")),
    Column("primary_email", Text, comment="value of the identity that is written to first"),
    Column("primary_phone", Text),
    Column("merged_into", Uuid, ForeignKey("customer.customer_id", name="customer_merged_into")),
    Column("survivor_id", Uuid, nullable=False, comment="who answers for this customer: himself, or the last one that he was merged into"),
    CheckConstraint("tier IN ('standard', 'silver', 'gold', 'vip')", name="customer_tier"),
    CheckConstraint("tier_given IN ('standard', 'silver', 'gold', 'vip')", name="customer_tier_given"),
    CheckConstraint("(merged_into IS NULL) = (survivor_id = customer_id)", name="customer_survivor"),
    Index("customer_listed", "registered_at", "customer_id", postgresql_where=text("merged_into IS NULL")),
    Index("customer_named", "name_key", "customer_id", postgresql_where=text("merged_into IS NULL")),
    Index("customer_merged", "survivor_id", postgresql_where=text("merged_into IS NOT NULL")),
)

IDENTITY: Final = Table(
    "identity",
    METADATA,
    # one row per value that anybody ever showed: who registers or links locks it, so that two requests of one new customer
    # that arrive at once decide one after the other
    Column("scheme", Text, primary_key=True, comment="with its scope, if it has one: line:1653"),
    Column("value", Text, primary_key=True),
    Column("shared", Boolean, nullable=False, server_default=text("false"), comment="of a household or a company: recognises nobody"),
)

CUSTOMER_IDENTITY: Final = Table(
    "customer_identity",
    METADATA,
    Column("customer_id", Uuid, nullable=False, comment="whom it recognises: the survivor of origin_id"),
    Column("scheme", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("address", Text, nullable=False, comment="as it is written to; the value is as it is compared"),
    Column("matches", Boolean, nullable=False, comment="false: a contact that recognises nobody"),
    Column("linked_at", DateTime(timezone=True), nullable=False),
    Column("origin_id", Uuid, primary_key=True),
    Column("evidence", Text, nullable=False, server_default="shown", comment="shown by a source, claimed by himself, entered by staff"),
    Column("stands_in", Text, comment="channel on which this customer stands for everybody unknown who shows this identity"),
    Column("verified_at", DateTime(timezone=True)),
    Column("verified_by", Text),
    CheckConstraint("evidence IN ('shown', 'claimed', 'entered')", name="customer_identity_evidence"),
    CheckConstraint("(verified_at IS NULL) = (verified_by IS NULL)", name="customer_identity_verified"),
    CheckConstraint("stands_in IS NULL OR NOT matches", name="customer_identity_stand_in"),
    Index("customer_identity_holders", "scheme", "value", "customer_id", postgresql_where=text("matches")),
    Index("customer_identity_of", "customer_id"),
    # one unknown caller per shared identity and channel
    Index("customer_identity_stands_in", "scheme", "value", "stands_in", unique=True, postgresql_where=text("stands_in IS NOT NULL")),
    # an account is strong: it is one customer's; a phone number or an address may be shared
    Index("customer_identity_account", "value", unique=True, postgresql_where=text("scheme = 'app_user'")),
)

MERGE_SUGGESTION: Final = Table(
    "merge_suggestion",
    METADATA,
    Column("customer_id", Uuid, ForeignKey("customer.customer_id", name="merge_suggestion_customer"), primary_key=True),
    Column("other_id", Uuid, ForeignKey("customer.customer_id", name="merge_suggestion_other"), primary_key=True),
    Column("suggested_at", DateTime(timezone=True), nullable=False),
    Column("suggestion_id", Uuid, nullable=False, server_default=text("gen_random_uuid()")),
    Column("status", Text, nullable=False, server_default="open"),
    Column("decided_at", DateTime(timezone=True)),
    Column("decided_by", Text),
    Column("reason", Text),
    CheckConstraint("status IN ('open', 'accepted', 'dismissed')", name="merge_suggestion_status"),
    CheckConstraint("(status = 'open') = (decided_at IS NULL)", name="merge_suggestion_decided"),
    Index("merge_suggestion_id", "suggestion_id", unique=True),
    Index("merge_suggestion_listed", "status", "suggested_at", "suggestion_id"),
)

MERGE_EVENT: Final = Table(
    "merge_event",
    METADATA,
    # only ever added to; what stands now is in customer.merged_into
    Column("merge_id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("customer_id", Uuid, ForeignKey("customer.customer_id", name="merge_event_customer"), nullable=False),
    Column("into_customer_id", Uuid, ForeignKey("customer.customer_id", name="merge_event_into"), nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    CheckConstraint("kind IN ('merged', 'unmerged')", name="merge_event_kind"),
    Index("merge_event_customer_at", "customer_id", "at"),
)

CUSTOMER_CHANGE: Final = Table(
    "customer_change",
    METADATA,
    # the audit trail of a file: who changed what; names of fields, codes and ids, never a value of a personal field
    Column("customer_id", Uuid, ForeignKey("customer.customer_id", name="customer_change_customer"), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False, comment="of the file, after the change"),
    Column("type", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("actor", Text, nullable=False),
    Column("data", JSONB, nullable=False),
)
