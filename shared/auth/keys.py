"""API keys: made once, stored as a digest, remembered for a few seconds by each process.

A key reads ``ak_<environment>_<id>_<secret>``; the secret has 256 random bits, so its SHA-256 is enough and nothing else is stored. A key
names a principal, a role, and which of the role's scopes it has (`ALL_OF_ROLE` for all).

Each process remembers a key's row for `CACHE_TIME`, so a revocation acts everywhere within that time. Expiry is by real time.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg

from shared import clock, errors
from shared.auth.roles import GRANTS, KINDS, Kind, Principal, Role
from shared.database import Database, Transaction

CACHE_TIME: Final = 10.0
"""Seconds after which a key is looked up again."""
CACHE_SIZE: Final = 10_000
ALL_OF_ROLE: Final = "*"
"""In a key's scopes: everything that its role grants, now and in later releases."""

_KEY: Final = re.compile(r"ak_([a-z0-9]{1,16})_([a-z0-9]{4,32})_([A-Za-z0-9_-]{43})", re.ASCII)
_ID_ALPHABET: Final = "abcdefghijkmnpqrstuvwxyz23456789"


class NoCredential(errors.Unauthorized):
    """No API key was sent."""

    code = "credential_missing"

    def __init__(self) -> None:
        super().__init__("Send an API key: Authorization: Bearer <key>.")


class UnknownKey(errors.Unauthorized):
    """The key is malformed, unknown, expired or revoked; which one is not told."""

    code = "credential_invalid"

    def __init__(self) -> None:
        super().__init__("The API key does not hold. It may have expired or been revoked.")


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key as the databases hold it: everything but the secret."""

    key_id: str
    key_hash: bytes
    principal: str
    role: Role
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    @property
    def kind(self) -> Kind:
        """What kind of party the role is."""
        return KINDS.get(self.role, Kind.AGENT)

    def holds(self, at: datetime) -> bool:
        """Whether the key may be used at that real time."""
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)

    def principal_now(self) -> Principal:
        """Who the key stands for. A scope that the role has lost since is lost for the key too."""
        granted = GRANTS[self.role]
        scopes = granted if ALL_OF_ROLE in self.scopes else granted & set(self.scopes)
        return Principal(self.principal, self.kind, self.role, frozenset(map(str, scopes)))


# --- making keys: the command line writes one row into all four databases -------------------------------------------------------------


def new_key(
    *, role: Role, principal: str, environment: str = "local", scopes: Iterable[str] | None = None, expires_at: datetime | None = None
) -> tuple[str, KeyRow]:
    """A key's text, to be shown once, and its row.

    Raises:
        ValueError: a scope that the role does not grant, or an environment that is not 1 to 16 letters and digits.
    """
    key_id = "".join(secrets.choice(_ID_ALPHABET) for _ in range(12))
    return with_text(
        f"ak_{environment}_{key_id}_{secrets.token_urlsafe(32)}", role=role, principal=principal, scopes=scopes, expires_at=expires_at
    )


def with_text(
    text: str, *, role: Role, principal: str, scopes: Iterable[str] | None = None, expires_at: datetime | None = None
) -> tuple[str, KeyRow]:
    """The row of a key whose text exists already (the local platform keeps its keys over restarts).

    Raises:
        ValueError: the text is not a key, or a scope is not one of the role's.
    """
    match = _KEY.fullmatch(text)
    if match is None:
        raise ValueError("an API key reads ak_<environment>_<id>_<43 characters>; environment and id are small letters and digits")
    wanted = (ALL_OF_ROLE,) if scopes is None else tuple(sorted(set(scopes)))
    if unknown := set(wanted) - GRANTS[role] - {ALL_OF_ROLE}:
        raise ValueError(f"the role {role} does not grant {', '.join(sorted(unknown))}")
    if not principal or len(principal) > 200:
        raise ValueError("a key names its principal in 1 to 200 characters")
    return text, KeyRow(match[2], digest(text), principal, role, wanted, clock.real_now(), expires_at)


async def store_key(tx: Transaction, row: KeyRow) -> None:
    """Write a key's row. Repeatable; a revoked key stays revoked."""
    await tx.execute(
        """
        INSERT INTO api_key (key_id, key_hash, principal, kind, role, scopes, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (key_id) DO UPDATE
           SET key_hash = excluded.key_hash, principal = excluded.principal, kind = excluded.kind, role = excluded.role,
               scopes = excluded.scopes, expires_at = excluded.expires_at
        """,
        row.key_id,
        row.key_hash,
        row.principal,
        row.kind.value,
        row.role.value,
        list(row.scopes),
        row.created_at,
        row.expires_at,
    )


