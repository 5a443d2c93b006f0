"""After a complaint the customer is asked whether it is solved, whoever was spared the survey."""

from __future__ import annotations

from uuid import uuid4

import pytest

from shared.database import Database
from shared.events.feedback import SurveyAnswered, SurveyCancelled, SurveyInvited
from shared.events.notification import FeedbackNotificationRequested
from tests.feedback.builders import MOMENT, reopened
from tests.feedback.outbox import told
from tests.feedback.sending import (
    COMPLAINT,
    DAY,
    answer,
    follow,
    invited,
    registered,
    resolve,
    throttled,
    token_of,
    updated,
)

pytestmark = pytest.mark.postgres


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
