"""Customers and what they are known by.

Whoever registers a customer or links an identity first locks the identity's row (`lock_identities`), then looks again: so two requests of
one new customer that arrive at once decide one after the other. Who finds a known customer and stores nothing needs no lock.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from typing import Final, NamedTuple
from unicodedata import normalize
from uuid import UUID

import asyncpg

from services.intake.identity import Directory, Evidence, Identity
from shared.database import Transaction

HOUSEHOLD: Final = 3
"""An identity of more app users than this is a household's or a company's, and recognises nobody any more."""

_PLACE: Final = attrgetter("place")


@dataclass
class Known:
    """What is stored of those who came: their identities, and the language that each was registered with."""

    directory: Directory = field(default_factory=Directory)
    locales: dict[UUID, str] = field(default_factory=dict)
    named: set[UUID] = field(default_factory=set)
    """Whose name stands in his file."""
    reachable: set[UUID] = field(default_factory=set)
    """Whose file says how to reach him."""
    stand_ins: set[UUID] = field(default_factory=set)
    """Who stands for many persons, and so has no name."""
    survivors: dict[UUID, UUID] = field(default_factory=dict)
    """Who answers for those who were asked for by an id that was merged."""

    def update(self, newer: Known) -> None:
        """Take over what was read again. What was read of others before stands, but recognises nobody any more."""
        self.directory = newer.directory
        self.locales |= newer.locales
        self.named |= newer.named
        self.reachable |= newer.reachable
        self.stand_ins |= newer.stand_ins
        self.survivors |= newer.survivors


class NewCustomer(NamedTuple):
    """A customer to register."""

    customer_id: UUID
    name: str | None
    locale: str
    registered_at: datetime


class Link(NamedTuple):
    """A customer has an identity, or a contact."""

    customer_id: UUID
    identity: Identity


def name_key(name: str | None) -> str | None:
    """The name as it is searched for: without regard to case and width."""
    return None if name is None else normalize("NFKC", name).lower()


async def known_of(tx: Transaction, identities: Iterable[Identity], customer_ids: Iterable[UUID]) -> Known:
    """All that decides whom these identities recognise, and who answers for these customers.

    Of each identity two holders are enough, and two who have proven it: an identity that two customers share recognises nobody. LIMIT and
    OFFSET make PostgreSQL look each one up by its index; left to itself it thinks that arrays are long, and reads whole tables.
    """
    shown = sorted(set(identities), key=_PLACE)
    asked = set(customer_ids)
    rows = await tx.fetch(
        """
        WITH shown AS (SELECT * FROM unnest($1::text[], $2::text[]) s(scheme, value)),
             holder AS (
               SELECT h.customer_id, h.customer_id AS asked FROM shown s CROSS JOIN LATERAL (
                 (SELECT DISTINCT i.customer_id FROM customer_identity i
                   WHERE i.scheme = s.scheme AND i.value = s.value AND i.matches LIMIT 2)
                  UNION ALL
                 (SELECT i.customer_id FROM customer_identity i
                   WHERE i.scheme = s.scheme AND i.value = s.value AND i.matches AND i.verified_at IS NOT NULL LIMIT 2)
                  UNION ALL
                 (SELECT i.customer_id FROM customer_identity i
                   WHERE i.scheme = s.scheme AND i.value = s.value AND i.stands_in IS NOT NULL)) h
                UNION
               SELECT survivor_id, customer_id FROM customer WHERE customer_id = ANY($3::uuid[]))
        SELECT h.asked, c.customer_id, c.locale, c.name IS NOT NULL AS is_named, i.scheme, i.value, i.address, i.matches, i.evidence,
               i.verified_at IS NOT NULL AS is_verified, i.stands_in, d.shared
          FROM holder h
               CROSS JOIN LATERAL (SELECT * FROM customer WHERE customer_id = h.customer_id LIMIT 1) c
               LEFT JOIN LATERAL (SELECT * FROM customer_identity WHERE customer_id = h.customer_id OFFSET 0) i ON true
               LEFT JOIN LATERAL (SELECT shared FROM identity WHERE (scheme, value) = (i.scheme, i.value) LIMIT 1) d ON true
        """,
        [identity.kind for identity in shown],
        [identity.value for identity in shown],
        list(asked),
    )
    known = Known()
    for row in rows:
        _learn(known, row)
    return known


def _learn(known: Known, row: asyncpg.Record) -> None:
    customer_id = row["customer_id"]
    known.locales[customer_id] = row["locale"]
    if row["is_named"]:
        known.named.add(customer_id)
    if row["asked"] != customer_id:
        known.survivors[row["asked"]] = customer_id
    if row["scheme"] is None:
        known.directory.add(customer_id)
        return
    identity = identity_of(row)
    if identity.leads_to_him:
        known.reachable.add(customer_id)
    if identity.stands_in is not None:
        known.stand_ins.add(customer_id)
    known.directory.add(customer_id, identity)
    if row["shared"]:
        known.directory.shared.add(identity)


def identity_of(row: asyncpg.Record) -> Identity:
    """A stored link's identity."""
    evidence = Evidence(row["evidence"])
    stored = (row["scheme"], row["value"], row["address"], row["matches"])
    return Identity.stored(*stored, evidence=evidence, is_verified=row["is_verified"], stands_in=row["stands_in"])


