"""Who is whom, what belongs together, and what a customer can prove."""

from __future__ import annotations

from typing import Final

from sqlalchemy import CheckConstraint, Column, Index, Integer, Table, Text, Uuid

from services.tickets.models.columns import metadata, moment, number, of_ticket, one_of
from services.tickets.workflow.status import LinkKind

customer_alias: Final = Table(
    "customer_alias",
    metadata,
    Column("customer_id", Uuid, primary_key=True),
    Column("into_customer_id", Uuid, nullable=False),
    CheckConstraint("customer_id <> into_customer_id", name="of_another"),
    Index("customer_alias_into", "into_customer_id"),
    comment="customers who turned out to be another one; rows keep the id that they were written with",
)

conversation: Final = Table(
    "conversation",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("id", Text(collation="C"), primary_key=True, comment="the channel's own"),
    Column("customer_id", Uuid, primary_key=True),
    of_ticket(nullable=False),
    comment="the newest ticket of each conversation",
)

link: Final = Table(
    "link",
    metadata,
    of_ticket(primary_key=True),
    of_ticket("other", primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("linked_by", Text, nullable=False),
    moment("linked_at", nullable=False),
    one_of("kind", LinkKind),
    CheckConstraint("number <> other", name="with_another"),
    Index("link_other", "other"),
    comment="tickets that have to do with each other; caused_by reads from number to other",
)

proof: Final = Table(
    "proof",
    metadata,
    number("reference", primary_key=True),
    Column("digest", Text, primary_key=True),
    number(nullable=False),
    Index("proof_of_ticket", "number"),
    comment="keyed digests of what proves the customer of a reference; see shared/events/proof.py",
)

tracking_try: Final = Table(
    "tracking_try",
    metadata,
    number("reference", primary_key=True, comment="as it was asked for; perhaps nobody's"),
    Column("wrong", Integer, nullable=False, comment="wrong tries in a row"),
    moment("last_at", nullable=False),
    Index("tracking_try_last", "last_at"),
    comment="tries on the tracking page; a reference with too many is locked for a while",
)
