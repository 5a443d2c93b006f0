"""Rows of this service, and nothing decided. Every statement is set-based: one batch of the consumer costs one statement per table.

Rows are locked in the order of their ids. Of a token only its SHA-256 is known here; a token that does not even have the shape of ours is
not looked up.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final
from uuid import UUID

from asyncpg import Record

from services.feedback.survey.answers import Answers
from services.feedback.survey.invitations import EpisodeKey, Invitation
from shared.database import Transaction, from_json, to_json
from shared.events.codes import Locale
from shared.events.tickets import Dimensions

TOKEN_BYTES: Final = 24
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{32}")
_COLUMNS: Final = """i.id, i.ticket_number, i.episode, i.customer_id, i.form, i.locale, i.dimensions, i.resolved_at, i.send_at,
                     i.invited_at, i.expires_at, i.answered_at, i.cancelled_at"""

Position = tuple[datetime, UUID]
"""Where a page of invitations ends: created_at and id of its last one."""


@dataclass(frozen=True, slots=True)
class Listed:
    """An invitation as staff see it, with its answer when there is one."""

    invitation: Invitation
    answers: Answers | None
    position: Position


def token_hash(token: str) -> bytes:
    """What is stored of a token."""
    return sha256(token.encode(errors="surrogatepass")).digest()


async def invitations_for_update(tx: Transaction, keys: Collection[EpisodeKey]) -> dict[EpisodeKey, Invitation]:
    """The invitations that exist for these resolutions, locked."""
    rows = await tx.fetch(
        f"""SELECT {_COLUMNS} FROM invitation i
              JOIN unnest($1::text[], $2::int[]) wanted(ticket_number, episode) USING (ticket_number, episode)
             ORDER BY i.id FOR UPDATE OF i""",
        [number for number, _ in keys],
        [episode for _, episode in keys],
    )
    return {invitation.key: invitation for invitation in map(_invitation, rows)}


async def lock_free(tx: Transaction, ids: Collection[UUID]) -> list[UUID]:
    """Lock those invitations that nobody else has locked."""
    rows = await tx.fetch("SELECT id FROM invitation WHERE id = ANY($1) ORDER BY id FOR UPDATE SKIP LOCKED", list(ids))
    return [row["id"] for row in rows]


async def invitations(tx: Transaction, ids: Collection[UUID]) -> list[Invitation]:
    """The invitations with these ids."""
    rows = await tx.fetch(f"SELECT {_COLUMNS} FROM invitation i WHERE i.id = ANY($1) ORDER BY i.id", list(ids))
    return [_invitation(row) for row in rows]


async def invitation_by_token(tx: Transaction, token: str, *, lock: bool = False) -> Invitation | None:
    """The invitation that this token opens; with ``lock``, held until the end of the transaction."""
    if not _TOKEN.fullmatch(token):
        return None
    suffix = " FOR UPDATE" if lock else ""
    row = await tx.fetchrow(f"SELECT {_COLUMNS} FROM invitation i WHERE i.token_hash = $1{suffix}", token_hash(token))
    return None if row is None else _invitation(row)


async def add(tx: Transaction, new: Collection[Invitation], hashes: Mapping[UUID, bytes]) -> None:
    """Write invitations that did not exist; ``hashes`` of the tokens of those that are sent."""
    if not new:
        return
    rows = _in_order(new)
    await tx.execute(
        """INSERT INTO invitation (id, ticket_number, episode, customer_id, form, locale, dimensions, resolved_at, send_at,
                                   token_hash, invited_at, expires_at, answered_at, cancelled_at)
           SELECT * FROM unnest($1::uuid[], $2::text[], $3::int[], $4::uuid[], $5::text[], $6::text[], $7::jsonb[], $8::timestamptz[],
                                $9::timestamptz[], $10::bytea[], $11::timestamptz[], $12::timestamptz[], $13::timestamptz[],
                                $14::timestamptz[])""",
        [row.id for row in rows],
        [row.ticket_number for row in rows],
        [row.episode for row in rows],
        [row.customer_id for row in rows],
        [row.form for row in rows],
        [row.locale.value for row in rows],
        [row.dimensions.model_dump_json() for row in rows],
        [row.resolved_at for row in rows],
        [row.send_at for row in rows],
        *_moments(rows, hashes),
    )


async def change(tx: Transaction, changed: Collection[Invitation], hashes: Mapping[UUID, bytes]) -> None:
    """Write the moments of invitations that exist; what was frozen at the resolution is not written again."""
    if not changed:
        return
    rows = _in_order(changed)
    await tx.execute(
        """UPDATE invitation i
              SET token_hash = coalesce(i.token_hash, c.token_hash), invited_at = c.invited_at, expires_at = c.expires_at,
                  answered_at = c.answered_at, cancelled_at = c.cancelled_at
             FROM unnest($1::uuid[], $2::bytea[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[])
                  c(id, token_hash, invited_at, expires_at, answered_at, cancelled_at)
            WHERE i.id = c.id""",
        [row.id for row in rows],
        *_moments(rows, hashes),
    )


async def add_answer(tx: Transaction, invitation_id: UUID, answers: Answers, *, locale: Locale, door: str) -> None:
    """Keep the numbers, and apart from them the customer's words."""
    await tx.execute(
        """INSERT INTO answer (invitation_id, overall, recommend, solved, given, locale, door)
           VALUES ($1, $2, $3, $4, $5::jsonb, $6, $7)""",
        invitation_id,
        answers.overall,
        answers.recommend,
        answers.solved,
        to_json(answers.values),
        locale.value,
        door,
    )
    if answers.comment is not None:
        await tx.execute("INSERT INTO comment (invitation_id, text) VALUES ($1, $2)", invitation_id, answers.comment)


async def answers_to(tx: Transaction, invitation_id: UUID) -> Answers | None:
    """What the customer answered, without the comment."""
    row = await tx.fetchrow("SELECT given, NULL AS comment FROM answer WHERE invitation_id = $1", invitation_id)
    return None if row is None else _answers(row)


async def page(tx: Transaction, *, ticket: str | None, after: Position | None, limit: int) -> list[Listed]:
    """Invitations with their answers, newest first; of one ticket, which may be named by any of its service numbers."""
    created_at, last_id = after or (None, None)
    # two statements rather than one with ORs: each follows its own index
    chosen = (
        "i.ticket_number = coalesce((SELECT a.ticket_number FROM ticket_alias a WHERE a.reference = $4), $4)"
        if ticket
        else "$4::text IS NULL"
    )
    rows = await tx.fetch(
        f"""SELECT {_COLUMNS}, i.created_at, a.given, c.text AS comment
              FROM invitation i LEFT JOIN answer a ON a.invitation_id = i.id LEFT JOIN comment c ON c.invitation_id = i.id
             WHERE {chosen} AND ($1::timestamptz IS NULL OR (i.created_at, i.id) < ($1, $2::uuid))
             ORDER BY i.created_at DESC, i.id DESC LIMIT $3""",
        created_at,
        last_id,
        limit,
        ticket,
    )
    return [Listed(_invitation(row), _answers(row), (row["created_at"], row["id"])) for row in rows]


async def customer_locales(tx: Transaction, customer_ids: Collection[UUID]) -> dict[UUID, Locale]:
    """The languages of the customers that are known here."""
    rows = await tx.fetch("SELECT id, locale FROM customer WHERE id = ANY($1)", list(customer_ids))
    return {row["id"]: Locale(row["locale"]) for row in rows}


async def save_customers(tx: Transaction, locales: Mapping[UUID, Locale]) -> None:
    """Remember the languages of customers; the last one told holds."""
    if locales:
        ids = sorted(locales)
        await tx.execute(
            """INSERT INTO customer (id, locale) SELECT * FROM unnest($1::uuid[], $2::text[])
               ON CONFLICT (id) DO UPDATE SET locale = excluded.locale WHERE customer.locale <> excluded.locale""",
            ids,
            [locales[id_].value for id_ in ids],
        )


async def save_aliases(tx: Transaction, aliases: Mapping[str, str]) -> None:
    """Remember which service numbers answer as which ticket; what is once known stays."""
    if aliases:
        await tx.execute(
            """INSERT INTO ticket_alias (reference, ticket_number) SELECT * FROM unnest($1::text[], $2::text[])
               ON CONFLICT (reference) DO NOTHING""",
            sorted(aliases),
            [aliases[reference] for reference in sorted(aliases)],
        )


def _in_order(invitations_: Collection[Invitation]) -> list[Invitation]:
    return sorted(invitations_, key=lambda invitation: invitation.id)


def _moments(rows: Sequence[Invitation], hashes: Mapping[UUID, bytes]) -> tuple[list[bytes | None] | list[datetime | None], ...]:
    return (
        [hashes.get(row.id) for row in rows],
        [row.invited_at for row in rows],
        [row.expires_at for row in rows],
        [row.answered_at for row in rows],
        [row.cancelled_at for row in rows],
    )


def _invitation(row: Record) -> Invitation:
    return Invitation(
        id=row["id"],
        ticket_number=row["ticket_number"],
        episode=row["episode"],
        customer_id=row["customer_id"],
        form=row["form"],
        locale=Locale(row["locale"]),
        dimensions=Dimensions.model_validate_json(row["dimensions"]),
        resolved_at=row["resolved_at"],
        send_at=row["send_at"],
        invited_at=row["invited_at"],
        expires_at=row["expires_at"],
        answered_at=row["answered_at"],
        cancelled_at=row["cancelled_at"],
    )


def _answers(row: Record) -> Answers | None:
    return None if row["given"] is None else Answers(from_json(row["given"]), row["comment"])
