"""What tickets, intake and timers bring, and what comes of it; for the tests of whom a survey reaches."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg

from services.feedback.handlers import answering, inviting
from services.feedback.handlers.inviting import Inviting
from services.feedback.store import invitations as store
from services.feedback.survey.rules import usual
from shared.database import Database
from shared.events.envelope import Event
from shared.events.feedback import SurveyInvited, SurveyThrottled
from shared.events.intake import Consents, CustomerMerged, CustomerRegistered, CustomerUpdated
from shared.events.notification import FeedbackNotificationRequested
from shared.timers import Timer
from tests.feedback.builders import AT_ONCE, MOMENT, dimensions, new_number, resolved
from tests.feedback.outbox import told

NOW = Inviting(AT_ONCE, "https://feedback.example")
TOMORROW = Inviting(usual(timedelta(hours=24)), "https://feedback.example")
DAY = timedelta(days=1)
COMPLAINT = dimensions(type="complaint")


async def follow(database: Database, *facts: Event, at: datetime = MOMENT, ways: Inviting = NOW) -> None:
    async with database.transaction() as tx:
        await inviting.follow(tx, facts, inviting=ways, at=at)


async def resolve(database: Database, customer: UUID, *, at: datetime = MOMENT, ways: Inviting = NOW, **changes: object) -> str:
    """A ticket of this customer is resolved; its number."""
    number = new_number()
    await follow(database, resolved(**{"ticket_number": number, "customer_id": customer, "occurred_at": at, **changes}), at=at, ways=ways)
    return number


async def fire(database: Database, kind: str, *, at: datetime, ways: Inviting = NOW) -> None:
    """What the timer loop does with the due timers of a kind, in its order of locks, at a moment of the test's choice."""
    async with database.transaction() as tx:
        due = await tx.fetch("SELECT subject FROM timer WHERE kind = $1 AND due_at <= $2", kind, at)
        locked = [str(id_) for id_ in await store.lock_free(tx, [UUID(row["subject"]) for row in due])]
        taken = await tx.fetch("DELETE FROM timer WHERE kind = $1 AND subject = ANY($2) RETURNING kind, subject, gen, due_at", kind, locked)
        await inviting.fire(tx, [Timer(**row) for row in taken], inviting=ways, at=at)


async def token_of(database: Database, number: str, kind: str = "survey_invitation") -> str:
    mails = [mail for mail in await told(database, FeedbackNotificationRequested) if (mail.ticket_number, mail.kind) == (number, kind)]
    assert mails[-1].link is not None
    return mails[-1].link.rpartition("/")[2]


async def answer(database: Database, token: str, at: datetime, **given: object) -> None:
    async with database.transaction() as tx:
        await answering.answer(tx, token, given, locale=None, door="rest", zone=ZoneInfo("Asia/Shanghai"), at=at)


async def invited(database: Database) -> list[str]:
    return [event.ticket_number for event in await told(database, SurveyInvited)]


async def throttled(database: Database) -> dict[str, str]:
    return {event.ticket_number: event.reason for event in await told(database, SurveyThrottled)}


async def rows(database: Database, query: str) -> list[asyncpg.Record]:
    async with database.transaction() as tx:
        return await tx.fetch(query)


def updated(customer: UUID, *, survey: bool, version: int = 2) -> CustomerUpdated:
    return CustomerUpdated(
        occurred_at=MOMENT, customer_id=customer, version=version, locale="en", tier="standard", consents=Consents(survey=survey)
    )


def registered(customer: UUID) -> CustomerRegistered:
    return CustomerRegistered(occurred_at=MOMENT, customer_id=customer, locale="en")


def joined(customer: UUID, into: UUID) -> CustomerMerged:
    return CustomerMerged(occurred_at=MOMENT, customer_id=customer, into_customer_id=into, actor="agent-1")
