"""Merges of customers: what stands, what was done, and what is suggested. Decisions about them are in `identity/merging.py`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final
from uuid import UUID, uuid4

import asyncpg

from services.intake.identity import Identity
from services.intake.identity.file import BY_HEIGHT
from services.intake.identity.merging import Families
from services.intake.store.customers import identity_of
from shared.database import Transaction

MERGED: Final = "merged"
"""Why a file has a tier that another file of the same person was given."""


@dataclass(frozen=True)
class Member:
    """A customer of a family that is about to change, locked."""

    customer_id: UUID
    merged_into: UUID | None
    survivor_id: UUID
    version: int
    registered_at: datetime


@dataclass(frozen=True)
class Done:
    """A merge, or its undoing, as it is written down for ever."""

    kind: str
    customer_id: UUID
    into_customer_id: UUID
    actor: str
    reason: str
    at: datetime


@dataclass(frozen=True)
class Suggestion:
    """Two customers who may be one person; ``customers`` are those who answer for them."""

    suggestion_id: UUID
    status: str
    suggested_at: datetime
    customers: tuple[UUID, UUID]
    decided_at: datetime | None
    decided_by: str | None
    reason: str | None


async def survivors(tx: Transaction, customer_ids: Iterable[UUID]) -> dict[UUID, UUID]:
    """Who answers for each customer; unknown ones are left out."""
    rows = await tx.fetch("SELECT customer_id, survivor_id FROM customer WHERE customer_id = ANY($1::uuid[])", list(customer_ids))
    return {row["customer_id"]: row["survivor_id"] for row in rows}


async def lock_families(tx: Transaction, survivor_ids: Iterable[UUID]) -> list[Member]:
    """Everybody for whom these answer, locked against every other change, always in the same order."""
    rows = await tx.fetch(
        """
        SELECT customer_id, merged_into, survivor_id, version, registered_at FROM customer
         WHERE customer_id = ANY($1::uuid[]) OR (survivor_id = ANY($1::uuid[]) AND merged_into IS NOT NULL)
         ORDER BY customer_id FOR NO KEY UPDATE
        """,
        list(survivor_ids),
    )
    return [Member(**row) for row in rows]


def families_of(members: Iterable[Member]) -> Families:
    """The same as a value that decisions take."""
    merged = {member.customer_id: member.merged_into for member in members if member.merged_into is not None}
    return Families(MappingProxyType(merged))


async def save(tx: Transaction, members: Sequence[Member], families: Families, versions: Mapping[UUID, int]) -> None:
    """Write who answers for whom; identities recognise whoever answers for the customer in whose file they were linked."""
    ids = [member.customer_id for member in members]
    await tx.execute(
        """
        UPDATE customer c SET merged_into = u.merged_into, survivor_id = u.survivor_id, version = u.version
          FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::int[]) u(customer_id, merged_into, survivor_id, version)
         WHERE c.customer_id = u.customer_id
        """,
        ids,
        [families.merged_into.get(member.customer_id) for member in members],
        [families.survivor(member.customer_id) for member in members],
        [versions.get(member.customer_id, member.version) for member in members],
    )
    await tx.execute(
        """
        UPDATE customer_identity i SET customer_id = c.survivor_id FROM customer c
         WHERE c.customer_id = ANY($1::uuid[]) AND i.origin_id = c.customer_id AND i.customer_id <> c.survivor_id
        """,
        ids,
    )
    survivor_ids = list({families.survivor(customer_id) for customer_id in ids})
    await _weigh_consents(tx, survivor_ids)
    await _weigh_tiers(tx, survivor_ids)


async def _weigh_consents(tx: Transaction, survivor_ids: Sequence[UUID]) -> None:
    """What counts for a person is the strictest of all his files."""
    await tx.execute(
        """
        UPDATE customer c SET consent_status = f.status, consent_survey = f.survey, consent_marketing = f.marketing
          FROM (SELECT survivor_id, bool_and((consents_given ->> 'status')::bool) AS status,
                       bool_and((consents_given ->> 'survey')::bool) AS survey,
                       bool_and((consents_given ->> 'marketing')::bool) AS marketing
                  FROM customer WHERE customer_id = ANY($1::uuid[]) OR (survivor_id = ANY($1::uuid[]) AND merged_into IS NOT NULL)
                 GROUP BY survivor_id) f
         WHERE c.customer_id = f.survivor_id
        """,
        survivor_ids,
    )


async def _weigh_tiers(tx: Transaction, survivor_ids: Sequence[UUID]) -> None:
    """What counts for a person is the highest of all his files."""
    await tx.execute(
        """
        UPDATE customer c
           SET tier = ($2::text[])[f.height],
               tier_reason = CASE WHEN c.tier_given = ($2::text[])[f.height] THEN c.tier_given_reason ELSE $3 END
          FROM (SELECT survivor_id, max(array_position($2::text[], tier_given)) AS height
                  FROM customer WHERE customer_id = ANY($1::uuid[]) OR (survivor_id = ANY($1::uuid[]) AND merged_into IS NOT NULL)
                 GROUP BY survivor_id) f
         WHERE c.customer_id = f.survivor_id
        """,
        survivor_ids,
        [tier.value for tier in BY_HEIGHT],
        MERGED,
    )


async def write_down(tx: Transaction, done: Done) -> None:
    """Add a merge, or its undoing, to what was done."""
    await tx.execute(
        """
        INSERT INTO merge_event (merge_id, kind, customer_id, into_customer_id, actor, reason, at) VALUES ($1, $2, $3, $4, $5, $6, $7)
        """,
        uuid4(),
        done.kind,
        done.customer_id,
        done.into_customer_id,
        done.actor,
        done.reason,
        done.at,
    )


# --- suggestions ---------------------------------------------------------------------------------------------------------------------


async def suggestions(tx: Transaction, status: str, *, before: tuple[datetime, UUID] | None, limit: int) -> list[Suggestion]:
    """Suggestions of a status, newest first; open ones only if the two are not one person by now."""
    rows = await tx.fetch(
        """
        SELECT s.suggestion_id, s.status, s.suggested_at, s.decided_at, s.decided_by, s.reason, a.survivor_id AS one, b.survivor_id AS other
          FROM merge_suggestion s JOIN customer a ON a.customer_id = s.customer_id JOIN customer b ON b.customer_id = s.other_id
         WHERE s.status = $1 AND ($1 <> 'open' OR a.survivor_id <> b.survivor_id)
           AND ($2::timestamptz IS NULL OR (s.suggested_at, s.suggestion_id) < ($2, $3))
         ORDER BY s.suggested_at DESC, s.suggestion_id DESC LIMIT $4
        """,
        status,
        *(before or (None, None)),
        limit,
    )
    return list(map(_suggestion, rows))


async def find_suggestion(tx: Transaction, suggestion_id: UUID, *, locked: bool = False) -> Suggestion | None:
    """A suggestion."""
    row = await tx.fetchrow(
        f"""
        SELECT s.suggestion_id, s.status, s.suggested_at, s.decided_at, s.decided_by, s.reason, a.survivor_id AS one, b.survivor_id AS other
          FROM merge_suggestion s JOIN customer a ON a.customer_id = s.customer_id JOIN customer b ON b.customer_id = s.other_id
         WHERE s.suggestion_id = $1 {"FOR UPDATE OF s" if locked else ""}
        """,
        suggestion_id,
    )
    return None if row is None else _suggestion(row)


async def decide(tx: Transaction, suggestion_id: UUID, status: str, *, by: str, reason: str, at: datetime) -> None:
    """Accept or dismiss a suggestion."""
    await tx.execute(
        "UPDATE merge_suggestion SET status = $2, decided_by = $3, reason = $4, decided_at = $5 WHERE suggestion_id = $1",
        suggestion_id,
        status,
        by,
        reason,
        at,
    )


async def settle(tx: Transaction, members: Iterable[UUID], *, by: str, reason: str, at: datetime) -> None:
    """Suggestions about customers who are one person by now need no decision any more."""
    await tx.execute(
        """
        UPDATE merge_suggestion s SET status = 'accepted', decided_by = $2, reason = $3, decided_at = $4
          FROM customer a, customer b
         WHERE s.status = 'open' AND s.customer_id = ANY($1::uuid[]) AND s.other_id = ANY($1::uuid[])
           AND a.customer_id = s.customer_id AND b.customer_id = s.other_id AND a.survivor_id = b.survivor_id
        """,
        list(members),
        by,
        reason,
        at,
    )


async def in_common(tx: Transaction, suggested: Sequence[Suggestion]) -> dict[UUID, list[Identity]]:
    """By suggestion, what both customers are known by."""
    rows = await tx.fetch(
        """
        SELECT DISTINCT s.suggestion_id, i.scheme, i.value, i.address, i.matches, i.evidence, i.stands_in, false AS is_verified
          FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) s(suggestion_id, one, other)
               JOIN customer_identity i ON i.customer_id = s.one
               JOIN customer_identity j ON j.customer_id = s.other AND (j.scheme, j.value) = (i.scheme, i.value)
        """,
        [suggestion.suggestion_id for suggestion in suggested],
        [suggestion.customers[0] for suggestion in suggested],
        [suggestion.customers[1] for suggestion in suggested],
    )
    found: dict[UUID, list[Identity]] = {}
    for row in rows:
        identity = identity_of(row)
        known = found.setdefault(row["suggestion_id"], [])
        if identity not in known:
            known.append(identity)
    return found


def _suggestion(row: asyncpg.Record) -> Suggestion:
    names = ("suggestion_id", "status", "suggested_at", "decided_at", "decided_by", "reason")
    return Suggestion(**{name: row[name] for name in names}, customers=(row["one"], row["other"]))
