"""Customer files: one customer as the organisation keeps him, and the audit trail of what was changed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.intake.identity import Identity
from services.intake.identity.file import Consents, File
from services.intake.store.customers import identity_of, name_key
from shared.database import Transaction, from_json, to_json


@dataclass(frozen=True)
class Held:
    """An identity in a file. ``identity_id`` names it in addresses: it holds nothing of its value that could be read."""

    identity: Identity
    linked_at: datetime
    verified_at: datetime | None
    verified_by: str | None
    is_shared: bool

    def identity_id(self, customer_id: UUID) -> str:
        """Its name within the customer's file."""
        text = f"{self.identity.kind}\0{self.identity.value}".encode()
        return hashlib.blake2b(text, key=customer_id.bytes, digest_size=12).hexdigest()


@dataclass(frozen=True)
class Named:
    """A name that a request told of a customer whose file has none."""

    customer_id: UUID
    name: str
    actor: str
    at: datetime


@dataclass(frozen=True)
class Listed:
    """A line of the list of customers."""

    file: File
    name_key: str | None


@dataclass(frozen=True)
class Entry:
    """A line of the audit trail."""

    version: int
    type: str
    at: datetime
    actor: str
    data: Mapping[str, Any]


_FILE = """
    c.customer_id, c.version, c.name, c.locale, c.tier, c.tier_reason, c.consent_status, c.consent_survey, c.consent_marketing,
    c.primary_email, c.primary_phone, c.registered_at
"""


async def find(tx: Transaction, customer_id: UUID) -> File | None:
    """The file that answers for a customer."""
    row = await tx.fetchrow(
        f"SELECT {_FILE} FROM customer o JOIN customer c ON c.customer_id = o.survivor_id WHERE o.customer_id = $1", customer_id
    )
    return None if row is None else _file(row)


async def lines(tx: Transaction, survivor_ids: Iterable[UUID]) -> dict[UUID, File]:
    """The files of these survivors."""
    rows = await tx.fetch(f"SELECT {_FILE} FROM customer c WHERE c.customer_id = ANY($1::uuid[])", list(survivor_ids))
    return {row["customer_id"]: _file(row) for row in rows}


async def lock(tx: Transaction, customer_id: UUID) -> File | None:
    """The same, locked with all who were merged into him against every other change; one that is merged meanwhile has another version."""
    survivor_id = await tx.fetchval("SELECT survivor_id FROM customer WHERE customer_id = $1", customer_id)
    rows = await tx.fetch(
        f"""
        SELECT {_FILE} FROM customer c WHERE c.customer_id = $1 OR (c.survivor_id = $1 AND c.merged_into IS NOT NULL)
         ORDER BY c.customer_id FOR NO KEY UPDATE
        """,
        survivor_id,
    )
    return next((_file(row) for row in rows if row["customer_id"] == survivor_id), None)


async def save(tx: Transaction, file: File, consents: Mapping[str, bool], *, is_graded: bool = False) -> None:
    """Write a changed file. ``consents``, and a tier if it ``is_graded``, were said anew: they hold for all files that are this person."""
    await tx.execute(
        """
        UPDATE customer SET version = $2, name = $3, name_key = $4, locale = $5, tier = $6, tier_reason = $7, primary_email = $8,
                            primary_phone = $9, consent_status = $10, consent_survey = $11, consent_marketing = $12
         WHERE customer_id = $1
        """,
        file.customer_id,
        file.version,
        file.name,
        name_key(file.name),
        file.locale,
        file.tier,
        file.tier_reason,
        file.primary_email,
        file.primary_phone,
        file.consents.status,
        file.consents.survey,
        file.consents.marketing,
    )
    if consents:
        await tx.execute(
            """
            UPDATE customer SET consents_given = consents_given || $2::jsonb
             WHERE customer_id = $1 OR (survivor_id = $1 AND merged_into IS NOT NULL)
            """,
            file.customer_id,
            to_json(consents),
        )
    if is_graded:
        await tx.execute(
            """
            UPDATE customer SET tier_given = $2, tier_given_reason = $3
             WHERE customer_id = $1 OR (survivor_id = $1 AND merged_into IS NOT NULL)
            """,
            file.customer_id,
            file.tier,
            file.tier_reason,
        )


