"""Customers, what they are known by, and who may be one person."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Table,
    Text,
    Uuid,
    text,
)

from services.intake.models.metadata import METADATA

CUSTOMER: Final = Table(
    "customer",
    METADATA,
    Column("customer_id", Uuid, primary_key=True),
    Column("name", Text),
    Column("locale", Text, nullable=False),
    Column("tier", Text, nullable=False, server_default="standard"),
    Column("registered_at", DateTime(timezone=True), nullable=False),
)

IDENTITY: Final = Table(
    "identity",
    METADATA,
    # one row per value that anybody ever showed: who registers or links locks it, so that two requests of one new customer
    # that arrive at once decide one after the other
    Column("scheme", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    CheckConstraint("scheme IN ('app_user', 'email', 'phone')", name="identity_scheme"),
)

CUSTOMER_IDENTITY: Final = Table(
    "customer_identity",
    METADATA,
    Column("customer_id", Uuid, ForeignKey("customer.customer_id", name="customer_identity_customer"), primary_key=True),
    Column("scheme", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("address", Text, nullable=False, comment="as it is written to; the value is as it is compared"),
    Column("matches", Boolean, nullable=False, comment="false: a contact that recognises nobody"),
    Column("linked_at", DateTime(timezone=True), nullable=False),
    ForeignKeyConstraint(["scheme", "value"], ["identity.scheme", "identity.value"], name="customer_identity_identity"),
    Index("customer_identity_holders", "scheme", "value", postgresql_where=text("matches")),
    # an account is strong: it is one customer's; a phone number or an address may be shared
    Index("customer_identity_account", "value", unique=True, postgresql_where=text("scheme = 'app_user'")),
)

MERGE_SUGGESTION: Final = Table(
    "merge_suggestion",
    METADATA,
    Column("customer_id", Uuid, ForeignKey("customer.customer_id", name="merge_suggestion_customer"), primary_key=True),
    Column("other_id", Uuid, ForeignKey("customer.customer_id", name="merge_suggestion_other"), primary_key=True),
    Column("suggested_at", DateTime(timezone=True), nullable=False),
)
