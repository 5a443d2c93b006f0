"""A request that was none ends its ticket, unless there is more to the ticket than that request. On real PostgreSQL."""

from __future__ import annotations

import asyncio

import pytest

from services.tickets.handlers import desk
from services.tickets.sla import Priority
from services.tickets.store import views
from services.tickets.workflow.changes import Cancelled, Change
from services.tickets.workflow.commands import Command, Letter, Merging, Resolve, Start, Take, Triage
from services.tickets.workflow.evolution import replay
from services.tickets.workflow.status import Status
from shared.database import Database
from shared.events.feedback import SurveyAnswered
from shared.events.intake import RequestDismissed, RequestReceived
from shared.events.tickets import TicketCancelled
from tests.tickets.builders import AGENT, DAY, HOUR, NOON, request_received
from tests.tickets.observation import due, numbers, take_in, ticket, told, types_told
from tests.tickets.test_reception import answer, follow_up, opened, work

pytestmark = pytest.mark.postgres


def dismissed(request: RequestReceived, reason: str = "spam") -> RequestDismissed:
    return RequestDismissed(
        occurred_at=NOON + HOUR,
        request_id=request.request_id,
        reference=request.reference,
        customer_id=request.customer_id,
        reason=reason,
        actor="lin",
    )


@pytest.mark.parametrize(
    "before",
    [(), (Triage(Priority.LOW),), (Take(),), (Take(), Letter("who is it?", public=False))],
    ids=["new", "triaged", "taken", "noted"],
)
async def test_a_ticket_that_nobody_works_on_ends_with_its_request(
    tickets_database: Database, before: tuple[Command | Letter, ...]
) -> None:
    request = await opened(tickets_database)
    await work(tickets_database, request.reference, *before)

    await take_in(tickets_database, dismissed(request))

    ended = await ticket(tickets_database, request.reference)
    assert (ended.status, ended.closed_at) == (Status.CANCELLED, NOON + HOUR)
    (event,) = [event for event in await told(tickets_database, request.reference) if isinstance(event, TicketCancelled)]
    assert (event.reason, event.actor, event.dimensions.status) == ("dismissed", "lin", "cancelled")
    assert await due(tickets_database, request.reference) == {}


async def test_it_is_in_the_history_who_found_that_it_was_none(tickets_database: Database) -> None:
    request = await opened(tickets_database)

    await take_in(tickets_database, dismissed(request))

    async with tickets_database.transaction() as tx:
        changes = await views.changes(tx, request.reference)
    assert changes[-1] == Change(2, NOON + HOUR, "lin", Cancelled("dismissed"))
    assert replay(changes) == await ticket(tickets_database, request.reference)


@pytest.mark.parametrize(
    "begun",
    [(Take(), Start()), (Letter("We look into it."),), (Take(), Start(), Resolve("repaired"))],
    ids=["in progress", "answered", "resolved"],
)
async def test_what_somebody_works_on_or_has_answered_stays(tickets_database: Database, begun: tuple[Command | Letter, ...]) -> None:
    request = await opened(tickets_database)
    await work(tickets_database, request.reference, *begun)
    before = await ticket(tickets_database, request.reference)

    await take_in(tickets_database, dismissed(request))

    assert await ticket(tickets_database, request.reference) == before


async def test_a_ticket_that_other_requests_joined_stays(tickets_database: Database) -> None:
    first = await opened(tickets_database)
    second = follow_up(first)
    await take_in(tickets_database, second)

    await take_in(tickets_database, dismissed(first), dismissed(second))

    assert (await ticket(tickets_database, first.reference)).status is Status.NEW


async def test_a_ticket_into_which_another_was_merged_stays(tickets_database: Database) -> None:
    first = await opened(tickets_database)
    other = await opened(tickets_database, customer_id=first.customer_id, type="enquiry", product=None)
    async with tickets_database.transaction() as tx:
        await desk.act(tx, other.reference, Merging(first.reference), by=AGENT, version=1, at=NOON)

    await take_in(tickets_database, dismissed(first), dismissed(other))

    assert [(await ticket(tickets_database, one.reference)).status for one in (first, other)] == [Status.NEW, Status.MERGED]


async def test_a_late_reply_that_was_none_ends_the_linked_ticket_that_it_opened(tickets_database: Database) -> None:
    first = await opened(tickets_database)
    await work(tickets_database, first.reference, Take(), Start(), Resolve("repaired"))
    late = follow_up(first, occurred_at=NOON + 30 * DAY)
    await take_in(tickets_database, late)
    (linked,) = [number for number in await numbers(tickets_database) if number != first.reference]

    await take_in(tickets_database, dismissed(late))

    assert (await ticket(tickets_database, linked)).status is Status.CANCELLED
    assert (await ticket(tickets_database, first.reference)).status is Status.RESOLVED


async def test_a_ticket_that_a_low_answer_opened_does_not_end_with_a_request_that_joined_it(tickets_database: Database) -> None:
    first = await opened(tickets_database)
    await work(tickets_database, first.reference, Take(), Start(), Resolve("repaired"))
    low: SurveyAnswered = answer(first.reference, overall=1, occurred_at=NOON + 30 * DAY)
    await take_in(tickets_database, low)
    (linked,) = [number for number in await numbers(tickets_database) if number != first.reference]
    reply = follow_up(first, in_reply_to=linked, occurred_at=NOON + 31 * DAY)
    await take_in(tickets_database, reply)

    await take_in(tickets_database, dismissed(reply))

    assert (await ticket(tickets_database, linked)).status is not Status.CANCELLED


async def test_a_request_and_its_dismissal_may_come_in_one_batch(tickets_database: Database) -> None:
    spam, real = request_received(), request_received()

    await take_in(tickets_database, spam, real, dismissed(spam))

    assert (await ticket(tickets_database, spam.reference)).status is Status.CANCELLED
    assert (await ticket(tickets_database, real.reference)).status is Status.NEW
    assert await types_told(tickets_database, spam.reference) == ["ticket.opened.v1", "ticket.cancelled.v1"]
    assert await due(tickets_database, spam.reference) == {}


async def test_a_dismissal_that_comes_again_has_no_second_effect(tickets_database: Database) -> None:
    request = await opened(tickets_database)
    await take_in(tickets_database, dismissed(request), dismissed(request))
    once = await ticket(tickets_database, request.reference)

    await take_in(tickets_database, dismissed(request))

    assert await ticket(tickets_database, request.reference) == once


async def test_of_a_dismissal_and_a_beginning_at_once_one_comes_first_and_the_other_sees_it(tickets_database: Database) -> None:
    for _ in range(5):
        request = await opened(tickets_database)
        await work(tickets_database, request.reference, Take())

        await asyncio.gather(
            take_in(tickets_database, dismissed(request)), work(tickets_database, request.reference, Start()), return_exceptions=True
        )

        after = await ticket(tickets_database, request.reference)
        assert (after.status, after.version) in {(Status.CANCELLED, 3), (Status.IN_PROGRESS, 3)}


async def test_a_dismissal_of_a_request_that_nobody_knows_changes_nothing(tickets_database: Database) -> None:
    await take_in(tickets_database, dismissed(request_received()))

    assert await numbers(tickets_database) == []