async def lock_all(tx: Transaction, customer_ids: Iterable[UUID]) -> None:
    """Lock these files against every other change, always in the same order."""
    await tx.execute("SELECT FROM customer WHERE customer_id = ANY($1::uuid[]) ORDER BY customer_id FOR NO KEY UPDATE", list(customer_ids))


async def learn_names(tx: Transaction, names: Sequence[Named]) -> list[File]:
    """Give files a name that have none, and note it in their trails; the files that got one."""
    rows = await tx.fetch(
        f"""
        WITH c AS (
          UPDATE customer f SET name = u.name, name_key = u.name_key, version = version + 1
            FROM unnest($1::uuid[], $2::text[], $3::text[]) u(customer_id, name, name_key)
           WHERE f.customer_id = u.customer_id AND f.name IS NULL AND f.merged_into IS NULL RETURNING f.*),
             noted AS (
          INSERT INTO customer_change (customer_id, version, type, at, actor, data)
          SELECT c.customer_id, c.version, 'name_learned', u.at, u.actor, '{{}}'
            FROM c JOIN unnest($1::uuid[], $4::timestamptz[], $5::text[]) u(customer_id, at, actor) USING (customer_id))
        SELECT {_FILE} FROM c
        """,
        [named.customer_id for named in names],
        [named.name for named in names],
        [name_key(named.name) for named in names],
        [named.at for named in names],
        [named.actor for named in names],
    )
    return list(map(_file, rows))


async def family(tx: Transaction, customer_id: UUID) -> list[UUID]:
    """The customer and all that were merged into him, oldest merge first."""
    rows = await tx.fetch(
        """
        SELECT customer_id FROM customer WHERE customer_id = $1 OR (survivor_id = $1 AND merged_into IS NOT NULL)
         ORDER BY merged_into IS NOT NULL, registered_at, customer_id
        """,
        customer_id,
    )
    return [row["customer_id"] for row in rows]


async def held_by(tx: Transaction, customer_ids: Iterable[UUID]) -> dict[UUID, list[Held]]:
    """What these survivors are known by, each identity once, oldest first."""
    rows = await tx.fetch(
        """
        SELECT DISTINCT ON (i.customer_id, i.scheme, i.value) i.customer_id, i.scheme, i.value, i.address, i.matches, i.evidence,
               i.stands_in, i.verified_at IS NOT NULL AS is_verified, i.linked_at, i.verified_at, i.verified_by, d.shared
          FROM customer_identity i JOIN identity d USING (scheme, value) WHERE i.customer_id = ANY($1::uuid[])
         ORDER BY i.customer_id, i.scheme, i.value, i.matches DESC, i.verified_at NULLS LAST, i.linked_at
        """,
        list(customer_ids),
    )
    held: dict[UUID, list[Held]] = {}
    for row in rows:
        found = Held(identity_of(row), row["linked_at"], row["verified_at"], row["verified_by"], row["shared"])
        held.setdefault(row["customer_id"], []).append(found)
    return {customer_id: sorted(found, key=lambda one: one.linked_at) for customer_id, found in held.items()}


async def holders(tx: Transaction, identity: Identity) -> dict[UUID, bool]:
    """Whom an identity recognises or could, and whether each has proven it."""
    rows = await tx.fetch(
        """
        SELECT customer_id, bool_or(verified_at IS NOT NULL) AS is_verified FROM customer_identity
         WHERE scheme = $1 AND value = $2 AND matches GROUP BY customer_id ORDER BY customer_id LIMIT 100
        """,
        identity.kind,
        identity.value,
    )
    return {row["customer_id"]: row["is_verified"] for row in rows}


async def unlink(tx: Transaction, customer_id: UUID, identity: Identity) -> None:
    """The customer is not known by it any more."""
    await tx.execute(
        "DELETE FROM customer_identity WHERE customer_id = $1 AND scheme = $2 AND value = $3", customer_id, identity.kind, identity.value
    )


