"""What customers and staff wrote, and what is kept about the customers themselves: rows that are erased with the customer."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shared.database import Transaction, column

DEFAULT_TIER = "standard"


@dataclass(frozen=True, slots=True)
class Message:
    """One message on a ticket; ``version`` is the ticket's with this message, ``author`` a principal's id or the word customer."""

    id: UUID
    number: str
    version: int
    author: str
    public: bool
    at: datetime
    text: str
    salt: bytes
    channel: str | None = None
    reference: str | None = None
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class Seal:
    """A digest that proves a text while its salt is kept, and says nothing once the salt is erased."""

    salt: bytes
    digest: str


def seal(text: str) -> Seal:
    """Seal a text with a fresh salt."""
    salt = secrets.token_bytes(16)
    return Seal(salt, digest(salt, text))


def digest(salt: bytes, text: str) -> str:
    """SHA-256 over salt and text."""
    return hashlib.sha256(salt + text.encode()).hexdigest()


async def insert_messages(tx: Transaction, messages: Sequence[Message]) -> None:
    """Keep messages; those that joined a ticket under a service number of their own make it an alias."""
    if not messages:
        return
    await tx.execute(
        """
        INSERT INTO message (id, number, version, author, public, at, channel, reference, text, truncated, salt)
        SELECT * FROM unnest($1::uuid[], $2::text[], $3::int[], $4::text[], $5::bool[], $6::timestamptz[], $7::text[], $8::text[],
                             $9::text[], $10::bool[], $11::bytea[])
        """,
        *(column(messages, name) for name in ("id", "number", "version", "author", "public", "at", "channel", "reference", "text")),
        *(column(messages, name) for name in ("truncated", "salt")),
    )
    aliases = [message for message in messages if message.reference not in (None, message.number)]
    if aliases:
        await tx.execute(
            "INSERT INTO alias (reference, number) SELECT * FROM unnest($1::text[], $2::text[])",
            column(aliases, "reference"),
            column(aliases, "number"),
        )


async def known_messages(tx: Transaction, ids: Collection[UUID]) -> set[UUID]:
    """Which of these ids are of messages that are already here."""
    return {row["id"] for row in await tx.fetch("SELECT id FROM message WHERE id = ANY($1)", list(ids))}


async def save_customers(tx: Transaction, customers: Mapping[UUID, tuple[str, str]]) -> None:
    """Keep what intake tells about customers: locale and tier, by id."""
    if not customers:
        return
    ids = sorted(customers)
    await tx.execute(
        """
        INSERT INTO customer (id, locale, tier) SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[])
            ON CONFLICT (id) DO UPDATE SET locale = excluded.locale, tier = excluded.tier
        """,
        ids,
        [customers[id][0] for id in ids],
        [customers[id][1] for id in ids],
    )


async def tiers(tx: Transaction, customer_ids: Collection[UUID]) -> dict[UUID, str]:
    """Tier of each customer that is known."""
    rows = await tx.fetch("SELECT id, tier FROM customer WHERE id = ANY($1)", list(customer_ids))
    return {row["id"]: row["tier"] for row in rows}