async def list_keys(tx: Transaction) -> list[KeyRow]:
    """All keys, revoked ones too, oldest first."""
    return [_row(found) for found in await tx.fetch(f"{_SELECT} ORDER BY created_at, key_id")]


async def revoke_key(tx: Transaction, key_id: str) -> bool:
    """Revoke a key, for ever; False when there is none of that id. Repeatable: the first time counts."""
    tag = await tx.execute("UPDATE api_key SET revoked_at = coalesce(revoked_at, $2) WHERE key_id = $1", key_id, clock.real_now())
    return tag != "UPDATE 0"


_SELECT: Final = "SELECT key_id, key_hash, principal, role, scopes, created_at, expires_at, revoked_at FROM api_key"


def _row(found: asyncpg.Record) -> KeyRow:
    return KeyRow(**dict(found) | {"role": Role(found["role"]), "scopes": tuple(found["scopes"])})


def digest(text: str) -> bytes:
    """What is stored of a key."""
    return hashlib.sha256(text.encode()).digest()


# --- checking keys --------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Remembered:
    row: KeyRow
    principal: Principal
    until: float


class Keys:
    """Checks keys against the service's own database, and remembers the rows for `CACHE_TIME`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._remembered: dict[str, _Remembered] = {}
        self._sent: dict[bytes, _Remembered] = {}
        """By the digest of the header that it came in."""
        self._asking: dict[str, asyncio.Task[KeyRow | None]] = {}

    async def principal(self, authorization: str | None) -> Principal:
        """Who sends this Authorization header.

        Raises:
            NoCredential: there is none, or it is not of the scheme Bearer.
            UnknownKey: the key does not hold.
        """
        found = await self._check(_bearer(authorization))
        if len(self._sent) >= CACHE_SIZE:
            self._sent.clear()
        self._sent[digest(authorization or "")] = found
        return found.principal

    def remembered(self, authorization: str) -> Principal | None:
        """Who sends this Authorization header, where that was found out moments ago; None: ask `principal`.

        The header is looked up by its digest, so the time that it takes tells nothing of the key.
        """
        found = self._sent.get(digest(authorization))
        if found is None or found.until <= clock.monotonic() or not found.row.holds(clock.real_now()):
            return None
        return found.principal

    async def check(self, text: str) -> KeyRow:
        """The row of a key.

        Raises:
            UnknownKey: the key does not hold.
        """
        return (await self._check(text)).row

    async def named(self, key_id: str) -> tuple[KeyRow, Principal]:
        """The row of the key with this id, and who it stands for; for credentials that were given out for a key.

        Raises:
            UnknownKey: there is none, or it does not hold any more.
        """
        found = await self._find(key_id)
        if found is None or not found.row.holds(clock.real_now()):
            raise UnknownKey
        return found.row, found.principal

    def forget(self) -> None:
        """Ask the database again for every key."""
        self._remembered.clear()
        self._sent.clear()

    async def _check(self, text: str) -> _Remembered:
        match = _KEY.fullmatch(text)
        if match is None:
            raise UnknownKey
        found = await self._find(match[2])
        # compared in constant time, and against something even when there is no such key
        if not hmac.compare_digest(digest(text), found.row.key_hash if found else bytes(32)) or found is None:
            raise UnknownKey
        if not found.row.holds(clock.real_now()):
            raise UnknownKey
        return found

    async def _find(self, key_id: str) -> _Remembered | None:
        found = self._remembered.get(key_id)
        if found is not None and found.until > clock.monotonic():
            return found
        # requests that arrive together with the same key share one question
        task = self._asking.get(key_id)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._ask(key_id), name="look-up of an API key")
            self._asking[key_id] = task
            task.add_done_callback(lambda _task: self._asking.pop(key_id, None))
        row = await asyncio.shield(task)
        return None if row is None else self._remember(row)

    async def _ask(self, key_id: str) -> KeyRow | None:
        async with self._database.transaction() as tx:
            found = await tx.fetchrow(f"{_SELECT} WHERE key_id = $1", key_id)
        return None if found is None else _row(found)

    def _remember(self, row: KeyRow) -> _Remembered:
        if len(self._remembered) >= CACHE_SIZE:
            self.forget()
        remembered = _Remembered(row, row.principal_now(), clock.monotonic() + CACHE_TIME)
        self._remembered[row.key_id] = remembered
        return remembered


def _bearer(authorization: str | None) -> str:
    scheme, _, text = (authorization or "").strip().partition(" ")
    if scheme.lower() != "bearer" or not text.strip():
        raise NoCredential
    return text.strip()
