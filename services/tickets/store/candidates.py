"""Which tickets the messages of a batch may belong to. A coarse sieve, without locks: `matching.py` decides on what was locked since."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from services.tickets.matching import key
from services.tickets.models.expressions import CHANGED_AT
from services.tickets.workflow.status import OPEN
from shared.database import Transaction

RECENT: Final = 20
"""Open tickets of one customer, those that changed last, among which a talk is looked for."""


Named = tuple[UUID, str | None, str | None]
"""A customer, a type, and the key of a serial or order number."""


class Traits(NamedTuple):
    """What a ticket is recognised by, beyond what decisions know of it."""

    serial: str | None = None
    order: str | None = None
    last_channel: str | None = None
    last_at: datetime | None = None


async def families(tx: Transaction, customer_ids: Collection[UUID]) -> dict[UUID, tuple[UUID, frozenset[UUID]]]:
    """Of each customer: the id under which he is found now, and all ids of the same person."""
    alone = {id: (id, frozenset((id,))) for id in customer_ids}
    # nearly everybody has one id: only the others are looked up; the whole question takes ten milliseconds to find nobody
    merged = await tx.fetch(_MERGED, list(customer_ids))
    if not merged:
        return alone
    rows = await tx.fetch(_FAMILIES, [row["id"] for row in merged])
    return alone | {_uuid(row["start"]): (_uuid(row["top"]), frozenset(map(_uuid, row["ids"]))) for row in rows}


_MERGED: Final = """
SELECT customer_id AS id FROM customer_alias WHERE customer_id = ANY($1::uuid[])
 UNION