async def lock_identities(tx: Transaction, identities: Iterable[Identity]) -> set[Identity]:
    """Lock these identities until COMMIT, making those that nobody showed before; always in the same order. Those that were made."""
    wanted = sorted(set(identities), key=_PLACE)
    rows = await tx.fetch(
        """
        INSERT INTO identity (scheme, value) SELECT * FROM unnest($1::text[], $2::text[]) s(scheme, value) ORDER BY scheme, value
        ON CONFLICT DO NOTHING RETURNING scheme, value
        """,
        *_places(wanted),
    )
    if len(rows) == len(wanted):
        return set(wanted)
    made = {(row["scheme"], row["value"]) for row in rows}
    await tx.execute(
        """
        SELECT FROM identity JOIN unnest($1::text[], $2::text[]) s(scheme, value) USING (scheme, value)
         ORDER BY scheme, value FOR UPDATE OF identity
        """,
        *_places([identity for identity in wanted if identity.place not in made]),
    )
    return {identity for identity in wanted if identity.place in made}


def _places(identities: Sequence[Identity]) -> tuple[list[str], list[str]]:
    return [identity.kind for identity in identities], [identity.value for identity in identities]


async def add(tx: Transaction, customers: Sequence[NewCustomer]) -> None:
    """Store new customers whose ids were just drawn, so that nobody can have registered them."""
    rows = [(new.customer_id, new.customer_id, new.name, name_key(new.name), new.locale, new.registered_at) for new in customers]
    await tx.copy("customer", ("customer_id", "survivor_id", "name", "name_key", "locale", "registered_at"), rows)


async def register(tx: Transaction, customers: Sequence[NewCustomer]) -> set[UUID]:
    """Store new customers; the ids of those that nobody registered meanwhile (a customer with his own key may come twice at once)."""
    ordered = sorted(customers, key=lambda customer: customer.customer_id)
    rows = await tx.fetch(
        """
        INSERT INTO customer (customer_id, survivor_id, name, name_key, locale, registered_at)
        SELECT u.id, u.id, u.name, u.name_key, u.locale, u.at
          FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::timestamptz[]) u(id, name, name_key, locale, at)
        ON CONFLICT DO NOTHING RETURNING customer_id
        """,
        [customer.customer_id for customer in ordered],
        [customer.name for customer in ordered],
        [name_key(customer.name) for customer in ordered],
        [customer.locale for customer in ordered],
        [customer.registered_at for customer in ordered],
    )
    return {row["customer_id"] for row in rows}


async def link(tx: Transaction, links: Iterable[Link], at: datetime, *, new: Collection[UUID] = ()) -> None:
    """Store what customers are known by. A contact that a trusted source confirms becomes an identity; never the other way round.

    Customers are locked against being merged meanwhile: what is linked then recognises whoever answers for them. Those who are ``new`` in
    this transaction nobody else can see, and have nothing yet.
    """
    last: dict[tuple[UUID, str, str], Identity] = {
        (link.customer_id, link.identity.kind, link.identity.value): link.identity
        for link in sorted(links, key=lambda link: (link.customer_id, *link.identity.place, link.identity.matches))
    }
    firsts = {place: identity for place, identity in last.items() if place[0] in new}
    if firsts:
        await tx.copy("customer_identity", _LINKED, [_linked(*place, identity, at) for place, identity in firsts.items()])
    if len(firsts) < len(last):
        await _link_known(tx, {place: identity for place, identity in last.items() if place not in firsts}, at)


_LINKED: Final = ("origin_id", "customer_id", "scheme", "value", "address", "matches", "evidence", "stands_in", "linked_at")


def _linked(customer_id: UUID, kind: str, value: str, identity: Identity, at: datetime) -> tuple[object, ...]:
    evidence = identity.evidence.value
    return customer_id, customer_id, kind, value, identity.address, identity.matches, evidence, identity.stands_in, at


async def _link_known(tx: Transaction, links: Mapping[tuple[UUID, str, str], Identity], at: datetime) -> None:
    await tx.execute(
        """
        WITH file AS MATERIALIZED (
               SELECT customer_id, survivor_id FROM customer WHERE customer_id = ANY($1::uuid[]) ORDER BY customer_id FOR SHARE)
        INSERT INTO customer_identity (origin_id, customer_id, scheme, value, address, matches, evidence, stands_in, linked_at)
        SELECT l.customer_id, coalesce(f.survivor_id, l.customer_id), l.scheme, l.value, l.address, l.matches, l.evidence, l.stands_in, $8
          FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bool[], $6::text[], $7::text[])
               l(customer_id, scheme, value, address, matches, evidence, stands_in) LEFT JOIN file f USING (customer_id)
        ON CONFLICT (scheme, value, origin_id) DO UPDATE SET matches = true, evidence = excluded.evidence, stands_in = NULL
         WHERE excluded.matches AND NOT customer_identity.matches
        """,
        [customer_id for customer_id, _, _ in links],
        [kind for _, kind, _ in links],
        [value for _, _, value in links],
        [identity.address for identity in links.values()],
        [identity.matches for identity in links.values()],
        [identity.evidence.value for identity in links.values()],
        [identity.stands_in for identity in links.values()],
        at,
    )


async def mark_shared(tx: Transaction, identities: Iterable[Identity]) -> None:
    """Mark those weak identities that more than `HOUSEHOLD` app users have; claims of customers with their own keys do not count."""
    weak = sorted({identity for identity in identities if identity.is_weak}, key=_PLACE)
    if not weak:
        return
    await tx.execute(
        """
        UPDATE identity d SET shared = true FROM unnest($1::text[], $2::text[]) s(scheme, value)
         WHERE (d.scheme, d.value) = (s.scheme, s.value) AND NOT d.shared
           AND $3 < (SELECT count(DISTINCT i.customer_id) FROM customer_identity i
                       JOIN customer_identity u ON u.customer_id = i.customer_id AND u.scheme = 'app_user' AND u.matches
                      WHERE (i.scheme, i.value) = (s.scheme, s.value) AND i.evidence <> 'claimed')
        """,
        [identity.kind for identity in weak],
        [identity.value for identity in weak],
        HOUSEHOLD,
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
