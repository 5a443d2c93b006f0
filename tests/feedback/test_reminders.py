"""An open survey is reminded of once, and nobody is reminded in vain."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from uuid import uuid4

import pytest

from services.feedback.handlers import answering, inviting, preferences
from shared.database import Database
from shared.events.feedback import SurveyAnswered, SurveyInvited, SurveyReminded
from tests.feedback.builders import MOMENT, dimensions, reopened
from tests.feedback.outbox import told
from tests.feedback.sending import (
    DAY,
    TOMORROW,
    answer,
    fire,
    follow,
    registered,
    resolve,
    rows,
    token_of,
    updated,
)

pytestmark = pytest.mark.postgres


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

    # an answer and a reopening end it at once, a wish is looked at when the moment comes
    assert len(await rows(feedback_database, "SELECT * FROM timer")) == (ended_by in {"opt_out", "consent"})
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
