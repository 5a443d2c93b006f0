"""Waiting for the customer: he is reminded after three days and let go after seven; what he hears of his ticket."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

import pytest

from services.tickets.handlers import deadlines, desk
from services.tickets.sla import ClockState, state
from services.tickets.store import loading
from services.tickets.workflow import ticket as rules
from services.tickets.workflow.commands import Command, Letter, Resolve, Resume, Start, Take, Wait
from services.tickets.workflow.status import Cause, Status
from services.tickets.workflow.ticket import GIVE_UP_AFTER, REMIND_AFTER, Ticket
from shared import clock
from shared.database import Database
from shared.events.notification import TicketNotificationRequested
from shared.events.tickets import TicketClosed
from shared.timers import TimerLoop, TimerSpec
from tests.tickets.builders import AGENT, DAY, HOUR, request_received
from tests.tickets.observation import due, numbers, take_in, ticket, told, types_told

pytestmark = pytest.mark.postgres

ME: Final = UUID(int=7)


def ago(span: timedelta) -> datetime:
    return (clock.now() - span).replace(microsecond=0)


async def waiting(database: Database, since: datetime) -> str:
    """A ticket that waits for its customer since then."""
    request = request_received(customer_id=ME, occurred_at=since, locale="en")
    await take_in(database, request)
    await act(database, request.reference, Letter("Which model?"), Take(), Start(), Wait(Cause.CUSTOMER), at=since)
    return request.reference


async def act(database: Database, number: str, *commands: Command | Letter, at: datetime) -> Ticket:
    for command in commands:
        seen = await ticket(database, number)
        async with database.transaction() as tx:
            await desk.act(tx, number, command, by=AGENT, version=seen.version, at=at)
    return await ticket(database, number)


async def fire(database: Database) -> int:
    return await TimerLoop(database, TimerSpec(lock=loading.lock_idle, fire=deadlines.fire)).round()


async def heard(database: Database, customer_id: UUID = ME) -> list[tuple[str, str | None]]:
    """(kind, status) of what the customer was to hear, words of staff aside."""
    events = [event for event in await told(database, str(customer_id)) if isinstance(event, TicketNotificationRequested)]
    return [(event.kind, event.data.get("status")) for event in events if event.kind != "ticket_reply"]


async def test_he_is_reminded_once_after_three_days(tickets_database: Database) -> None:
    number = await waiting(tickets_database, ago(REMIND_AFTER + HOUR))

    fired = [await fire(tickets_database), await fire(tickets_database)]

    assert fired == [1, 0]
    assert (await heard(tickets_database))[-1] == ("ticket_reminder", "waiting_customer")
    after = await ticket(tickets_database, number)
    assert (after.status, after.reminded_at) == (Status.WAITING_CUSTOMER, after.waiting_since and after.waiting_since + REMIND_AFTER)
    assert await due(tickets_database, number) == rules.deadlines(after)
    assert "remind" not in await due(tickets_database, number)


async def test_he_is_told_twice_when_it_ends_and_nothing_of_what_he_wrote(tickets_database: Database) -> None:
    since = ago(REMIND_AFTER + HOUR)
    await waiting(tickets_database, since)
    await fire(tickets_database)

    *_, asked, reminded = await told(tickets_database, str(ME))

    for event in (asked, reminded):
        assert isinstance(event, TicketNotificationRequested)
        assert (event.text, event.data["closes_at"]) == (None, (since + GIVE_UP_AFTER).isoformat())


async def test_a_reminder_is_no_event_of_the_ticket(tickets_database: Database) -> None:
    number = await waiting(tickets_database, ago(REMIND_AFTER + HOUR))
    before = await types_told(tickets_database, number)

    await fire(tickets_database)

    assert await types_told(tickets_database, number) == before


async def test_without_an_answer_it_is_closed_after_seven_days_and_not_counted_as_solved(tickets_database: Database) -> None:
    since = ago(GIVE_UP_AFTER + HOUR)
    number = await waiting(tickets_database, since)

    await fire(tickets_database)

    *_, event = await told(tickets_database, number)
    after = await ticket(tickets_database, number)
    assert isinstance(event, TicketClosed)
    assert (event.reason, event.occurred_at, event.actor) == ("no_customer_answer", since + GIVE_UP_AFTER, "system")
    assert (after.status, after.episode, after.resolved_at) == (Status.CLOSED, 0, None)
    assert state(after.resolution, clock.now()) is ClockState.STOPPED
    assert await due(tickets_database, number) == {}
    assert (await heard(tickets_database))[-2:] == [("ticket_reminder", "waiting_customer"), ("ticket_status", "closed")]


async def test_his_answer_ends_the_waiting(tickets_database: Database) -> None:
    since = ago(2 * DAY)
    number = await waiting(tickets_database, since)

    await take_in(tickets_database, request_received(customer_id=ME, in_reply_to=number, occurred_at=since + DAY))

    after = await ticket(tickets_database, number)
    assert (after.status, after.waiting_since) == (Status.IN_PROGRESS, None)
    assert not {"remind", "give_up"} & set(await due(tickets_database, number))


async def test_each_waiting_begins_anew(tickets_database: Database) -> None:
    since = ago(REMIND_AFTER + DAY)
    number = await waiting(tickets_database, since)
    await fire(tickets_database)

    again = ago(HOUR)
    await act(tickets_database, number, Resume(), Wait(Cause.CUSTOMER), at=again)

    found = await due(tickets_database, number)
    assert (found["remind"], found["give_up"]) == (again + REMIND_AFTER, again + GIVE_UP_AFTER)


async def test_parts_may_be_waited_for_without_end(tickets_database: Database) -> None:
    request = request_received(occurred_at=ago(2 * DAY))
    await take_in(tickets_database, request)
    await act(tickets_database, request.reference, Letter("We look."), Take(), Start(), Wait(Cause.PARTS), at=ago(2 * DAY))

    assert not {"remind", "give_up"} & set(await due(tickets_database, request.reference))


async def test_a_reply_after_it_was_given_up_opens_a_linked_ticket(tickets_database: Database) -> None:
    number = await waiting(tickets_database, ago(GIVE_UP_AFTER + DAY))
    await fire(tickets_database)

    await take_in(tickets_database, request_received(customer_id=ME, in_reply_to=number, occurred_at=clock.now()))

    assert await numbers(tickets_database) == [number, f"{number}-2"]


async def test_work_is_announced_once_and_each_waiting_and_solution(tickets_database: Database) -> None:
    me, at = uuid4(), ago(DAY)
    request = request_received(customer_id=me, occurred_at=at)
    await take_in(tickets_database, request)

    await act(tickets_database, request.reference, Take(), Start(), Wait(Cause.CUSTOMER), Resume(), Wait(Cause.PARTS), Resume(), at=at)
    await act(tickets_database, request.reference, Resolve("repaired"), at=at)

    assert await heard(tickets_database, me) == [
        ("ticket_status", "in_progress"),
        ("ticket_status", "waiting_customer"),
        ("ticket_status", "resolved"),
    ]
