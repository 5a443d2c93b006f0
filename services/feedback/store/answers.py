"""Answers, and apart from them the customers' words; anonymous responses, apart from everything."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from asyncpg import Record

from services.feedback.survey.anonymity import AnonymousResponse
from services.feedback.survey.answers import Answers
from shared.database import Transaction, from_json, to_json
from shared.events.codes import Locale


async def add(tx: Transaction, invitation_id: UUID, answers: Answers, *, locale: Locale, door: str) -> None:
    """Keep the numbers, and apart from them the customer's words."""
    await tx.execute(
        """INSERT INTO answer (invitation_id, overall, recommend, solved, given, locale, door, flags)
           VALUES ($1, $2, $3, $4, $5::jsonb, $6, $7, $8)""",
        invitation_id,
        answers.overall,
        answers.recommend,
        answers.solved,
        to_json(answers.values),
        locale.value,
        door,
        list(answers.flags),
    )
    if answers.comment is not None:
        await tx.execute("INSERT INTO comment (invitation_id, text) VALUES ($1, $2)", invitation_id, answers.comment)


async def to(tx: Transaction, invitation_id: UUID) -> Answers | None:
    """What the customer answered, without the comment."""
    row = await tx.fetchrow("SELECT given, NULL AS comment FROM answer WHERE invitation_id = $1", invitation_id)
    return None if row is None else answers_of(row)


async def add_anonymous(tx: Transaction, response: AnonymousResponse) -> None:
    """Keep an answer without a way back."""
    answers = response.answers
    await tx.execute(
        """INSERT INTO anonymous_response (id, form, answered_on, channel, type, tier, locale, overall, recommend, solved, given, comment)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::jsonb, $12)""",
        response.id,
        response.form,
        response.answered_on,
        response.channel,
        response.type,
        response.tier,
        response.locale.value,
        answers.overall,
        answers.recommend,
        answers.solved,
        to_json(answers.values),
        answers.comment,
    )


async def anonymous(tx: Transaction, *, since: date, until: date) -> list[AnonymousResponse]:
    """The anonymous responses of some days, the end not included, in an order that means nothing."""
    rows = await tx.fetch("SELECT * FROM anonymous_response WHERE answered_on >= $1 AND answered_on < $2 ORDER BY id", since, until)
    return [_response(row) for row in rows]


def answers_of(row: Record) -> Answers | None:
    """The answer in a row with ``given`` and ``comment``."""
    return None if row["given"] is None else Answers(from_json(row["given"]), row["comment"])


def _response(row: Record) -> AnonymousResponse:
    return AnonymousResponse(
        id=row["id"],
        form=row["form"],
        answered_on=row["answered_on"],
        channel=row["channel"],
        type=row["type"],
        tier=row["tier"],
        locale=Locale(row["locale"]),
        answers=Answers(from_json(row["given"]), row["comment"]),
    )
