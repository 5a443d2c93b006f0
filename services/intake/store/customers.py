"""Customers and what they are known by.

Whoever registers a customer or links an identity first locks the identity's row (`lock_identities`), then looks again: so two requests of
one new customer that arrive at once decide one after the other. Who finds a known customer and stores nothing needs no lock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from services.intake.identity import Directory, Identity, Scheme
from shared.database import Transaction


@dataclass
class Known:
    """What is stored of those who came: their identities, and the language that each was registered with."""

    directory: Directory = field(default_factory=Directory)
    locales: dict[UUID, str] = field(default_factory=dict)


@dataclass(frozen=True)
class NewCustomer:
    """A customer to register."""

    customer_id: UUID
    name: str | None
    locale: str
    registered_at: datetime


@dataclass(frozen=True, order=True)
class Link:
    """A customer has an identity, or a contact."""

    customer_id: UUID
    identity: Identity


async def known_of(tx: Transaction, identities: Iterable[Identity], customer_ids: Iterable[UUID]) -> Known:
    """All that decides whom these identities recognise.

    Of each identity two holders are enough: an identity that two customers share recognises nobody.
    """
    shown = sorted(set(identities))
    rows = await tx.fetch(
        """
        WITH shown AS (SELECT * FROM unnest($1::text[], $2::text[]) s(scheme, value)),
             holder AS (
               SELECT h.customer_id FROM shown s CROSS JOIN LATERAL (
                 SELECT i.customer_id FROM customer_identity i
                  WHERE i.scheme = s.scheme AND i.value = s.value AND i.matches LIMIT 2) h
                UNION
               SELECT unnest($3::uuid[]))
        SELECT c.customer_id, c.locale, i.scheme, i.value, i.address, i.matches
          FROM holder JOIN customer c USING (customer_id) LEFT JOIN customer_identity i USING (customer_id)
        """,
        [identity.scheme.value for identity in shown],
        [identity.value for identity in shown],
        list(set(customer_ids)),
    )
    known = Known()
    for row in rows:
        known.locales[row["customer_id"]] = row["locale"]
        has = () if row["scheme"] is None else (Identity(Scheme(row["scheme"]), row["value"], row["address"], row["matches"]),)
        known.directory.add(row["customer_id"], *has)
    return known


async def lock_identities(tx: Transaction, identities: Iterable[Identity]) -> None:
    """Lock these identities until COMMIT, making those that nobody showed before; always in the same order."""
    wanted = sorted(set(identities))
    arrays = ([identity.scheme.value for identity in wanted], [identity.value for identity in wanted])
    await tx.execute(
        """
        INSERT INTO identity (scheme, value) SELECT * FROM unnest($1::text[], $2::text[]) s(scheme, value) ORDER BY scheme, value
        ON CONFLICT DO NOTHING
        """,
        *arrays,
    )
    await tx.execute(
        """
        SELECT FROM identity JOIN unnest($1::text[], $2::text[]) s(scheme, value) USING (scheme, value)
         ORDER BY scheme, value FOR UPDATE OF identity
        """,
        *arrays,
    )


async def register(tx: Transaction, customers: Sequence[NewCustomer]) -> set[UUID]:
    """Store new customers; the ids of those that nobody registered meanwhile (a customer with his own key may come twice at once)."""
    ordered = sorted(customers, key=lambda customer: customer.customer_id)
    rows = await tx.fetch(
        """
        INSERT INTO customer (customer_id, name, locale, registered_at)
        SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[])
        ON CONFLICT DO NOTHING RETURNING customer_id
        """,
        [customer.customer_id for customer in ordered],
        [customer.name for customer in ordered],
        [customer.locale for customer in ordered],
        [customer.registered_at for customer in ordered],
    )
    return {row["customer_id"] for row in rows}


async def link(tx: Transaction, links: Iterable[Link], at: datetime) -> None:
    """Store what customers are known by. A contact that a trusted source confirms becomes an identity; never the other way round."""
    last: Mapping[tuple[UUID, str, str], Identity] = {
        (link.customer_id, link.identity.scheme.value, link.identity.value): link.identity
        for link in sorted(links, key=lambda link: (link, link.identity.matches))
    }
    await tx.execute(
        """
        INSERT INTO customer_identity (customer_id, scheme, value, address, matches, linked_at)
        SELECT *, $6 FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bool[])
        ON CONFLICT (customer_id, scheme, value) DO UPDATE SET matches = true WHERE excluded.matches AND NOT customer_identity.matches
        """,
        [customer_id for customer_id, _, _ in last],
        [scheme for _, scheme, _ in last],
        [value for _, _, value in last],
        [identity.address for identity in last.values()],
        [identity.matches for identity in last.values()],
        at,
    )


async def suggest_merges(tx: Transaction, pairs: Iterable[tuple[UUID, UUID]], at: datetime) -> None:
    """Two customers may be one person; people decide."""
    ordered = sorted({(min(pair), max(pair)) for pair in pairs})
    await tx.execute(
        """
        INSERT INTO merge_suggestion (customer_id, other_id, suggested_at) SELECT *, $3 FROM unnest($1::uuid[], $2::uuid[])
        ON CONFLICT DO NOTHING
        """,
        [one for one, _ in ordered],
        [other for _, other in ordered],
        at,
    )


async def mail_addresses(tx: Transaction, customer_ids: Iterable[UUID]) -> dict[UUID, str]:
    """Where to write to each customer: the address that he gave last. Customers without one are left out."""
    rows = await tx.fetch(
        """
        SELECT DISTINCT ON (customer_id) customer_id, address FROM customer_identity
         WHERE customer_id = ANY($1::uuid[]) AND scheme = 'email' ORDER BY customer_id, linked_at DESC, value
        """,
        list(set(customer_ids)),
    )
    return {row["customer_id"]: row["address"] for row in rows}
