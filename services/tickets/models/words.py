"""What is kept about customers, and what they and staff wrote: rows that are erased with the customer."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Boolean, Column, Index, Integer, LargeBinary, Table, Text, Uuid

from services.tickets.models.columns import metadata, moment, number

message: Final = Table(
    "message",
    metadata,
    Column("id", Uuid, primary_key=True, comment="of a customer's message: the id of the request, so that none counts twice"),
    number(nullable=False),
    Column("version", Integer, nullable=False, comment="of the ticket, with this message"),
    Column("author", Text, nullable=False, comment="principal id of staff, or customer"),
    Column("public", Boolean, nullable=False),
    moment("at", nullable=False),
    moment("received_at", comment="when we had it; at is when it was written"),
    Column("entered_by", Text, comment="who wrote it down for the customer; NULL is himself"),
    Column("channel", Text),
    Column("reference", Text, comment="the customer's service number for this message"),
    Column("text", Text, nullable=False),
    Column("truncated", Boolean, nullable=False, comment="the whole text is in intake"),
    Column("salt", LargeBinary, nullable=False, comment="of the digest in the history; erased with the text"),
    Index("message_of_ticket", "number", "version"),
)

customer: Final = Table(
    "customer",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("locale", Text, nullable=False),
    Column("tier", Text, nullable=False),
    comment="read copy from intake's events; no name, no address",
)
