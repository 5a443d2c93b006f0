"""The read copy of tickets."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    Column,
    Index,
    Integer,
    Table,
    Text,
    Uuid,
)

from services.intake.models.metadata import METADATA

TICKET_COPY: Final = Table(
    "ticket_copy",
    METADATA,
    # read copy of aftercare.tickets
    Column("number", Text, primary_key=True),
    Column("customer_id", Uuid, nullable=False),
    Column("status", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("merged_into", Text),
    Index("ticket_copy_customer", "customer_id", "number"),
)

TICKET_ALIAS: Final = Table(
    "ticket_alias",
    METADATA,
    Column("reference", Text, primary_key=True, comment="of a request that joined the ticket instead of opening one"),
    Column("number", Text, nullable=False),
    Index("ticket_alias_of", "number"),
)