async def verify(tx: Transaction, customer_id: UUID, identity: Identity, *, by: str, at: datetime) -> None:
    """The customer has proven that it is his: a contact becomes an identity."""
    await tx.execute(
        """
        UPDATE customer_identity SET matches = true, stands_in = NULL, verified_at = coalesce(verified_at, $4),
                                     verified_by = coalesce(verified_by, $5)
         WHERE customer_id = $1 AND scheme = $2 AND value = $3
        """,
        customer_id,
        identity.kind,
        identity.value,
        at,
        by,
    )


async def note(tx: Transaction, entries: Sequence[tuple[UUID, Entry]]) -> None:
    """Add to audit trails."""
    await tx.execute(
        """
        INSERT INTO customer_change (customer_id, version, type, at, actor, data)
        SELECT * FROM unnest($1::uuid[], $2::int[], $3::text[], $4::timestamptz[], $5::text[], $6::jsonb[])
        """,
        [customer_id for customer_id, _ in entries],
        [entry.version for _, entry in entries],
        [entry.type for _, entry in entries],
        [entry.at for _, entry in entries],
        [entry.actor for _, entry in entries],
        [to_json(dict(entry.data)) for _, entry in entries],
    )


async def trail(tx: Transaction, customer_id: UUID, *, before: int, limit: int) -> list[Entry]:
    """The audit trail of a file, newest first, of versions below ``before``."""
    rows = await tx.fetch(
        """
        SELECT version, type, at, actor, data FROM customer_change WHERE customer_id = $1 AND version < $2
         ORDER BY version DESC LIMIT $3
        """,
        customer_id,
        before,
        limit,
    )
    return [Entry(row["version"], row["type"], row["at"], row["actor"], from_json(row["data"])) for row in rows]


# --- lists ---------------------------------------------------------------------------------------------------------------------------


async def newest(tx: Transaction, *, tier: str | None, before: tuple[datetime, UUID] | None, limit: int) -> list[Listed]:
    """Files, newest first."""
    rows = await tx.fetch(
        f"""
        SELECT {_FILE}, c.name_key FROM customer c
         WHERE c.merged_into IS NULL AND ($1::text IS NULL OR c.tier = $1)
           AND ($2::timestamptz IS NULL OR (c.registered_at, c.customer_id) < ($2, $3))
         ORDER BY c.registered_at DESC, c.customer_id DESC LIMIT $4
        """,
        tier,
        *(before or (None, None)),
        limit,
    )
    return [Listed(_file(row), row["name_key"]) for row in rows]


async def named(tx: Transaction, prefix: str, *, tier: str | None, after: tuple[str, UUID] | None, limit: int) -> list[Listed]:
    """Files whose name begins so, by name."""
    start = name_key(prefix) or ""
    rows = await tx.fetch(
        f"""
        SELECT {_FILE}, c.name_key FROM customer c
         WHERE c.merged_into IS NULL AND c.name_key >= $1 AND starts_with(c.name_key, $1) AND ($2::text IS NULL OR c.tier = $2)
           AND ($3::text IS NULL OR (c.name_key, c.customer_id) > ($3, $4))
           AND c.name_key < $1 || chr(1114111)
         ORDER BY c.name_key, c.customer_id LIMIT $5
        """,
        start,
        tier,
        *(after or (None, None)),
        limit,
    )
    return [Listed(_file(row), row["name_key"]) for row in rows]


async def known_by(tx: Transaction, identity: Identity, *, limit: int) -> list[Listed]:
    """Files that hold an identity, be it as a mere contact."""
    rows = await tx.fetch(
        f"""
        SELECT {_FILE}, c.name_key FROM customer c
         WHERE c.customer_id IN (SELECT customer_id FROM customer_identity WHERE scheme = $1 AND value = $2 LIMIT $3)
         ORDER BY c.registered_at, c.customer_id
        """,
        identity.kind,
        identity.value,
        limit,
    )
    return [Listed(_file(row), row["name_key"]) for row in rows]


def _file(row: asyncpg.Record) -> File:
    consents = Consents(row["consent_status"], row["consent_survey"], row["consent_marketing"])
    names = ("customer_id", "version", "name", "locale", "tier", "tier_reason", "primary_email", "primary_phone", "registered_at")
    return File(**{name: row[name] for name in names}, consents=consents)
