"""Whom a survey reaches, on a real database: throttle over all types, merged persons, sample, races."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from services.feedback.handlers import inviting
from services.feedback.handlers.inviting import Inviting
from services.feedback.store import forms as forms_store
from services.feedback.survey.rules import Stratum
from shared.database import Database
from shared.events.feedback import SurveyCancelled, SurveyInvited, SurveyThrottled
from shared.events.intake import CustomerUnmerged
from tests.feedback.builders import AT_ONCE, MOMENT, T2_1, dimensions, merged, new_number, reopened, resolved
from tests.feedback.outbox import count_told, told
from tests.feedback.sending import (
    DAY,
    NOW,
    TOMORROW,
    fire,
    follow,
    invited,
    joined,
    resolve,
    rows,
    throttled,
)

pytestmark = pytest.mark.postgres


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


async def test_whoever_is_not_sampled_is_recorded_with_his_probability(feedback_database: Database) -> None:
    nobody = Inviting(replace(AT_ONCE, strata=(Stratum(0.0, type="repair"),)), NOW.page_url)
    number = await resolve(feedback_database, uuid4(), ways=nobody)
    asked = await resolve(feedback_database, uuid4(), ways=nobody, dimensions=dimensions(type="enquiry"))

    assert await throttled(feedback_database) == {number: "not_sampled"}
    stored = await rows(feedback_database, "SELECT ticket_number, inclusion FROM invitation")
    assert {row["ticket_number"]: row["inclusion"] for row in stored} == {number: 0.0, asked: 1.0}


async def test_a_ticket_that_is_merged_into_another_is_not_asked_about(feedback_database: Database) -> None:
    customer = uuid4()
    number = await resolve(feedback_database, customer)
    await follow(feedback_database, merged(ticket_number=number, customer_id=customer))

    assert [event.ticket_number for event in await told(feedback_database, SurveyCancelled)] == [number]
    assert await rows(feedback_database, "SELECT * FROM timer") == []


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
