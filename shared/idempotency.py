"""Idempotency-Key: a creating call that is sent twice has its effect once, and both get the same answer.

The key's row is inserted in the transaction of the effect, before anything else is locked. A duplicate that arrives meanwhile waits on the
unique index; when the first commits it reads the stored answer, when the first rolls back it becomes the first. Keys belong to a principal
and a route, and are kept for a week. https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import asyncpg
import orjson

from shared import clock, errors
from shared.database import Database, Transaction, column, from_json, to_json

KEPT: Final = timedelta(days=7)
"""How long a key protects its call."""
DELETED_AT_ONCE: Final = 1_000
"""Rows of one deleting transaction."""
MAX_KEY: Final = 255
"""Characters of a key."""


class KeyReused(errors.Invalid):
    """The same Idempotency-Key came with another body."""

    code = "idempotency_key_reused"

    def __init__(self) -> None:
        super().__init__(
            "This Idempotency-Key was used with another body. Use a new key for a new request.",
            errors=[errors.FieldError("Idempotency-Key", self.code, "was used with another body")],
        )


@dataclass(frozen=True, slots=True)
class Claim:
    """A call that wants to be the first of its key."""

    principal: str
    route: str
    key: str
    fingerprint: bytes

    @property
    def identity(self) -> tuple[str, str, str]:
        """What is unique."""
        return self.principal, self.route, self.key


@dataclass(frozen=True, slots=True)
class Replay:
    """The call was answered before: this is the answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Fresh:
    """The call is the first of its key (or has none): do it, then store its answer."""

    claim: Claim | None = None


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The key was used with another body."""


@dataclass(frozen=True, slots=True)
class SameAs:
    """The call repeats another one of the same batch and gets its answer."""

    index: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What is stored for those who repeat the call."""

    claim: Claim
    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class First:
    """What `once` yields to the first call of a key; without a key, storing does nothing."""

    def __init__(self, tx: Transaction, claim: Claim | None) -> None:
        self._tx = tx
        self._claim = claim
        self.is_answered = claim is None

    async def store(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Keep the answer for whoever repeats the call."""
        if self._claim is not None:
            await store_many(self._tx, [Answer(self._claim, status, body, headers or {})])
        self.is_answered = True


@asynccontextmanager
async def once(tx: Transaction, principal: str, route: str, key: str | None, fingerprint: bytes) -> AsyncIterator[First | Replay]:
    """Claim the key in this transaction, before anything else is locked; waits while another transaction holds it.

    Raises:
        KeyReused: the key was used with another body.
        RuntimeError: the block ended without an answer: a bug, since a repeated call would find none.
    """
    claim = None if key is None else Claim(principal, route, key, fingerprint)
    outcome = (await claim_many(tx, [claim]))[0] if claim else Fresh()
    match outcome:
        case Mismatch():
            raise KeyReused
        case Replay():
            yield outcome
        case _:
            first = First(tx, claim)
            yield first
            if not first.is_answered:
                raise RuntimeError("a call with an Idempotency-Key ended without store()")


async def claim_many(tx: Transaction, claims: Sequence[Claim]) -> list[Fresh | Replay | Mismatch | SameAs]:
    """Claim the keys of a batch of calls, in three statements at most; one outcome per claim, in the same order.

    Keys are inserted in sorted order, so that two batches never wait for each other in a circle. The same key twice in the batch: the
    first call wins, the second is `SameAs` it, or a `Mismatch`.
    """
    firsts: dict[tuple[str, str, str], int] = {}
    for index, claim in enumerate(claims):
        firsts.setdefault(claim.identity, index)
    wanted = [claims[firsts[identity]] for identity in sorted(firsts)]
    known = await _insert(tx, wanted) if wanted else {}
    return [_outcome(index, claim, firsts[claim.identity], claims, known) for index, claim in enumerate(claims)]


def _outcome(
    index: int, claim: Claim, first: int, claims: Sequence[Claim], known: Mapping[tuple[str, str, str], asyncpg.Record]
) -> Fresh | Replay | Mismatch | SameAs:
    row = known.get(claim.identity)
    fingerprint = claims[first].fingerprint if row is None else row["fingerprint"]
    if fingerprint != claim.fingerprint:
        return Mismatch()
    if row is not None:
        return Replay(row["status"], from_json(row["headers"]) or {}, row["response"] or b"")
    return Fresh(claim) if index == first else SameAs(first)


async def _insert(tx: Transaction, claims: Sequence[Claim]) -> dict[tuple[str, str, str], asyncpg.Record]:
    """Insert those that are new; the rows of the others. A row that another transaction holds is waited for."""
    arrays = [column(claims, name) for name in ("principal", "route", "key", "fingerprint")]
    inserted = await tx.fetch(
        """
        INSERT INTO idempotency (principal, route, key, fingerprint)
        SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[])
        ON CONFLICT DO NOTHING RETURNING principal, route, key
        """,
        *arrays,
    )
    if len(inserted) == len(claims):
        return {}
    ours = {tuple(row) for row in inserted}
    others = [claim for claim in claims if claim.identity not in ours]
    rows = await tx.fetch(
        """
        SELECT principal, route, key, fingerprint, status, headers, response
          FROM idempotency JOIN unnest($1::text[], $2::text[], $3::text[]) wanted(principal, route, key) USING (principal, route, key)
        """,
        *(column(others, name) for name in ("principal", "route", "key")),
    )
    known = {(row["principal"], row["route"], row["key"]): row for row in rows}
    if len(known) != len(others):
        # deleted between the two statements: a week old, and repeated in that very moment
        raise errors.Unavailable("The Idempotency-Key has just expired. Send the request again.")
    return known


async def store_many(tx: Transaction, answers: Sequence[Answer]) -> None:
    """Keep the answers of the fresh calls of a batch, in one statement."""
    if not answers:
        return
    claims = [answer.claim for answer in answers]
    await tx.execute(
        """
        UPDATE idempotency i SET status = a.status, headers = a.headers, response = a.response
          FROM unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::jsonb[], $6::bytea[])
               a(principal, route, key, status, headers, response)
         WHERE (i.principal, i.route, i.key) = (a.principal, a.route, a.key)
        """,
        *(column(claims, name) for name in ("principal", "route", "key")),
        column(answers, "status"),
        [to_json(dict(answer.headers)) for answer in answers],
        column(answers, "body"),
    )


async def delete_old(database: Database) -> int:
    """Delete keys older than a week, in small transactions; how many there were."""
    before = clock.real_now() - KEPT
    deleted = 0
    while True:
        async with database.transaction() as tx:
            tag = await tx.execute(
                """
                DELETE FROM idempotency WHERE (principal, route, key) IN
                  (SELECT principal, route, key FROM idempotency WHERE created_at < $1 ORDER BY created_at LIMIT $2
                      FOR UPDATE SKIP LOCKED)
                """,
                before,
                DELETED_AT_ONCE,
            )
        count = int(tag.rpartition(" ")[2])
        deleted += count
        if count < DELETED_AT_ONCE:
            return deleted


def fingerprint(value: Any) -> bytes:
    """128 bits that tell two JSON bodies apart; the order of fields and white space do not matter."""
    return hashlib.blake2b(orjson.dumps(value, option=orjson.OPT_SORT_KEYS), digest_size=16).digest()
