"""Invitations. Of a token only its SHA-256 is known here; a token that does not even have the shape of ours is not looked up."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from asyncpg import Record

from services.feedback.store.answers import answers_of
from services.feedback.survey.answers import Answers
from services.feedback.survey.invitations import Invitation, Purpose, State
from shared.database import Transaction, column
from shared.events.codes import Locale
from shared.events.tickets import Dimensions

TOKEN_BYTES: Final = 24
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{32}")
_MOMENTS: Final = ("inclusion", "invited_at", "expires_at", "reminded_at", "answered_at", "cancelled_at", "throttled_at", "reason")
"""Columns that change after an invitation was planned."""
_PLANNED: Final = ("id", "ticket_number", "episode", "customer_id", "form", "resolved_at", "send_at")
_COLUMNS: Final = ", ".join(f"i.{name}" for name in (*_PLANNED, "purpose", "locale", "dimensions", *_MOMENTS))

Position = tuple[datetime, UUID]
"""Where a page of invitations ends: resolved_at and id of its last one."""


@dataclass(frozen=True, slots=True)
class Listed:
    """An invitation as staff see it, with its answer when there is one that leads back to it."""

    invitation: Invitation
    answers: Answers | None
    is_anonymous: bool

    @property
    def position(self) -> Position:
        """Where it stands in lists."""
        return self.invitation.resolved_at, self.invitation.id


@dataclass(frozen=True, slots=True)
class Filters:
    """What a list holds. ``ticket`` may be any of a ticket's service numbers; moments are of the resolution, the end not included."""

    ticket: str | None = None
    state: State | None = None
    flag: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def token_hash(token: str) -> bytes:
    """What is stored of a token."""
    return sha256(token.encode(errors="surrogatepass")).digest()


async def for_update(tx: Transaction, ids: Collection[UUID]) -> dict[UUID, Invitation]:
    """Those of these invitations that exist, locked."""
    rows = await tx.fetch(f"SELECT {_COLUMNS} FROM invitation i WHERE i.id = ANY($1) ORDER BY i.id FOR UPDATE", list(ids))
    return {row["id"]: _invitation(row) for row in rows}


async def lock_free(tx: Transaction, ids: Collection[UUID]) -> list[UUID]:
    """Lock those invitations that nobody else has locked."""
    rows = await tx.fetch("SELECT id FROM invitation WHERE id = ANY($1) ORDER BY id FOR UPDATE SKIP LOCKED", list(ids))
    return [row["id"] for row in rows]


async def by_ids(tx: Transaction, ids: Collection[UUID]) -> dict[UUID, Invitation]:
    """The invitations with these ids."""
    rows = await tx.fetch(f"SELECT {_COLUMNS} FROM invitation i WHERE i.id = ANY($1)", list(ids))
    return {row["id"]: _invitation(row) for row in rows}


async def ids_of_tickets(tx: Transaction, numbers: Collection[str]) -> set[UUID]:
    """All invitations of these tickets."""
    if not numbers:
        return set()
    return {row["id"] for row in await tx.fetch("SELECT id FROM invitation WHERE ticket_number = ANY($1)", list(numbers))}


async def by_token(tx: Transaction, token: str, *, lock: bool = False) -> Invitation | None:
    """The invitation that this token opens, be it from the first mail or the reminder; with ``lock``, held until the end."""
    if not _TOKEN.fullmatch(token):
        return None
    suffix = " FOR UPDATE" if lock else ""
    query = f"SELECT {_COLUMNS} FROM invitation i WHERE i.token_hash = $1 OR i.reminder_hash = $1{suffix}"
    row = await tx.fetchrow(query, token_hash(token))
    return None if row is None else _invitation(row)


async def add(tx: Transaction, new: Collection[Invitation], hashes: Mapping[UUID, bytes]) -> None:
    """Write invitations that did not exist; ``hashes`` of the tokens of those that are sent."""
    if not new:
        return
    rows = sorted(new, key=lambda invitation: invitation.id)
    await tx.execute(
        """INSERT INTO invitation (id, ticket_number, episode, customer_id, form, resolved_at, send_at, purpose, locale, dimensions,
                                   inclusion, invited_at, expires_at, reminded_at, answered_at, cancelled_at, throttled_at, reason,
                                   token_hash)
           SELECT * FROM unnest($1::uuid[], $2::text[], $3::int[], $4::uuid[], $5::text[], $6::timestamptz[], $7::timestamptz[],
                                $8::text[], $9::text[], $10::jsonb[], $11::float8[], $12::timestamptz[], $13::timestamptz[],
                                $14::timestamptz[], $15::timestamptz[], $16::timestamptz[], $17::timestamptz[], $18::text[],
                                $19::bytea[])""",
        *(column(rows, name) for name in _PLANNED),
        [row.purpose.value for row in rows],
        [row.locale.value for row in rows],
        [row.dimensions.model_dump_json() for row in rows],
        *(column(rows, name) for name in _MOMENTS),
        [hashes.get(row.id) for row in rows],
    )


