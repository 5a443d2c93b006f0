"""Idempotency-Key: a creating call that is sent twice has its effect once, and both get the same answer.

The key's row is written in the transaction of the effect. A duplicate that arrives meanwhile waits on the unique index; when the first
commits it gets the stored answer, when the first rolls back it becomes the first. Keys belong to a principal and a route, and are kept for
a week. https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/

One call claims its key before it does anything else (`once`). A batch of calls looks its keys up (`find_many`), does its work and writes
keys and answers in one go (`keep_many`): half the writing. Who is overtaken meanwhile finds out there, rolls back and does it again.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from operator import itemgetter
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


class Overtaken(Exception):
    """Another transaction has stored an answer under a key of ours since we looked. Nothing may be committed; the next attempt finds it."""


class First:
    """What `once` yields to the first call of a key; without a key, storing does nothing."""

    def __init__(self, tx: Transaction, claim: Claim | None) -> None:
        self._tx = tx
        self._claim = claim
        self.is_answered = claim is None

    async def store(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Keep the answer for whoever repeats the call."""
        if self._claim is not None:
            await self._tx.execute(
                "UPDATE idempotency SET status = $4, headers = $5, response = $6 WHERE (principal, route, key) = ($1, $2, $3)",
                *self._claim.identity,
                status,
                to_json(dict(headers or {})),
                body,
            )
        self.is_answered = True


@asynccontextmanager
async def once(tx: Transaction, principal: str, route: str, key: str | None, fingerprint: bytes) -> AsyncIterator[First | Replay]:
    """Claim the key in this transaction, before anything else is locked; waits while another transaction holds it.

    Raises:
        KeyReused: the key was used with another body.
        RuntimeError: the block ended without an answer: a bug, since a repeated call would find none.
    """
    claim = None if key is None else Claim(principal, route, key, fingerprint)
    outcome = await _claim(tx, claim) if claim else Fresh()
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


async def _claim(tx: Transaction, claim: Claim) -> Fresh | Replay | Mismatch:
    tag = await tx.execute(
        "INSERT INTO idempotency (principal, route, key, fingerprint) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        *claim.identity,
        claim.fingerprint,
    )
    if tag == "INSERT 0 1":
        return Fresh(claim)
    row = (await _find(tx, [claim])).get(claim.identity)
    if row is None:
        # deleted between the two statements: a week old, and repeated in that very moment
        raise errors.Unavailable("The Idempotency-Key has just expired. Send the request again.")
    return _replay(row) if row["fingerprint"] == claim.fingerprint else Mismatch()


async def find_many(tx: Transaction, claims: Sequence[Claim]) -> list[Fresh | Replay | Mismatch | SameAs]:
    """What is known of the keys of a batch of calls, in one statement; one outcome per claim, in the same order.

    The same key twice in the batch: the first call wins, the second is `SameAs` it, or a `Mismatch`. Nothing is locked: whether a `Fresh`
    call is the first is settled by `keep_many`.
    """
    firsts: dict[tuple[str, str, str], int] = {}
    for index, claim in enumerate(claims):
        firsts.setdefault(claim.identity, index)
    known = await _find(tx, [claims[first] for first in firsts.values()]) if claims else {}
    return [_outcome(index, claim, firsts[claim.identity], claims, known) for index, claim in enumerate(claims)]


def _outcome(
    index: int, claim: Claim, first: int, claims: Sequence[Claim], known: Mapping[tuple[str, str, str], asyncpg.Record]
) -> Fresh | Replay | Mismatch | SameAs:
    row = known.get(claim.identity)
    fingerprint = claims[first].fingerprint if row is None else row["fingerprint"]
    if fingerprint != claim.fingerprint:
        return Mismatch()
    if row is not None:
        return _replay(row)
    return Fresh(claim) if index == first else SameAs(first)


def _replay(row: asyncpg.Record) -> Replay:
    return Replay(row["status"], from_json(row["headers"]) or {}, row["response"] or b"")


async def _find(tx: Transaction, claims: Sequence[Claim]) -> dict[tuple[str, str, str], asyncpg.Record]:
    """The rows of the keys that are known. LIMIT makes PostgreSQL look each one up by its index, however many it thinks there are."""
    rows = await tx.fetch(
        """
        SELECT i.* FROM unnest($1::text[], $2::text[], $3::text[]) w(principal, route, key) CROSS JOIN LATERAL (
          SELECT principal, route, key, fingerprint, status, headers, response FROM idempotency
           WHERE (principal, route, key) = (w.principal, w.route, w.key) LIMIT 1) i
        """,
        *(column(claims, name) for name in ("principal", "route", "key")),
    )
    return {(row["principal"], row["route"], row["key"]): row for row in rows}


async def keep_many(tx: Transaction, answers: Sequence[Answer]) -> None:
    """Write the keys of a batch of calls with their answers; waits while another transaction writes one of them.

    Keys are written in sorted order, so that two batches never wait for each other in a circle. Call it when everything else is locked that
    the work locks, but the heads of the outbox.

    Raises:
        Overtaken: one of the keys is there by now.
    """
    if not answers:
        return
    rows = sorted(map(_row, answers), key=itemgetter(0, 1, 2))
    try:
        await tx.copy("idempotency", ("principal", "route", "key", "fingerprint", "status", "headers", "response"), rows)
    except asyncpg.UniqueViolationError as error:
        raise Overtaken from error


def _row(answer: Answer) -> tuple[str, str, str, bytes, int, str, bytes]:
    claim = answer.claim
    headers = to_json(dict(answer.headers)) if answer.headers else "{}"
    return claim.principal, claim.route, claim.key, claim.fingerprint, answer.status, headers, answer.body


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
