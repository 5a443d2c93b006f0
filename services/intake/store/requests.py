"""Requests, the channels' own ids that they came under, and the numbers that they answer to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import asyncpg

from services.intake.acceptance import ProductNamed, Submission
from shared.database import Transaction, from_json, to_json

ExternalKey = tuple[str, str]
"""(channel, the channel's own id of a message)."""


class Stored(NamedTuple):
    """A request as it is kept; ``product`` is None or the fields that were named."""

    request_id: UUID
    reference: str
    customer_id: UUID
    principal: str
    submission: Submission
    external_id_reused: bool
    content_digest: bytes
    locale: str
    occurred_at: datetime
    occurred_at_clamped: bool
    received_at: datetime
    in_reply_to: str | None
    completeness: float
    missing_fields: tuple[str, ...]
    entered_by: str
    completes: str | None = None


class Receipt(NamedTuple):
    """What the sender of a request is told; the same whenever the request is repeated."""

    request_id: UUID
    reference: str
    received_at: datetime
    completeness: float
    missing_fields: tuple[str, ...]
    locale: str


class First(NamedTuple):
    """The first request that came under a channel's id."""

    receipt: Receipt
    customer_id: UUID
    content_digest: bytes


async def reference_key(tx: Transaction) -> bytes:
    """The key of the permutation in references; made by the first migration and never changed."""
    key = await tx.fetchval("SELECT key FROM reference_key")
    if key is None:
        raise LookupError("the table reference_key is empty: the migration was not run")
    return bytes(key)


async def next_counts(tx: Transaction, count: int) -> list[int]:
    """Counts that nobody else gets, until the database is restored to an older state. Those of a rolled back transaction are lost."""
    return [row[0] for row in await tx.fetch("SELECT nextval('reference_number') FROM generate_series(1, $1)", count)]


async def claim_external(tx: Transaction, claims: Mapping[ExternalKey, UUID]) -> set[ExternalKey]:
    """Claim channels' ids for requests about to be stored, in a fixed order; those that are now ours.

    Whoever comes second waits until the first has committed, then gets nothing. The others' rows are locked too: whoever stores a
    further message under a used id does it alone.
    """
    keys = sorted(claims)
    arrays = ([channel for channel, _ in keys], [external_id for _, external_id in keys])
    rows = await tx.fetch(
        """
        INSERT INTO external_message (channel, external_id, first_request_id)
        SELECT * FROM unnest($1::text[], $2::text[], $3::uuid[]) ON CONFLICT DO NOTHING RETURNING channel, external_id
        """,
        *arrays,
        [claims[key] for key in keys],
    )
    ours = {(row["channel"], row["external_id"]) for row in rows}
    if len(ours) < len(keys):
        await tx.execute(
            """
            SELECT FROM external_message JOIN unnest($1::text[], $2::text[]) u(channel, external_id) USING (channel, external_id)
             ORDER BY channel, external_id FOR UPDATE OF external_message
            """,
            *arrays,
        )
    return ours


async def release_external(tx: Transaction, keys: Iterable[ExternalKey]) -> None:
    """Give claimed ids back: the requests were refused after all."""
    released = sorted(keys)
    await tx.execute(
        "DELETE FROM external_message WHERE (channel, external_id) IN (SELECT * FROM unnest($1::text[], $2::text[]))",
        [channel for channel, _ in released],
        [external_id for _, external_id in released],
    )


async def first_under(tx: Transaction, keys: Collection[ExternalKey]) -> dict[ExternalKey, First]:
    """The first requests under these ids."""
    rows = await tx.fetch(
        f"""
        SELECT {_RECEIPT}, c.survivor_id AS customer_id, channel, external_id, content_digest
          FROM external_message JOIN unnest($1::text[], $2::text[]) u(channel, external_id) USING (channel, external_id)
               JOIN request r USING (channel, external_id) JOIN customer c USING (customer_id)
         WHERE r.request_id = first_request_id
        """,
        [channel for channel, _ in keys],
        [external_id for _, external_id in keys],
    )
    return {(row["channel"], row["external_id"]): First(_receipt(row), row["customer_id"], bytes(row["content_digest"])) for row in rows}


async def further_under(tx: Transaction, contents: Collection[tuple[str, str, bytes]]) -> dict[tuple[str, str, bytes], Receipt]:
    """Further messages that are stored already: (channel, external_id, digest of the content) to what their sender was told."""
    rows = await tx.fetch(
        f"""
        SELECT {_RECEIPT}, channel, external_id, content_digest
          FROM request r JOIN unnest($1::text[], $2::text[], $3::bytea[]) u(channel, external_id, content_digest)
               USING (channel, external_id, content_digest)
         WHERE external_id_reused
        """,
        [channel for channel, _, _ in contents],
        [external_id for _, external_id, _ in contents],
        [digest for _, _, digest in contents],
    )
    return {(row["channel"], row["external_id"], bytes(row["content_digest"])): _receipt(row) for row in rows}


async def owners_of(tx: Transaction, numbers: Collection[str]) -> dict[str, UUID]:
    """Whose each reference or ticket number is, after all merges; unknown ones are left out."""
    rows = await tx.fetch(
        """
        SELECT f.number, coalesce(c.survivor_id, f.customer_id) AS customer_id
          FROM (SELECT reference AS number, customer_id FROM request WHERE reference = ANY($1::text[])
                 UNION
                SELECT number, customer_id FROM ticket_copy WHERE number = ANY($1::text[])) f LEFT JOIN customer c USING (customer_id)
        """,
        list(numbers),
    )
    return {row["number"]: row["customer_id"] for row in rows}


async def insert(tx: Transaction, requests: Sequence[Stored]) -> None:
    """Store requests."""
    await tx.copy("request", _COLUMNS, list(map(_row, requests)))


_RECEIPT: Final = "r.request_id, r.reference, r.received_at, r.completeness, r.missing_fields, r.locale"


def _receipt(row: asyncpg.Record) -> Receipt:
    missing = tuple(from_json(row["missing_fields"]))
    return Receipt(row["request_id"], row["reference"], row["received_at"], row["completeness"], missing, row["locale"])


_COLUMNS: Final = (
    "request_id",
    "reference",
    "customer_id",
    "principal",
    "channel",
    "external_id",
    "external_id_reused",
    "content_digest",
    "type",
    "locale",
    "subject",
    "text",
    "contact",
    "product",
    "attachments",
    "metadata",
    "expected_resolution_at",
    "occurred_at",
    "occurred_at_clamped",
    "received_at",
    "in_reply_to",
    "completeness",
    "missing_fields",
    "entered_by",
    "conversation_id",
    "completes",
    "order_number",
)


def _row(stored: Stored) -> tuple[Any, ...]:
    sent = stored.submission
    return (
        stored.request_id,
        stored.reference,
        stored.customer_id,
        stored.principal,
        sent.channel,
        sent.external_id,
        stored.external_id_reused,
        stored.content_digest,
        sent.type,
        stored.locale,
        sent.subject,
        sent.text,
        to_json(sent.customer),
        _product(sent.product),
        to_json(sent.attachments) if sent.attachments else "[]",
        to_json(dict(sent.metadata)) if sent.metadata else "{}",
        sent.expected_resolution_at,
        stored.occurred_at,
        stored.occurred_at_clamped,
        stored.received_at,
        stored.in_reply_to,
        stored.completeness,
        to_json(stored.missing_fields),
        stored.entered_by,
        sent.conversation_id,
        stored.completes,
        None if sent.product is None else sent.product.order_number,
    )


def _product(product: ProductNamed | None) -> str | None:
    return None if product is None else to_json(product)