async def change(
    tx: Transaction, changed: Collection[Invitation], hashes: Mapping[UUID, bytes], reminder_hashes: Mapping[UUID, bytes]
) -> None:
    """Write the moments of invitations that exist; what was frozen at the resolution is not written again."""
    if not changed:
        return
    rows = sorted(changed, key=lambda invitation: invitation.id)
    await tx.execute(
        """UPDATE invitation i
              SET inclusion = c.inclusion, invited_at = c.invited_at, expires_at = c.expires_at, reminded_at = c.reminded_at,
                  answered_at = c.answered_at, cancelled_at = c.cancelled_at, throttled_at = c.throttled_at, reason = c.reason,
                  token_hash = coalesce(i.token_hash, c.token_hash), reminder_hash = coalesce(i.reminder_hash, c.reminder_hash)
             FROM unnest($1::uuid[], $2::float8[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[],
                         $7::timestamptz[], $8::timestamptz[], $9::text[], $10::bytea[], $11::bytea[])
                  c(id, inclusion, invited_at, expires_at, reminded_at, answered_at, cancelled_at, throttled_at, reason,
                    token_hash, reminder_hash)
            WHERE i.id = c.id""",
        [row.id for row in rows],
        *(column(rows, name) for name in _MOMENTS),
        [hashes.get(row.id) for row in rows],
        [reminder_hashes.get(row.id) for row in rows],
    )


async def page(tx: Transaction, filters: Filters, *, at: datetime, after: Position | None, limit: int) -> list[Listed]:
    """Invitations with their answers as they stand at the moment ``at``, latest resolution first."""
    conditions, values = _conditions(filters, at, after)
    return await _listed(tx, f"WHERE {' AND '.join(conditions)} ORDER BY i.resolved_at DESC, i.id DESC LIMIT {limit:d}", values)


async def listed(tx: Transaction, id_: UUID) -> Listed | None:
    """One invitation as staff see it."""
    found = await _listed(tx, "WHERE i.id = $1", [id_])
    return found[0] if found else None


async def _listed(tx: Transaction, rest: str, values: list[Any]) -> list[Listed]:
    rows = await tx.fetch(
        f"""SELECT {_COLUMNS}, a.given, c.text AS comment,
                   coalesce((f.definition ->> 'anonymous')::boolean, false) AS is_anonymous
              FROM invitation i
              LEFT JOIN answer a ON a.invitation_id = i.id LEFT JOIN comment c ON c.invitation_id = i.id
              LEFT JOIN form f ON (f.type, f.version) = (split_part(i.form, '.', 1), split_part(i.form, '.', 2)::int)
             {rest}""",
        *values,
    )
    return [Listed(_invitation(row), answers_of(row), row["is_anonymous"]) for row in rows]


def _conditions(filters: Filters, at: datetime, after: Position | None) -> tuple[list[str], list[Any]]:
    """Only what is asked for, so that each list follows its own index."""
    values: list[Any] = []

    def parameter(value: Any) -> str:
        values.append(value)
        return f"${len(values)}"

    def conditions() -> Iterator[str]:
        yield "true"
        if filters.ticket is not None:
            named = parameter(filters.ticket)
            yield f"i.ticket_number = coalesce((SELECT t.ticket_number FROM ticket_alias t WHERE t.reference = {named}), {named})"
        if filters.flag is not None:
            yield f"a.flags @> ARRAY[{parameter(filters.flag)}]"
        if filters.since is not None:
            yield f"i.resolved_at >= {parameter(filters.since)}"
        if filters.until is not None:
            yield f"i.resolved_at < {parameter(filters.until)}"
        if filters.state is not None:
            yield _STATES[filters.state].replace(":at", parameter(at) if ":at" in _STATES[filters.state] else "")
        if after is not None:
            yield f"(i.resolved_at, i.id) < ({parameter(after[0])}, {parameter(after[1])})"

    return list(conditions()), values


_UNDECIDED: Final = "i.answered_at IS NULL AND i.cancelled_at IS NULL AND i.throttled_at IS NULL"
_STATES: Final[Mapping[State, str]] = {
    State.THROTTLED: "i.throttled_at IS NOT NULL",
    State.ANSWERED: "i.answered_at IS NOT NULL",
    State.CANCELLED: "i.cancelled_at IS NOT NULL",
    State.SCHEDULED: f"{_UNDECIDED} AND i.expires_at IS NULL",
    State.OPEN: f"{_UNDECIDED} AND i.expires_at > :at",
    State.EXPIRED: f"{_UNDECIDED} AND i.expires_at <= :at",
}
"""`Invitation.state`, in SQL; the conditions are those of the partial indexes."""


def _invitation(row: Record) -> Invitation:
    return Invitation(
        **{name: row[name] for name in (*_PLANNED, *_MOMENTS)},
        purpose=Purpose(row["purpose"]),
        locale=Locale(row["locale"]),
        dimensions=Dimensions.model_validate_json(row["dimensions"]),
    )
