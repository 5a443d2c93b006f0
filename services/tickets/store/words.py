"""What customers and staff wrote, and what is kept about the customers themselves: rows that are erased with the customer."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from services.tickets.store.customers import canonical
from shared.database import Transaction, column

DEFAULT_TIER = "standard"


class Message(NamedTuple):
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
    received_at: datetime | None = None
    """When we had it; ``at`` is when it was written."""
    entered_by: str | None = None
    """Who wrote it down for the customer; None: himself."""


class Seal(NamedTuple):
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
    await tx.copy("message", Message._fields, messages)
    aliases = [message for message in messages if message.reference not in (None, message.number)]
    if aliases:
        await tx.execute(
            "INSERT INTO alias (reference, number) SELECT * FROM unnest($1::text[], $2::text[])",
            column(aliases, "reference"),
            column(aliases, "number"),
        )


async def requests_on(tx: Transaction, numbers: Collection[str]) -> dict[str, dict[UUID, int]]:
    """The customer's messages on each of these tickets, and on those merged into it, with the version of the ticket that each made."""
    rows = await tx.fetch(
        """
        SELECT number, id, version FROM message WHERE number = ANY($1) AND author = 'customer'
         UNION ALL
        SELECT t.merged_into, m.id, m.version FROM ticket t JOIN message m ON m.number = t.number
         WHERE t.merged_into = ANY($1) AND m.author = 'customer'
        """,
        list(numbers),
    )
    found: dict[str, dict[UUID, int]] = {}
    for row in rows:
        found.setdefault(row["number"], {})[UUID(int=row["id"].int)] = row["version"]
    return found


async def known_messages(tx: Transaction, ids: Collection[UUID]) -> set[UUID]:
    """Which of these ids are of messages that are already here."""
    return {row["id"] for row in await tx.fetch("SELECT id FROM message WHERE id = ANY($1)", list(ids))}


async def tiers(tx: Transaction, customer_ids: Collection[UUID]) -> dict[UUID, str]:
    """Tier of each customer that is known; of one who was merged, that of the customer under whom he is found now."""
    return await tiers_under(tx, await canonical(tx, customer_ids))


async def tiers_under(tx: Transaction, tops: Mapping[UUID, UUID]) -> dict[UUID, str]:
    """The same, where it is known already under whom each customer is found."""
    rows = await tx.fetch("SELECT id, tier FROM customer WHERE id = ANY($1)", list({*tops, *tops.values()}))
    known = {row["id"]: row["tier"] for row in rows}
    # the other one's file may not have been told of yet: then his own tier holds
    return {id: known[found] for id, top in tops.items() if (found := top if top in known else id) in known}
