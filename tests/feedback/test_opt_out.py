"""Who wants no surveys gets none: by the link in his mail, through staff, or by his customer file."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from services.feedback.handlers import preferences
from shared.database import Database
from shared.events.feedback import SurveyOptedOut
from tests.feedback.builders import MOMENT
from tests.feedback.outbox import told
from tests.feedback.sending import (
    DAY,
    follow,
    invited,
    joined,
    registered,
    resolve,
    throttled,
    token_of,
    updated,
)

pytestmark = pytest.mark.postgres


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


async def test_a_person_who_opts_out_under_two_files_at_once_does_so_once(feedback_database: Database) -> None:
    async def click(token: str) -> None:
        async with feedback_database.transaction() as tx:
            await preferences.opt_out_by_link(tx, token, at=MOMENT)

    for _ in range(10):
        one, other = uuid4(), uuid4()
        tokens = [await token_of(feedback_database, await resolve(feedback_database, customer)) for customer in (one, other)]
        await follow(feedback_database, joined(one, other))
        await asyncio.gather(*(click(token) for token in tokens))

    assert len(await told(feedback_database, SurveyOptedOut)) == 10
