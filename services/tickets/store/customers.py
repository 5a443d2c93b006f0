"""The read copy of customers: their language and tier, and which of them turned out to be one person."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final
from uuid import UUID

from shared.database import Transaction

SAME_CUSTOMER: Final = """
WITH RECURSIVE up(id) AS (
    SELECT {0} UNION SELECT a.into_customer_id FROM up JOIN customer_alias a ON a.customer_id = up.id
), top AS (
    SELECT id FROM up WHERE NOT EXISTS (SELECT FROM customer_alias a WHERE a.customer_id = up.id)
), down(id) AS (
    SELECT id FROM top UNION SELECT a.customer_id FROM down JOIN customer_alias a ON a.into_customer_id = down.id
)
SELECT id FROM down
"""
"""All ids of the person that one id belongs to; rows keep the id with which they were written."""


async def save(tx: Transaction, customers: Mapping[UUID, tuple[str, str]]) -> None:
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


async def grade(tx: Transaction, tiers: Mapping[UUID, str]) -> None:
    """Keep new tiers of customers that are known."""
    if not tiers:
        return
    ids = sorted(tiers)
    await tx.execute(
        "UPDATE customer c SET tier = u.tier FROM unnest($1::uuid[], $2::text[]) u(id, tier) WHERE c.id = u.id",
        ids,
        [tiers[id] for id in ids],
    )


async def same_person(tx: Transaction, customer_id: UUID) -> list[UUID]:
    """All ids of the person."""
    return [row["id"] for row in await tx.fetch(SAME_CUSTOMER.format("$1::uuid"), customer_id)] or [customer_id]


async def canonical(tx: Transaction, ids: Collection[UUID]) -> dict[UUID, UUID]:
    """The one id under which each customer is found now."""
    rows = await tx.fetch(
        """
        WITH RECURSIVE way AS (
            SELECT customer_id AS start, into_customer_id AS id FROM customer_alias WHERE customer_id = ANY($1::uuid[])
             UNION
            SELECT way.start, a.into_customer_id FROM way JOIN customer_alias a ON a.customer_id = way.id
        )
        SELECT start, id FROM way WHERE NOT EXISTS (SELECT FROM customer_alias a WHERE a.customer_id = way.id)
        """,
        list(ids),
    )
    found = {id: id for id in ids}
    return found | {UUID(int=row["start"].int): UUID(int=row["id"].int) for row in rows}


async def merge(tx: Transaction, merged: Mapping[UUID, UUID | None]) -> None:
    """Note who is whom from now on; None: he stands alone again."""
    gone = sorted(id for id, into in merged.items() if into is None)
    if gone:
        await tx.execute("DELETE FROM customer_alias WHERE customer_id = ANY($1::uuid[])", gone)
    pairs = sorted((id, into) for id, into in merged.items() if into is not None)
    if pairs:
        await tx.execute(
            """
            INSERT INTO customer_alias (customer_id, into_customer_id) SELECT * FROM unnest($1::uuid[], $2::uuid[])
                ON CONFLICT (customer_id) DO UPDATE SET into_customer_id = excluded.into_customer_id
            """,
            [id for id, _ in pairs],
            [into for _, into in pairs],
        )
