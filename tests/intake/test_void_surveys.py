"""A survey that is over, or unwanted, is not mailed any more, whichever of the two topics was quicker."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID, uuid4, uuid5

import pytest

from services.intake.acceptance import Contact
from services.intake.carriers import Carrier, Letter
from services.intake.carriers.carrier import Carried
from services.intake.delivery import deliver_due, figures
from services.intake.handlers import merging, notifications
from services.intake.handlers.resending import NotResendable, resend
from services.intake.handlers.surveys import KEPT
from services.intake.settings import IntakeSettings
from shared import clock
from shared.database import Database, Transaction
from shared.events.envelope import Event
from shared.events.feedback import SurveyAnswered, SurveyCancelled, SurveyOptedOut
from shared.events.tickets import Dimensions
from shared.runtime import Runtime
from tests.intake.builders import incoming, rows, take_one
from tests.intake.postbox import NUMBER, ask, ended, invitation, make_due, reply, status
from tests.waiting import eventually, waiting_for_locks

pytestmark = pytest.mark.postgres

DIMENSIONS = Dimensions(status="resolved", priority="normal", channel="web")
SURVEY = uuid4()


def mail_of(survey: UUID, customer: UUID, kind: str = "survey_invitation", **fields: Any) -> Event:
    return invitation(customer, notification_id=uuid5(survey, kind), kind=kind, **fields)


def survey_fields(survey: UUID, customer: UUID) -> dict[str, Any]:
    return {
        "occurred_at": clock.now(),
        "invitation_id": survey,
        "ticket_number": NUMBER,
        "episode": 1,
        "customer_id": customer,
        "form": "T1.1",
        "dimensions": DIMENSIONS,
    }


def cancelled(survey: UUID, customer: UUID) -> SurveyCancelled:
    return SurveyCancelled(**survey_fields(survey, customer))


def answered(survey: UUID, customer: UUID) -> SurveyAnswered:
    return SurveyAnswered(**survey_fields(survey, customer), resolved_at=clock.now(), overall=5, locale="en")


def opted_out(customer: UUID, *, by: str = "customer", at: datetime | None = None, out: bool = True) -> SurveyOptedOut:
    return SurveyOptedOut(occurred_at=at or clock.now(), customer_id=customer, opted_out=out, by=by)


async def reasons(database: Database) -> list[str]:
    return sorted(fact.get("reason", "delivered") for fact in await ended(database))


@pytest.mark.parametrize("over", [cancelled, answered])
@pytest.mark.parametrize("kind", ["survey_invitation", "survey_reminder"])
async def test_the_mail_of_a_survey_that_is_over_does_not_leave(
    runtime: Runtime[IntakeSettings], maildir: list[Carrier], customer: UUID, tmp_path: Path, over: Any, kind: str
) -> None:
    await ask(runtime.database, mail_of(SURVEY, customer, kind), over(SURVEY, customer))

    await deliver_due(runtime, maildir)

    assert await reasons(runtime.database) == ["void"]
    assert not (tmp_path / "mail").exists()
    (row,) = await rows(runtime.database, "notification")
    assert (row["status"], row["failure"], row["link"]) == ("failed", "void", None)


async def test_a_mail_that_is_asked_for_after_its_survey_ended_does_not_leave_either(
    runtime: Runtime[IntakeSettings], maildir: list[Carrier], customer: UUID, tmp_path: Path
) -> None:
    await ask(runtime.database, cancelled(SURVEY, customer))
    await ask(runtime.database, cancelled(SURVEY, customer), mail_of(SURVEY, customer), mail_of(SURVEY, customer, "survey_reminder"))

    await deliver_due(runtime, maildir)

    assert await reasons(runtime.database) == ["void", "void"]
    assert not (tmp_path / "mail").exists()


async def test_surveys_of_others_and_other_messages_leave(
    runtime: Runtime[IntakeSettings], maildir: list[Carrier], customer: UUID, tmp_path: Path
) -> None:
    await ask(runtime.database, mail_of(uuid4(), customer), reply(customer), cancelled(SURVEY, customer), opted_out(uuid4()))

    await deliver_due(runtime, maildir)

    assert await reasons(runtime.database) == ["delivered", "delivered"]


async def test_what_waited_for_hours_ends_as_soon_as_its_survey_does(
    runtime: Runtime[IntakeSettings], maildir: list[Carrier], customer: UUID
) -> None:
    others = [mail_of(uuid4(), customer) for _ in range(3)]
    await ask(runtime.database, *others)
    await deliver_due(runtime, maildir)
    await ask(runtime.database, mail_of(SURVEY, customer))
    await deliver_due(runtime, maildir)
    (waiting,) = [row for row in await rows(runtime.database, "notification") if row["status"] == "pending"]
    assert waiting["next_attempt_at"] > clock.real_now() + timedelta(minutes=50)

    await ask(runtime.database, answered(SURVEY, customer))
    await deliver_due(runtime, maildir)

    assert await reasons(runtime.database) == ["delivered"] * 3 + ["void"]


async def test_what_is_put_off_while_its_survey_ends_does_not_wait_for_hours(
    runtime: Runtime[IntakeSettings], maildir: list[Carrier], customer: UUID
) -> None:
    await ask(runtime.database, *(mail_of(uuid4(), customer) for _ in range(3)))
    await deliver_due(runtime, maildir)
    await ask(runtime.database, mail_of(SURVEY, customer))
    now = clock.real_now()
    async with runtime.database.transaction() as tx:
        claimed = await notifications.claim(tx, channels=["email"], zone=runtime.settings.timezone, real_now=now, now=clock.now())
    ((put_off, _),) = claimed.plans

    await ask(runtime.database, answered(SURVEY, customer))
    delays = {put_off.event_id: timedelta(hours=1)}
    async with runtime.database.transaction() as tx:
        await notifications.conclude(tx, claimed, {}, real_now=now, now=clock.now(), real_delay=delays)
    await deliver_due(runtime, maildir)

    assert await reasons(runtime.database) == ["delivered"] * 3 + ["void"]


async def test_what_somebody_is_sending_at_this_moment_is_not_taken_from_him(runtime: Runtime[IntakeSettings], customer: UUID) -> None:
    await ask(runtime.database, mail_of(SURVEY, customer))
    until = clock.real_now() + timedelta(minutes=2)
    async with runtime.database.transaction() as tx:
        await tx.execute("UPDATE notification SET next_attempt_at = $1", until)

    await ask(runtime.database, answered(SURVEY, customer))

    assert [row["next_attempt_at"] for row in await rows(runtime.database, "notification")] == [until]


async def test_a_survey_that_is_void_does_not_keep_the_message_that_the_ticket_is_resolved(
    runtime: Runtime[IntakeSettings], maildir: list[Carrier], customer: UUID, tmp_path: Path
) -> None:
    asked = mail_of(SURVEY, customer)
    await ask(runtime.database, status(customer, "resolved"), asked, cancelled(SURVEY, customer))

    await deliver_due(runtime, maildir)

    assert await reasons(runtime.database) == ["delivered", "void"]


# --- wishes --------------------------------------------------------------------------------------------------------------------------


async def test_whoever_opts_out_gets_no_more_of_what_was_asked_before(
    runtime: Runtime[IntakeSettings], maildir: list[Carrier], customer: UUID, tmp_path: Path
) -> None:
    question = mail_of(uuid4(), customer, data={"purpose": "service", "form": "S1.1"})
    await ask(runtime.database, mail_of(SURVEY, customer), question, reply(customer), opted_out(customer))

    await deliver_due(runtime, maildir)

    # whether his complaint is solved belongs to the service
    assert await reasons(runtime.database) == ["delivered", "delivered", "no_consent"]


async def test_the_wish_may_be_known_before_the_mail_that_it_forbids(
    runtime: Runtime[IntakeSettings], maildir: list[Carrier], customer: UUID
) -> None:
    early = mail_of(SURVEY, customer, occurred_at=clock.now() - timedelta(minutes=1))
    await ask(runtime.database, opted_out(customer))
    await ask(runtime.database, early)

    await deliver_due(runtime, maildir)

    assert await reasons(runtime.database) == ["no_consent"]


async def test_what_is_asked_after_a_wish_was_asked_in_knowledge_of_it(
    runtime: Runtime[IntakeSettings], maildir: list[Carrier], customer: UUID
) -> None:
    """Feedback has heard meanwhile that he wants surveys again; we may hear of it later."""
    await ask(runtime.database, opted_out(customer, at=clock.now() - timedelta(days=1)), mail_of(SURVEY, customer))

    await deliver_due(runtime, maildir)

    assert await reasons(runtime.database) == ["delivered"]


async def test_his_last_word_counts_in_whatever_order_it_is_heard(
    runtime: Runtime[IntakeSettings], maildir: list[Carrier], customer: UUID
) -> None:
    asked = mail_of(SURVEY, customer)
    later = clock.now() + timedelta(seconds=2)
    await ask(runtime.database, asked, opted_out(customer, at=later, out=False, by="staff"))
    await ask(runtime.database, opted_out(customer))

    await deliver_due(runtime, maildir)

    assert await reasons(runtime.database) == ["delivered"]


async def test_the_wish_of_a_person_counts_for_all_his_files(
    runtime: Runtime[IntakeSettings], maildir: list[Carrier], customer: UUID
) -> None:
    await take_one(runtime.database, incoming(customer=Contact(app_user_id="u-2", email="wei@example.com")))
    (other,) = [row["customer_id"] for row in await rows(runtime.database, "customer") if row["customer_id"] != customer]
    async with runtime.database.transaction() as tx:
        await merging.merge(tx, other, customer, version=None, by="lin", reason="same_person", at=clock.now())
    await ask(runtime.database, mail_of(SURVEY, customer), mail_of(uuid4(), other), opted_out(other))

    await deliver_due(runtime, maildir)

    assert await reasons(runtime.database) == ["no_consent", "no_consent"]


async def test_what_the_customer_file_says_is_read_there(runtime: Runtime[IntakeSettings], maildir: list[Carrier], customer: UUID) -> None:
    await ask(runtime.database, mail_of(SURVEY, customer), opted_out(customer, by="consent"))

    await deliver_due(runtime, maildir)

    assert await reasons(runtime.database) == ["delivered"]
    assert await rows(runtime.database, "survey_wish") == []


# --- sent once more ------------------------------------------------------------------------------------------------------------------


async def test_what_staff_have_sent_once_more_ends_with_its_survey(runtime: Runtime[IntakeSettings], maildir: list[Carrier]) -> None:
    await take_one(runtime.database, incoming(phone="13800138000"))
    (found,) = await rows(runtime.database, "customer")
    nobody: UUID = found["customer_id"]
    asked, refused = mail_of(SURVEY, nobody), mail_of(uuid4(), nobody)
    await ask(runtime.database, asked, refused)
    await deliver_due(runtime, maildir)
    for event in (asked, refused):
        async with runtime.database.transaction() as tx:
            await resend(tx, event.notification_id, by="lin", now=clock.now(), real_now=clock.real_now())  # type: ignore[attr-defined]

    await ask(runtime.database, answered(SURVEY, nobody))
    await deliver_due(runtime, maildir)

    assert await reasons(runtime.database) == ["no_address"] * 3 + ["void"]


async def test_the_mail_of_a_survey_that_is_over_is_not_sent_once_more(runtime: Runtime[IntakeSettings], maildir: list[Carrier]) -> None:
    await take_one(runtime.database, incoming(phone="13800138000"))
    (found,) = await rows(runtime.database, "customer")
    asked = mail_of(SURVEY, found["customer_id"])
    await ask(runtime.database, asked)
    await deliver_due(runtime, maildir)
    await ask(runtime.database, answered(SURVEY, found["customer_id"]))

    with pytest.raises(NotResendable):
        async with runtime.database.transaction() as tx:
            await resend(tx, uuid5(SURVEY, "survey_invitation"), by="lin", now=clock.now(), real_now=clock.real_now())


# --- repeated, at once, and over time ------------------------------------------------------------------------------------------------


async def test_many_consumers_and_senders_at_once_send_no_void_mail(
    runtime: Runtime[IntakeSettings], maildir: list[Carrier], customer: UUID, tmp_path: Path
) -> None:
    surveys = [uuid4() for _ in range(40)]
    await ask(runtime.database, *(cancelled(survey, customer) for survey in surveys))

    await asyncio.gather(
        *(ask(runtime.database, *(mail_of(survey, customer) for survey in surveys[n::4])) for n in range(4)),
        *(ask(runtime.database, *(cancelled(survey, customer) for survey in reversed(surveys))) for _ in range(2)),
        *(deliver_due(runtime, maildir) for _ in range(3)),
    )
    await make_due(runtime.database)
    while await deliver_due(runtime, maildir):
        pass

    assert await reasons(runtime.database) == ["void"] * 40
    assert not (tmp_path / "mail").exists()


async def test_who_writes_down_waits_before_he_holds_what_others_wait_for(
    runtime: Runtime[IntakeSettings], maildir: list[Carrier], customer: UUID
) -> None:
    """All lock the messages in one order: with two orders, a consumer or a sender loses a deadlock and has to do its work again."""
    first, *others = sorted(await ask(runtime.database, *(reply(customer) for _ in range(20))))

    async with runtime.database.transaction() as other:
        writing = asyncio.create_task(deliver_due(runtime, [Locking(maildir[0], other, first)]))
        await eventually(lambda: waiting_for_locks(runtime.database))
        await other.execute("SELECT FROM notification WHERE event_id = ANY($1::uuid[]) FOR UPDATE NOWAIT", others)
    await writing

    assert await reasons(runtime.database) == ["delivered"] * 20


class Locking:
    """A carrier; from the moment on at which it carries, somebody else holds one of the messages."""

    channel: ClassVar[str] = "email"
    name: ClassVar[str] = "locking"

    def __init__(self, carrier: Carrier, other: Transaction, event_id: UUID) -> None:
        self._carrier, self._other, self._event_id = carrier, other, event_id

    async def carry(self, letters: Sequence[Letter], *, until: float) -> list[Carried]:
        await self._other.execute("SELECT FROM notification WHERE event_id = $1 FOR UPDATE", self._event_id)
        return await self._carrier.carry(letters, until=until)


async def test_ends_of_surveys_are_forgotten_when_none_can_be_asked_any_more(runtime: Runtime[IntakeSettings], customer: UUID) -> None:
    long_ago = survey_fields(uuid4(), customer) | {"occurred_at": clock.now() - KEPT - timedelta(days=1)}
    await ask(runtime.database, SurveyCancelled(**long_ago), cancelled(SURVEY, customer))

    await figures.forget(runtime)

    kept = {row["notification_id"] for row in await rows(runtime.database, "void_notification")}
    assert kept == {uuid5(SURVEY, "survey_invitation"), uuid5(SURVEY, "survey_reminder")}
