"""Whom a survey reaches, on a real database: throttle over all types, merged persons, opt-out, complaints, reminders, races."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from services.feedback.handlers import answering, inviting, preferences
from services.feedback.handlers.inviting import Inviting
from services.feedback.store import forms as forms_store
from services.feedback.store import invitations as store
from services.feedback.survey.rules import Stratum, usual
from shared.database import Database
from shared.events.envelope import Event
from shared.events.feedback import SurveyAnswered, SurveyCancelled, SurveyInvited, SurveyOptedOut, SurveyReminded, SurveyThrottled
from shared.events.intake import Consents, CustomerMerged, CustomerRegistered, CustomerUnmerged, CustomerUpdated
from shared.events.notification import FeedbackNotificationRequested
from shared.timers import Timer
from tests.feedback.builders import AT_ONCE, MOMENT, T2_1, dimensions, merged, new_number, reopened, resolved
from tests.feedback.outbox import count_told, told

pytestmark = pytest.mark.postgres

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


async def test_a_customer_is_asked_once_in_thirty_days_and_the_throttled_one_is_recorded(feedback_database: Database) -> None:
    customer = uuid4()
    first = await resolve(feedback_database, customer)
    second = await resolve(feedback_database, customer, at=MOMENT + 29 * DAY)
    third = await resolve(feedback_database, customer, at=MOMENT + 30 * DAY)

    assert set(await invited(feedback_database)) == {first, third}
    assert await throttled(feedback_database) == {second: "frequency"}
    (row,) = await rows(feedback_database, "SELECT reason, throttled_at, token_hash FROM invitation WHERE throttled_at IS NOT NULL")
    assert tuple(row) == ("frequency", MOMENT + 29 * DAY, None)
    assert await rows(feedback_database, "SELECT 1 FROM timer WHERE kind = 'survey_invitation'") == []


async def test_an_unanswered_survey_counts_as_much_as_an_answered_one(feedback_database: Database) -> None:
    customer = uuid4()
    await resolve(feedback_database, customer)
    later = await resolve(feedback_database, customer, at=MOMENT + 20 * DAY)

    assert await throttled(feedback_database) == {later: "frequency"}


async def test_a_survey_that_a_reopening_called_off_does_not_count(feedback_database: Database) -> None:
    customer = uuid4()
    number = await resolve(feedback_database, customer)
    await follow(feedback_database, reopened(ticket_number=number, customer_id=customer), at=MOMENT + DAY)
    await follow(
        feedback_database,
        resolved(ticket_number=number, customer_id=customer, episode=2, occurred_at=MOMENT + 2 * DAY),
        at=MOMENT + 2 * DAY,
    )

    assert sorted(event.episode for event in await told(feedback_database, SurveyInvited)) == [1, 2]
    assert [event.episode for event in await told(feedback_database, SurveyCancelled)] == [1]
    assert await throttled(feedback_database) == {}


async def test_a_reopening_and_another_resolution_in_one_batch_are_taken_together(feedback_database: Database) -> None:
    customer, other = uuid4(), new_number()
    number = await resolve(feedback_database, customer)
    await follow(
        feedback_database,
        reopened(ticket_number=number, customer_id=customer),
        resolved(ticket_number=other, customer_id=customer, occurred_at=MOMENT + DAY),
        at=MOMENT + DAY,
    )

    assert set(await invited(feedback_database)) == {number, other}


async def test_the_throttle_holds_over_all_types_of_surveys(feedback_database: Database) -> None:
    customer = uuid4()
    number = await resolve(feedback_database, customer)
    async with feedback_database.transaction() as tx:
        # a relationship survey that was sent
        await tx.execute("UPDATE invitation SET form = $1", T2_1.code)
    later = await resolve(feedback_database, customer, at=MOMENT + 10 * DAY)

    assert await invited(feedback_database) == [number]
    assert await throttled(feedback_database) == {later: "frequency"}


async def test_files_that_were_merged_are_throttled_as_one_person(feedback_database: Database) -> None:
    one, other, third = uuid4(), uuid4(), uuid4()
    await resolve(feedback_database, one)
    # a chain: one into other, other into third
    await follow(feedback_database, joined(one, other), joined(other, third))
    spared = [await resolve(feedback_database, customer, at=MOMENT + DAY) for customer in (other, third, one)]

    assert set(await throttled(feedback_database)) == set(spared)


async def test_after_an_undone_merge_each_file_stands_for_itself(feedback_database: Database) -> None:
    one, other = uuid4(), uuid4()
    await resolve(feedback_database, one)
    await follow(feedback_database, joined(one, other))
    await follow(feedback_database, CustomerUnmerged(occurred_at=MOMENT, customer_id=one, from_customer_id=other, actor="agent-1"))
    number = await resolve(feedback_database, other, at=MOMENT + DAY)

    assert number in await invited(feedback_database)


async def test_files_merged_in_a_circle_stop_nothing(feedback_database: Database) -> None:
    one, other = uuid4(), uuid4()
    await follow(feedback_database, joined(one, other), joined(other, one))
    number = await resolve(feedback_database, one)

    assert await invited(feedback_database) == [number]


async def test_of_two_surveys_of_one_person_at_the_same_moment_one_is_sent(feedback_database: Database) -> None:
    for _ in range(10):
        customer = uuid4()
        numbers = await asyncio.gather(*(resolve(feedback_database, customer) for _ in range(4)))

        assert len(set(numbers) & set(await invited(feedback_database))) == 1
        assert len(set(numbers) & set(await throttled(feedback_database))) == 3


async def test_planned_surveys_are_judged_when_they_are_sent(feedback_database: Database) -> None:
    customer = uuid4()
    early = await resolve(feedback_database, customer, ways=TOMORROW)
    late = await resolve(feedback_database, customer, at=MOMENT + timedelta(hours=1), ways=TOMORROW)
    assert await count_told(feedback_database) == 0

    await fire(feedback_database, inviting.SEND, at=MOMENT + timedelta(hours=26), ways=TOMORROW)

    assert await invited(feedback_database) == [early]
    assert await throttled(feedback_database) == {late: "frequency"}


async def test_whoever_opted_out_by_his_link_gets_no_survey(feedback_database: Database) -> None:
    customer = uuid4()
    number = await resolve(feedback_database, customer)
    token = await token_of(feedback_database, number)
    async with feedback_database.transaction() as tx:
        await preferences.opt_out_by_link(tx, token, at=MOMENT)
    later = await resolve(feedback_database, customer, at=MOMENT + 60 * DAY)

    assert await throttled(feedback_database) == {later: "opted_out"}
    (event,) = await told(feedback_database, SurveyOptedOut)
    assert (event.customer_id, event.opted_out, event.by) == (customer, True, "customer")


async def test_an_opt_out_holds_for_all_files_of_the_person_and_its_end_too(feedback_database: Database) -> None:
    one, other = uuid4(), uuid4()
    await follow(feedback_database, registered(one), registered(other), joined(one, other))
    async with feedback_database.transaction() as tx:
        await preferences.change(tx, one, opted_out=True, actor="lead-1", at=MOMENT)
    spared = await resolve(feedback_database, other)
    async with feedback_database.transaction() as tx:
        held = await preferences.change(tx, other, opted_out=False, actor="lead-1", at=MOMENT)
    asked = await resolve(feedback_database, one, at=MOMENT + DAY)

    assert await throttled(feedback_database) == {spared: "opted_out"}
    assert held.standing.wants_surveys
    assert await invited(feedback_database) == [asked]
    assert [event.opted_out for event in await told(feedback_database, SurveyOptedOut)].count(False) == 1


async def test_without_consent_in_the_customer_file_no_survey_is_sent(feedback_database: Database) -> None:
    customer = uuid4()
    await follow(feedback_database, registered(customer), updated(customer, survey=False))
    spared = await resolve(feedback_database, customer)
    await follow(feedback_database, updated(customer, survey=True, version=3))
    asked = await resolve(feedback_database, customer, at=MOMENT + DAY)

    assert await throttled(feedback_database) == {spared: "no_consent"}
    assert await invited(feedback_database) == [asked]
    events = [(event.opted_out, event.by) for event in await told(feedback_database, SurveyOptedOut)]
    assert sorted(events) == [(False, "consent"), (True, "consent")]


async def test_a_customer_file_that_is_saved_again_does_not_undo_the_customers_own_wish(feedback_database: Database) -> None:
    customer = uuid4()
    await follow(feedback_database, registered(customer))
    token = await token_of(feedback_database, await resolve(feedback_database, customer))
    async with feedback_database.transaction() as tx:
        await preferences.opt_out_by_link(tx, token, at=MOMENT)
    await follow(feedback_database, updated(customer, survey=True))
    later = await resolve(feedback_database, customer, at=MOMENT + 60 * DAY)

    assert await throttled(feedback_database) == {later: "opted_out"}
    assert len(await told(feedback_database, SurveyOptedOut)) == 1


async def test_fifty_clicks_to_opt_out_at_once_are_one(feedback_database: Database) -> None:
    token = await token_of(feedback_database, await resolve(feedback_database, uuid4()))

    async def click() -> None:
        async with feedback_database.transaction() as tx:
            await preferences.opt_out_by_link(tx, token, at=MOMENT)

    await asyncio.gather(*(click() for _ in range(50)))

    assert len(await told(feedback_database, SurveyOptedOut)) == 1


async def test_whoever_is_not_sampled_is_recorded_with_his_probability(feedback_database: Database) -> None:
    nobody = Inviting(replace(AT_ONCE, strata=(Stratum(0.0, type="repair"),)), NOW.page_url)
    number = await resolve(feedback_database, uuid4(), ways=nobody)
    asked = await resolve(feedback_database, uuid4(), ways=nobody, dimensions=dimensions(type="enquiry"))

    assert await throttled(feedback_database) == {number: "not_sampled"}
    stored = await rows(feedback_database, "SELECT ticket_number, inclusion FROM invitation")
    assert {row["ticket_number"]: row["inclusion"] for row in stored} == {number: 0.0, asked: 1.0}


async def test_a_complaint_whose_customer_is_spared_gets_the_one_question(feedback_database: Database) -> None:
    customer = uuid4()
    await resolve(feedback_database, customer)
    number = await resolve(feedback_database, customer, at=MOMENT + DAY, dimensions=COMPLAINT)

    assert await throttled(feedback_database) == {number: "frequency"}
    (event,) = [event for event in await told(feedback_database, SurveyInvited) if event.ticket_number == number]
    (mail,) = [mail for mail in await told(feedback_database, FeedbackNotificationRequested) if mail.ticket_number == number]
    assert event.form == "S1.1"
    assert mail.data == {"form": "S1.1", "purpose": "service", "opt_out_link": f"{mail.link}/opt-out"}
    await answer(feedback_database, await token_of(feedback_database, number), MOMENT + 2 * DAY, Y1="no")
    (answered,) = await told(feedback_database, SurveyAnswered)
    assert (answered.solved, answered.flags, answered.overall) == ("no", ("low", "not_solved"), None)


async def test_also_whoever_opted_out_is_asked_whether_his_complaint_is_solved(feedback_database: Database) -> None:
    customer = uuid4()
    await follow(feedback_database, registered(customer), updated(customer, survey=False))
    number = await resolve(feedback_database, customer, dimensions=COMPLAINT)

    assert await throttled(feedback_database) == {number: "no_consent"}
    assert [event.form for event in await told(feedback_database, SurveyInvited)] == ["S1.1"]


async def test_a_complaint_that_gets_the_survey_gets_no_second_mail(feedback_database: Database) -> None:
    number = await resolve(feedback_database, uuid4(), dimensions=COMPLAINT)

    assert [event.form for event in await told(feedback_database, SurveyInvited)] == ["T1.2"]
    assert await invited(feedback_database) == [number]


async def test_the_one_question_does_not_use_up_the_customers_survey(feedback_database: Database) -> None:
    customer = uuid4()
    await resolve(feedback_database, customer)
    await resolve(feedback_database, customer, at=MOMENT + 20 * DAY, dimensions=COMPLAINT)
    number = await resolve(feedback_database, customer, at=MOMENT + 31 * DAY)

    assert number in await invited(feedback_database)


async def test_the_one_question_is_void_once_the_complaint_is_reopened(feedback_database: Database) -> None:
    customer = uuid4()
    await resolve(feedback_database, customer)
    number = await resolve(feedback_database, customer, dimensions=COMPLAINT)
    await follow(feedback_database, reopened(ticket_number=number, customer_id=customer))

    assert [(event.ticket_number, event.form) for event in await told(feedback_database, SurveyCancelled)] == [(number, "S1.1")]


async def test_a_ticket_that_is_merged_into_another_is_not_asked_about(feedback_database: Database) -> None:
    customer = uuid4()
    number = await resolve(feedback_database, customer)
    await follow(feedback_database, merged(ticket_number=number, customer_id=customer))

    assert [event.ticket_number for event in await told(feedback_database, SurveyCancelled)] == [number]
    assert await rows(feedback_database, "SELECT * FROM timer") == []


async def test_an_open_survey_is_reminded_of_once_with_a_link_that_works_beside_the_first(feedback_database: Database) -> None:
    number = await resolve(feedback_database, uuid4())
    await fire(feedback_database, inviting.REMIND, at=MOMENT + 3 * DAY - timedelta(seconds=1))
    assert await told(feedback_database, SurveyReminded) == []

    await fire(feedback_database, inviting.REMIND, at=MOMENT + 3 * DAY)
    await fire(feedback_database, inviting.REMIND, at=MOMENT + 9 * DAY)

    (event,) = await told(feedback_database, SurveyReminded)
    first, second = await token_of(feedback_database, number), await token_of(feedback_database, number, "survey_reminder")
    assert (event.ticket_number, event.occurred_at) == (number, MOMENT + 3 * DAY)
    assert first != second
    async with feedback_database.transaction() as tx:
        assert (await answering.find(tx, first)) == (await answering.find(tx, second))
    await answer(feedback_database, second, MOMENT + 4 * DAY, Q0=5)
    assert [event.overall for event in await told(feedback_database, SurveyAnswered)] == [5]


@pytest.mark.parametrize("ended_by", ["answer", "reopening", "opt_out", "consent"])
async def test_nobody_is_reminded_after_his_answer_a_reopening_or_an_opt_out(feedback_database: Database, ended_by: str) -> None:
    customer = uuid4()
    await follow(feedback_database, registered(customer))
    number = await resolve(feedback_database, customer)
    token = await token_of(feedback_database, number)
    match ended_by:
        case "answer":
            await answer(feedback_database, token, MOMENT, Q0=5)
        case "reopening":
            await follow(feedback_database, reopened(ticket_number=number, customer_id=customer))
        case "consent":
            await follow(feedback_database, updated(customer, survey=False))
        case _:
            async with feedback_database.transaction() as tx:
                await preferences.opt_out_by_link(tx, token, at=MOMENT)

    await fire(feedback_database, inviting.REMIND, at=MOMENT + 3 * DAY)

    assert await told(feedback_database, SurveyReminded) == []


async def test_in_a_chat_there_is_a_day_to_answer_and_no_reminder(feedback_database: Database) -> None:
    await resolve(feedback_database, uuid4(), dimensions=dimensions(channel="chat"), ways=TOMORROW)

    (event,) = await told(feedback_database, SurveyInvited)
    assert event.expires_at == MOMENT + DAY
    assert await rows(feedback_database, "SELECT * FROM timer") == []


async def test_an_answer_and_a_reminder_at_once_leave_one_answer_and_no_error(feedback_database: Database) -> None:
    for _ in range(10):
        number = await resolve(feedback_database, uuid4())
        token = await token_of(feedback_database, number)
        results: Sequence[object] = await asyncio.gather(
            answer(feedback_database, token, MOMENT + 3 * DAY, Q0=4),
            fire(feedback_database, inviting.REMIND, at=MOMENT + 3 * DAY),
            return_exceptions=True,
        )

        assert results == [None, None]
        assert len([event for event in await told(feedback_database, SurveyAnswered) if event.ticket_number == number]) == 1


async def test_published_rules_hold_for_what_is_sent_from_then_on(feedback_database: Database) -> None:
    customer = uuid4()
    await resolve(feedback_database, customer)
    strict = replace(AT_ONCE, quiet=timedelta(days=90), version=1)
    async with feedback_database.transaction() as tx:
        assert await forms_store.publish_rules(tx, strict, at=MOMENT, by="manager-1")
        assert await forms_store.rules(tx, AT_ONCE) == strict
    number = await resolve(feedback_database, customer, at=MOMENT + 60 * DAY)

    assert await throttled(feedback_database) == {number: "frequency"}


async def test_five_hundred_resolutions_of_a_hundred_persons_in_one_batch_ask_each_person_once(feedback_database: Database) -> None:
    customers = [uuid4() for _ in range(100)]
    await follow(feedback_database, *(resolved(ticket_number=new_number(), customer_id=customers[place % 100]) for place in range(500)))

    asked = [event.customer_id for event in await told(feedback_database, SurveyInvited)]
    assert sorted(asked) == sorted(customers)
    assert len(await told(feedback_database, SurveyThrottled)) == 400
