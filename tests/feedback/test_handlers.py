"""From what tickets and customers do to invitations, and from answers to facts; on a real database."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import uuid4
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from services.feedback.handlers import answering, inviting
from services.feedback.handlers.answering import Taken, UnknownSurvey
from services.feedback.handlers.inviting import Inviting
from services.feedback.store import invitations as store
from services.feedback.store.invitations import Filters
from services.feedback.survey.answers import Answers
from services.feedback.survey.invitations import AlreadyAnswered, SurveyEnded
from services.feedback.survey.rules import usual
from shared.database import Database
from shared.errors import Invalid
from shared.events.codes import Locale
from shared.events.envelope import Event
from shared.events.feedback import SurveyAnswered, SurveyCancelled, SurveyInvited
from shared.events.intake import CustomerRegistered
from shared.events.notification import FeedbackNotificationRequested
from shared.events.tickets import TicketMessageAdded
from shared.timers import Timer
from tests.feedback.builders import AT_ONCE, CUSTOMER, MOMENT, NUMBER, dimensions, reopened, resolved
from tests.feedback.outbox import count_told, told

pytestmark = pytest.mark.postgres

INVITING = Inviting(AT_ONCE, "https://feedback.example")
TOMORROW = Inviting(usual(timedelta(hours=24)), "https://feedback.example")
SHANGHAI = ZoneInfo("Asia/Shanghai")


async def follow(database: Database, *facts: Event, ways: Inviting = INVITING, at: datetime = MOMENT) -> None:
    async with database.transaction() as tx:
        await inviting.follow(tx, facts, inviting=ways, at=at)


async def invite(database: Database, **changes: object) -> str:
    """Resolve a ticket; the token of its survey."""
    await follow(database, resolved(**changes))
    number = str(changes.get("ticket_number", NUMBER))
    mails = [mail for mail in await told(database, FeedbackNotificationRequested) if mail.ticket_number == number]
    assert mails[-1].link is not None
    return mails[-1].link.rpartition("/")[2]


async def answer(database: Database, token: str, given: Mapping[str, object], comment: object = None, at: datetime = MOMENT) -> Taken:
    async with database.transaction() as tx:
        return await answering.answer(tx, token, given, comment, locale=None, door="rest", zone=SHANGHAI, at=at)


async def rows(database: Database, query: str) -> list[asyncpg.Record]:
    async with database.transaction() as tx:
        return await tx.fetch(query)


async def test_a_resolution_invites_the_customer_and_asks_for_one_mail(feedback_database: Database) -> None:
    token = await invite(feedback_database)

    (event,) = await told(feedback_database, SurveyInvited)
    (mail,) = await told(feedback_database, FeedbackNotificationRequested)
    assert (event.ticket_number, event.episode, event.form, event.customer_id) == (NUMBER, 1, "T1.2", CUSTOMER)
    assert event.dimensions == dimensions()
    assert event.expires_at == MOMENT + timedelta(days=14)
    assert mail.link == f"https://feedback.example/s/{token}"
    assert (mail.kind, mail.locale, mail.expires_at, mail.text) == ("survey_invitation", "zh-CN", event.expires_at, None)


async def test_only_the_hash_of_the_token_is_kept(feedback_database: Database) -> None:
    token = await invite(feedback_database)

    (row,) = await rows(feedback_database, "SELECT * FROM invitation")
    assert row["token_hash"] == sha256(token.encode()).digest()
    assert len(token) == 32
    assert token not in repr(dict(row))


async def test_facts_of_surveys_carry_no_link(feedback_database: Database) -> None:
    token = await invite(feedback_database)
    await answer(feedback_database, token, {"Q0": 1}, "the pump still leaks")

    payloads = await rows(feedback_database, "SELECT payload FROM outbox WHERE topic = 'aftercare.feedback'")
    assert len(payloads) == 2
    assert all(token.encode() not in row["payload"] and b"leaks" not in row["payload"] for row in payloads)


async def test_a_resolution_told_twice_invites_once(feedback_database: Database) -> None:
    await follow(feedback_database, resolved(), resolved())
    await follow(feedback_database, resolved(), at=MOMENT + timedelta(hours=1))

    assert len(await told(feedback_database, SurveyInvited)) == 1
    assert len(await told(feedback_database, FeedbackNotificationRequested)) == 1


async def test_a_batch_that_is_rolled_back_and_run_again_sends_a_link_that_works(feedback_database: Database) -> None:
    class Crash(Exception):
        pass

    async def crash() -> None:
        async with feedback_database.transaction() as tx:
            await inviting.follow(tx, [resolved()], inviting=INVITING, at=MOMENT)
            raise Crash

    with pytest.raises(Crash):
        await crash()
    token = await invite(feedback_database)

    assert (await answer(feedback_database, token, {"Q0": 5})).answers.overall == 5
    assert len(await told(feedback_database, FeedbackNotificationRequested)) == 1


async def test_a_reopening_cancels_the_unanswered_survey(feedback_database: Database) -> None:
    token = await invite(feedback_database)
    await follow(feedback_database, reopened(), at=MOMENT + timedelta(hours=1))

    (event,) = await told(feedback_database, SurveyCancelled)
    assert (event.ticket_number, event.episode, event.occurred_at) == (NUMBER, 1, MOMENT + timedelta(hours=1))
    with pytest.raises(SurveyEnded):
        await answer(feedback_database, token, {"Q0": 5}, at=MOMENT + timedelta(hours=2))


async def test_resolve_reopen_resolve_in_one_batch_asks_once_about_the_second(feedback_database: Database) -> None:
    await follow(feedback_database, resolved(), reopened(), resolved(episode=2))

    assert [event.episode for event in await told(feedback_database, SurveyInvited)] == [2]
    assert len(await told(feedback_database, FeedbackNotificationRequested)) == 1
    assert await told(feedback_database, SurveyCancelled) == []
    stored = await rows(feedback_database, "SELECT episode, cancelled_at IS NULL AS valid FROM invitation ORDER BY episode")
    assert [(row["episode"], row["valid"]) for row in stored] == [(1, False), (2, True)]


async def test_a_reopening_after_the_answer_cancels_nothing(feedback_database: Database) -> None:
    token = await invite(feedback_database)
    await answer(feedback_database, token, {"Q0": 1, "Y1": "no"})
    await follow(feedback_database, reopened(reason="low_answer"))

    assert await told(feedback_database, SurveyCancelled) == []
    assert len(await told(feedback_database, SurveyAnswered)) == 1


async def test_a_batch_of_five_hundred_resolutions_invites_each(feedback_database: Database) -> None:
    numbers = [f"AS-20261201-{place:06d}X" for place in range(500)]
    random.Random(7).shuffle(numbers)
    await follow(feedback_database, *(resolved(ticket_number=number, customer_id=uuid4()) for number in numbers))

    links = {mail.link for mail in await told(feedback_database, FeedbackNotificationRequested)}
    assert len(links) == 500
    assert {event.ticket_number for event in await told(feedback_database, SurveyInvited)} == set(numbers)


@pytest.mark.parametrize(
    ("of_ticket", "of_customer", "language"),
    [("zh-TW", "en", "zh-TW"), ("fr", "en", "en"), ("fr", None, "zh-CN"), ("en-GB", "zh-CN", "en")],
)
async def test_the_survey_speaks_the_language_of_the_request_or_else_of_the_customer(
    feedback_database: Database, of_ticket: str, of_customer: str | None, language: str
) -> None:
    if of_customer is not None:
        await follow(feedback_database, CustomerRegistered(occurred_at=MOMENT, customer_id=CUSTOMER, name="林小姐", locale=of_customer))
    await follow(feedback_database, resolved(locale=of_ticket))

    (mail,) = await told(feedback_database, FeedbackNotificationRequested)
    assert mail.locale == language


async def test_of_a_customer_only_the_language_and_the_consent_to_surveys_are_copied(feedback_database: Database) -> None:
    await follow(feedback_database, CustomerRegistered(occurred_at=MOMENT, customer_id=CUSTOMER, name="林小姐", locale="zh-HK"))

    (row,) = await rows(feedback_database, "SELECT * FROM customer")
    assert dict(row) == {"id": CUSTOMER, "locale": "zh-TW", "consents": True}


async def test_a_delayed_survey_is_sent_by_its_timer_and_not_before(feedback_database: Database) -> None:
    await follow(feedback_database, resolved(), ways=TOMORROW)
    (timer,) = await rows(feedback_database, "SELECT * FROM timer")
    assert await count_told(feedback_database) == 0
    assert timer["due_at"] == MOMENT + timedelta(hours=24)

    async with feedback_database.transaction() as tx:
        await inviting.fire(tx, [Timer(**timer)], inviting=TOMORROW, at=MOMENT + timedelta(hours=24))

    (event,) = await told(feedback_database, SurveyInvited)
    assert event.expires_at == MOMENT + timedelta(days=15)
    (mail,) = await told(feedback_database, FeedbackNotificationRequested)
    assert mail.link is not None
    token = mail.link.rpartition("/")[2]
    assert (await answer(feedback_database, token, {"Q0": 4}, at=MOMENT + timedelta(days=2))).survey.invitation.answered_at


async def test_a_delayed_survey_of_a_reopened_ticket_is_never_sent(feedback_database: Database) -> None:
    await follow(feedback_database, resolved(), ways=TOMORROW)
    await follow(feedback_database, reopened(), ways=TOMORROW)

    assert await rows(feedback_database, "SELECT * FROM timer") == []
    async with feedback_database.transaction() as tx:
        ids = [row["id"] for row in await tx.fetch("SELECT id FROM invitation")]
        timers = [Timer(inviting.SEND, str(id_), 1, MOMENT) for id_ in ids]
        await inviting.fire(tx, timers, inviting=TOMORROW, at=MOMENT + timedelta(hours=24))
    assert await count_told(feedback_database) == 0


async def test_a_timer_that_fires_again_sends_nothing_again(feedback_database: Database) -> None:
    await follow(feedback_database, resolved())
    async with feedback_database.transaction() as tx:
        ids = [row["id"] for row in await tx.fetch("SELECT id FROM invitation")]
        timers = [Timer(inviting.SEND, str(id_), 1, MOMENT) for id_ in ids]
        await inviting.fire(tx, timers, inviting=INVITING, at=MOMENT)

    assert len(await told(feedback_database, SurveyInvited)) == 1


async def test_an_answer_is_told_as_numbers_with_the_dimensions_of_the_resolution(feedback_database: Database) -> None:
    token = await invite(feedback_database)
    await answer(feedback_database, token, {"Q0": 2, "Y1": "partly", "N1": 6}, "说明书看不懂", at=MOMENT + timedelta(days=1))

    (event,) = await told(feedback_database, SurveyAnswered)
    assert (event.overall, event.solved, event.recommend, event.scores) == (2, "partly", 6, {"Q0": 2, "N1": 6})
    assert (event.has_comment, event.locale, event.form) == (True, "zh-CN", "T1.2")
    assert event.dimensions == dimensions()
    assert (event.resolved_at, event.occurred_at) == (MOMENT, MOMENT + timedelta(days=1))


async def test_the_comment_stands_apart_so_that_it_can_be_erased(feedback_database: Database) -> None:
    token = await invite(feedback_database)
    await answer(feedback_database, token, {"Q0": 2}, "说明书看不懂")

    async with feedback_database.transaction() as tx:
        await tx.execute("DELETE FROM comment")
        (listed,) = await store.page(tx, Filters(ticket=NUMBER), at=MOMENT, after=None, limit=10)
    assert listed.answers == Answers({"Q0": 2}, None)


async def test_the_first_answer_is_final(feedback_database: Database) -> None:
    token = await invite(feedback_database)
    await answer(feedback_database, token, {"Q0": 5})

    with pytest.raises(AlreadyAnswered):
        await answer(feedback_database, token, {"Q0": 1})
    (event,) = await told(feedback_database, SurveyAnswered)
    assert event.overall == 5


async def test_of_fifty_answers_at_once_one_is_taken(feedback_database: Database) -> None:
    token = await invite(feedback_database)

    results = await asyncio.gather(
        *(answer(feedback_database, token, {"Q0": 1 + place % 5}) for place in range(50)), return_exceptions=True
    )

    taken = [result for result in results if not isinstance(result, BaseException)]
    assert len(taken) == 1
    assert all(isinstance(result, AlreadyAnswered) for result in results if isinstance(result, BaseException))
    (event,) = await told(feedback_database, SurveyAnswered)
    assert event.overall == taken[0].answers.overall


async def test_an_answer_and_a_reopening_at_once_leave_one_of_both(feedback_database: Database) -> None:
    for _ in range(10):
        number = f"AS-20261201-{uuid4().hex[:7]}"
        token = await invite(feedback_database, ticket_number=number, customer_id=uuid4())
        given, _ = await asyncio.gather(
            answer(feedback_database, token, {"Q0": 3}),
            follow(feedback_database, reopened(ticket_number=number)),
            return_exceptions=True,
        )
        answers = [event for event in await told(feedback_database, SurveyAnswered) if event.ticket_number == number]
        cancellations = [event for event in await told(feedback_database, SurveyCancelled) if event.ticket_number == number]
        assert len(answers) + len(cancellations) == 1
        assert isinstance(given, SurveyEnded) == bool(cancellations)


async def test_an_answer_that_does_not_fit_leaves_the_survey_open(feedback_database: Database) -> None:
    token = await invite(feedback_database)

    with pytest.raises(Invalid):
        await answer(feedback_database, token, {"Q0": 6})
    assert await rows(feedback_database, "SELECT * FROM answer") == []
    assert (await answer(feedback_database, token, {"Q0": 4})).answers.overall == 4


@pytest.mark.parametrize("token", ["", "short", "A" * 32, "A" * 33, "../" * 10 + "ab", "\0" * 32, "\ud800" * 32])
async def test_a_forged_token_opens_nothing(feedback_database: Database, token: str) -> None:
    await invite(feedback_database)

    with pytest.raises(UnknownSurvey):
        await answer(feedback_database, token, {"Q0": 5})


async def test_the_table_itself_refuses_a_second_invitation_for_a_resolution(feedback_database: Database) -> None:
    await invite(feedback_database)

    with pytest.raises(asyncpg.UniqueViolationError):
        async with feedback_database.transaction() as tx:
            await tx.execute(
                """INSERT INTO invitation (id, ticket_number, episode, customer_id, form, locale, dimensions, resolved_at, send_at)
                   SELECT gen_random_uuid(), ticket_number, episode, customer_id, form, locale, dimensions, resolved_at, send_at
                     FROM invitation"""
            )


async def test_staff_find_a_survey_by_any_number_of_its_ticket(feedback_database: Database) -> None:
    await invite(feedback_database)
    await follow(
        feedback_database,
        TicketMessageAdded(
            occurred_at=MOMENT,
            ticket_number=NUMBER,
            ticket_version=3,
            customer_id=CUSTOMER,
            dimensions=dimensions(),
            actor="customer",
            request_id=uuid4(),
            reference="AS-20261202-ALIAS1X",
        ),
    )

    async with feedback_database.transaction() as tx:
        found = [
            await store.page(tx, Filters(ticket=name), at=MOMENT, after=None, limit=10) for name in (NUMBER, "AS-20261202-ALIAS1X", "AS-1")
        ]
    assert [[listed.invitation.ticket_number for listed in page] for page in found] == [[NUMBER], [NUMBER], []]


async def test_pages_of_invitations_hold_each_once_newest_first(feedback_database: Database) -> None:
    for place in range(3):
        await follow(feedback_database, *(resolved(ticket_number=f"AS-{place}{column}") for column in "abc"))

    seen, after = [], None
    async with feedback_database.transaction() as tx:
        while page := await store.page(tx, Filters(), at=MOMENT, after=after, limit=2):
            seen += page
            after = page[-1].position
    assert len({listed.invitation.id for listed in seen}) == len(seen) == 9
    assert [listed.position for listed in seen] == sorted((listed.position for listed in seen), reverse=True)


async def test_the_language_in_which_it_was_read_goes_with_the_answer(feedback_database: Database) -> None:
    token = await invite(feedback_database)
    async with feedback_database.transaction() as tx:
        await answering.answer(tx, token, {"Q0": 5}, locale=Locale.EN, door="page", zone=SHANGHAI, at=MOMENT)

    (event,) = await told(feedback_database, SurveyAnswered)
    assert event.locale == "en"