SELECT into_customer_id FROM customer_alias WHERE into_customer_id = ANY($1::uuid[])
"""
_FAMILIES: Final = """
WITH RECURSIVE up(start, id) AS (
    SELECT id, id FROM unnest($1::uuid[]) AS c(id)
     UNION
    SELECT up.start, a.into_customer_id FROM up JOIN customer_alias a ON a.customer_id = up.id
), down(start, top, id) AS (
    SELECT start, id, id FROM up WHERE NOT EXISTS (SELECT FROM customer_alias a WHERE a.customer_id = up.id)
     UNION
    SELECT down.start, down.top, a.customer_id FROM down JOIN customer_alias a ON a.into_customer_id = down.id
)
SELECT start, top, array_agg(id) AS ids FROM down GROUP BY start, top
"""


async def with_tickets(tx: Transaction, customer_ids: Collection[UUID]) -> set[UUID]:
    """Those of these customers who have a ticket, in whatever status."""
    rows = await tx.fetch(
        "SELECT id FROM unnest($1::uuid[]) AS c(id) WHERE EXISTS (SELECT FROM ticket t WHERE t.customer_id = c.id)", list(customer_ids)
    )
    return {row["id"] for row in rows}


async def lock_customers(tx: Transaction, ids: Collection[UUID]) -> None:
    """Make batches wait for each other that hold messages of one person under several ids."""
    await tx.execute("SELECT FROM customer WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE", list(ids))


async def of_same_product(tx: Transaction, wanted: Collection[Named]) -> list[str]:
    """Open tickets of these customers about these things."""
    if not wanted:
        return []
    rows = await tx.fetch(
        """
        SELECT t.number, t.customer_id, t.type, t.serial_number, t.order_number
          FROM unnest($1::uuid[]) AS c(id) JOIN ticket t ON t.customer_id = c.id AND t.status = ANY($2)
         WHERE t.serial_number IS NOT NULL OR t.order_number IS NOT NULL
        """,
        list({customer_id for customer_id, _, _ in wanted}),
        _OPEN,
    )
    # compared as keys, which people's ways of writing a number have in common
    return [
        row["number"]
        for row in rows
        if any((_uuid(row["customer_id"]), row["type"], key(row[column])) in wanted for column in ("serial_number", "order_number"))
    ]


async def recently_changed(tx: Transaction, customer_ids: Collection[UUID]) -> list[str]:
    """Open tickets of these customers, of each those that changed last."""
    if not customer_ids:
        return []
    rows = await tx.fetch(
        f"""
        SELECT t.number
          FROM unnest($1::uuid[]) AS c(id)
         CROSS JOIN LATERAL (SELECT number FROM ticket WHERE customer_id = c.id AND status = ANY($2)
                              ORDER BY {CHANGED_AT} DESC, number DESC LIMIT $3) t
        """,
        list(customer_ids),
        _OPEN,
        RECENT,
    )
    return [row["number"] for row in rows]


async def newest(tx: Transaction, customer_ids: Collection[UUID]) -> list[str]:
    """The newest ticket of each of these customers that goes on, whatever its status."""
    if not customer_ids:
        return []
    rows = await tx.fetch(
        """
        SELECT t.number
          FROM unnest($1::uuid[]) AS c(id)
         CROSS JOIN LATERAL (SELECT number FROM ticket WHERE customer_id = c.id AND status <> 'merged'
                              ORDER BY opened_at DESC, number DESC LIMIT 1) t
        """,
        list(customer_ids),
    )
    return [row["number"] for row in rows]


async def traits(tx: Transaction, numbers: Collection[str]) -> dict[str, Traits]:
    """What these tickets are recognised by."""
    if not numbers:
        return {}
    rows = await tx.fetch(
        """
        SELECT t.number, t.serial_number, t.order_number, said.channel, said.last_at
          FROM ticket t
         CROSS JOIN LATERAL (SELECT max(at) FILTER (WHERE public) AS last_at,
                                    (array_agg(channel ORDER BY version DESC) FILTER (WHERE author = 'customer'))[1] AS channel
                               FROM message m WHERE m.number = t.number) said
         WHERE t.number = ANY($1)
        """,
        list(numbers),
    )
    return {row["number"]: Traits(row["serial_number"], row["order_number"], row["channel"], row["last_at"]) for row in rows}


# ------------------------------------------------------------------ conversations


Conversation = tuple[str, str]
"""A channel, and its own id of the conversation."""


async def conversations(tx: Transaction, wanted: Collection[Conversation]) -> dict[Conversation, list[tuple[UUID, str]]]:
    """(customer, newest ticket) of each of these conversations."""
    if not wanted:
        return {}
    rows = await tx.fetch(
        """
        SELECT c.channel, c.id, c.customer_id, c.number
          FROM unnest($1::text[], $2::text[]) w(channel, id) JOIN conversation c ON (c.channel, c.id) = (w.channel, w.id)
        """,
        [channel for channel, _ in wanted],
        [id for _, id in wanted],
    )
    found: dict[Conversation, list[tuple[UUID, str]]] = {}
    for row in rows:
        found.setdefault((row["channel"], row["id"]), []).append((_uuid(row["customer_id"]), row["number"]))
    return found


async def keep_conversations(tx: Transaction, newest: Collection[tuple[Conversation, UUID, str]]) -> None:
    """Note the newest ticket of each customer's conversation."""
    latest = {(conversation, customer_id): number for conversation, customer_id, number in newest}
    if not latest:
        return
    ordered = sorted(latest)
    await tx.execute(
        """
        INSERT INTO conversation (channel, id, customer_id, number)
        SELECT * FROM unnest($1::text[], $2::text[], $3::uuid[], $4::text[])
            ON CONFLICT (channel, id, customer_id) DO UPDATE SET number = excluded.number WHERE conversation.number <> excluded.number
        """,
        [channel for (channel, _), _ in ordered],
        [id for (_, id), _ in ordered],
        [customer_id for _, customer_id in ordered],
        [latest[key] for key in ordered],
    )


# ------------------------------------------------------------------ proofs


async def keep_proofs(tx: Transaction, proofs: Collection[tuple[str, str, str]]) -> None:
    """Keep what proves the customer of each reference: (reference, digest, ticket)."""
    if not proofs:
        return
    ordered = sorted(set(proofs))
    await tx.execute(
        "INSERT INTO proof (reference, digest, number) SELECT * FROM unnest($1::text[], $2::text[], $3::text[]) ON CONFLICT DO NOTHING",
        *([each[place] for each in ordered] for place in range(3)),
    )


_OPEN: Final = [str(status) for status in OPEN]


def _uuid(found: UUID) -> UUID:
    # the driver's own kind of UUID is none that JSON encoders know
    return UUID(int=found.int)
