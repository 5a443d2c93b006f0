"""Requests become tickets or join one; answers confirm or reopen. On real PostgreSQL."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.tickets import sla
from services.tickets.handlers import desk
from services.tickets.store import histories, views, words
from services.tickets.workflow.commands import Actor, Cancel, Command, Confirm, Letter, Resolve, Start, Take, Wait
from services.tickets.workflow.evolution import replay
from services.tickets.workflow.status import Cause, Status
from services.tickets.workflow.ticket import REOPEN_WINDOW, deadlines
from shared.database import Database
from shared.errors import NotFound
from shared.events.feedback import SurveyAnswered
from shared.events.intake import Product, RequestReceived
from shared.events.tickets import Dimensions, TicketMessageAdded, TicketOpened, TicketReopened
from tests.tickets.builders import AGENT, DAY, HOUR, LEAD, NOON, a_reference, customer_registered, request_received
from tests.tickets.observation import count, due, numbers, take_in, ticket, told, types_told

pytestmark = pytest.mark.postgres


async def opened(database: Database, **changes: Any) -> RequestReceived:
    """A request that has become a ticket."""
    request = request_received(**changes)
    await take_in(database, request)
    return request


async def work(database: Database, number: str, *commands: Command | Letter, at: datetime = NOON, by: Actor = AGENT) -> None:
    """Staff act, each time on the version that they see."""
    for command in commands:
        seen = await ticket(database, number)
        async with database.transaction() as tx:
            await desk.act(tx, number, command, by=by, version=seen.version, at=at)


def follow_up(first: RequestReceived, **changes: Any) -> RequestReceived:
    """A further message of the same customer, about the same matter."""
    given: dict[str, Any] = {"customer_id": first.customer_id, "in_reply_to": first.reference, "text": "It still hums."}
    return request_received(**(given | changes))


def answer(number: str, **changes: Any) -> SurveyAnswered:
    given: dict[str, Any] = {
        "occurred_at": NOON + DAY,
        "invitation_id": uuid4(),
        "ticket_number": number,
        "episode": 1,
        "customer_id": uuid4(),
        "form": "T1.1",
        "dimensions": Dimensions(status="resolved", priority="normal", channel="web"),
        "resolved_at": NOON,
        "locale": "en",
    }
    return SurveyAnswered(**(given | changes))


# ------------------------------------------------------------------ opening


async def test_a_request_opens_a_ticket_with_its_number_and_one_event(tickets_database: Database) -> None:
    request = await opened(tickets_database)

    found = await ticket(tickets_database, request.reference)
    (event,) = await told(tickets_database, request.reference)
    assert (found.status, found.version, found.customer_id) == (Status.NEW, 1, request.customer_id)
    assert isinstance(event, TicketOpened)
    assert (event.request_id, event.ticket_version, event.dimensions.priority) == (request.request_id, 1, "normal")
    assert (event.first_response.due_at, event.resolution.due_at) == (NOON + 4 * HOUR, NOON + 3 * DAY)
    assert await due(tickets_database, request.reference) == deadlines(found)


async def test_the_clocks_start_when_the_customer_wrote_not_when_we_heard_of_it(tickets_database: Database) -> None:
    request = await opened(tickets_database, occurred_at=NOON - HOUR, received_at=NOON)

    assert (await ticket(tickets_database, request.reference)).first_response.started_at == NOON - HOUR


async def test_the_event_holds_no_words(tickets_database: Database) -> None:
    request = await opened(tickets_database, subject="Secret subject", text="Secret words", product=Product(model="Secret: 13800000000"))

    async with tickets_database.transaction() as tx:
        payload = await tx.fetchval("SELECT payload FROM outbox WHERE key = $1", request.reference)
        data = await tx.fetchval("SELECT string_agg(data::text, '') FROM history")
    assert b"Secret" not in payload
    assert "Secret" not in data


async def test_the_tier_comes_from_what_intake_told_about_the_customer(tickets_database: Database) -> None:
    gold = customer_registered(tier="gold")
    request = request_received(customer_id=gold.customer_id)

    await take_in(tickets_database, gold, request)

    assert (await ticket(tickets_database, request.reference)).tier == "gold"


async def test_a_repeated_request_has_no_second_effect(tickets_database: Database) -> None:
    request = request_received()

    await take_in(tickets_database, request, request)
    await take_in(tickets_database, request)

    assert await numbers(tickets_database) == [request.reference]
    assert await types_told(tickets_database, request.reference) == ["ticket.opened.v1"]
    assert await count(tickets_database, "message") == 1


async def test_the_largest_legal_text_reaches_its_ticket(tickets_database: Database) -> None:
    request = await opened(tickets_database, text="\U0001f6e0" * 20_000, subject="洗衣机" * 2_000)

    async with tickets_database.transaction() as tx:
        (message,) = await views.messages(tx, request.reference, after=None, limit=10)
    assert message.text == request.text


async def test_a_batch_of_many_is_the_same_as_one_by_one(tickets_database: Database) -> None:
    requests = [request_received() for _ in range(50)]

    await take_in(tickets_database, *requests[:25])
    for request in requests[25:]:
        await take_in(tickets_database, request)

    assert await numbers(tickets_database) == sorted(request.reference for request in requests)
    assert await count(tickets_database, "timer") == 100


async def test_a_text_is_proved_by_its_digest_while_its_salt_is_kept(tickets_database: Database) -> None:
    request = await opened(tickets_database, text="It hums.")

    async with tickets_database.transaction() as tx:
        salt = await tx.fetchval("SELECT salt FROM message")
        (entry,) = await histories.history(tx, request.reference, after=0, limit=10)
    assert entry.data["digest"] == words.digest(salt, "It hums.")


# ------------------------------------------------------------------ joining


async def test_a_further_message_joins_and_its_number_becomes_an_alias(tickets_database: Database) -> None:
    first = await opened(tickets_database)
    second = follow_up(first, occurred_at=NOON + HOUR)
    third = follow_up(first, in_reply_to=second.reference, occurred_at=NOON + 2 * HOUR)

    await take_in(tickets_database, second, third)

    assert await numbers(tickets_database) == [first.reference]
    events = await told(tickets_database, first.reference)
    assert [event.reference for event in events if isinstance(event, TicketMessageAdded)] == [second.reference, third.reference]
    async with tickets_database.transaction() as tx:
        assert await desk.ticket_number(tx, third.reference) == first.reference
        assert [message.version for message in await views.messages(tx, first.reference, after=None, limit=10)] == [1, 2, 3]


async def test_a_request_and_its_further_message_may_come_in_one_batch(tickets_database: Database) -> None:
    first = request_received()

    await take_in(tickets_database, first, follow_up(first))

    assert (await ticket(tickets_database, first.reference)).version == 2


async def test_the_awaited_answer_resumes_and_moves_the_deadline(tickets_database: Database) -> None:
    first = await opened(tickets_database)
    await work(tickets_database, first.reference, Take(), Start(), Wait(Cause.CUSTOMER))
    assert set(await due(tickets_database, first.reference)) == {"first_response", "remind", "give_up"}

    await take_in(tickets_database, follow_up(first, occurred_at=NOON + 2 * HOUR))

    found = await ticket(tickets_database, first.reference)
    assert found.status is Status.IN_PROGRESS
    assert sla.due_at(found.resolution, found.changed_at) == NOON + 3 * DAY + 2 * HOUR
    assert (await types_told(tickets_database, first.reference))[-3:] == [
        "ticket.message_added.v1",
        "ticket.status_changed.v1",
        "sla.retargeted.v1",
    ]


async def test_a_further_message_fills_in_what_was_not_known_and_changes_nothing_that_was(tickets_database: Database) -> None:
    first = request_received(product=Product(model="KT-200"), subject=None)
    later = follow_up(first, product=Product(model="KT-300", serial_number="SN 4711", purchase_date="2026-03-01"), subject="Kettle")

    await take_in(tickets_database, first, later)
    await take_in(tickets_database, follow_up(first, product=Product(serial_number="SN 9"), subject="Pot"))

    async with tickets_database.transaction() as tx:
        row = await tx.fetchrow("SELECT product_named, serial_number, purchase_date, subject FROM ticket")
    assert row is not None
    assert tuple(row) == ("KT-200", "SN 4711", "2026-03-01", "Kettle")


async def test_a_reply_inside_the_window_reopens(tickets_database: Database) -> None:
    first = await opened(tickets_database)
    await work(tickets_database, first.reference, Take(), Start(), Resolve("repaired"))

    await take_in(tickets_database, follow_up(first, occurred_at=NOON + REOPEN_WINDOW))

    *_, reopened = await told(tickets_database, first.reference)
    assert isinstance(reopened, TicketReopened)
    assert (reopened.reason, reopened.episode, reopened.resolved_at) == ("customer_reply", 1, NOON)
    assert (await ticket(tickets_database, first.reference)).assignee == AGENT.id
    assert "close" not in await due(tickets_database, first.reference)


async def test_a_reply_after_the_window_opens_a_linked_ticket_and_the_next_reply_joins_that(tickets_database: Database) -> None:
    first = await opened(tickets_database)
    await work(tickets_database, first.reference, Take(), Resolve("repaired"))
    late = follow_up(first, occurred_at=NOON + REOPEN_WINDOW + HOUR)
    later = follow_up(first, occurred_at=NOON + REOPEN_WINDOW + 2 * HOUR)

    await take_in(tickets_database, late)
    await take_in(tickets_database, later)

    linked = f"{first.reference}-2"
    assert await numbers(tickets_database) == sorted([first.reference, linked])
    assert (await ticket(tickets_database, linked)).linked_to == first.reference
    assert await types_told(tickets_database, linked) == ["ticket.opened.v1", "ticket.message_added.v1"]
    async with tickets_database.transaction() as tx:
        assert await desk.ticket_number(tx, late.reference) == linked


async def test_each_linked_ticket_gets_the_next_number(tickets_database: Database) -> None:
    first = await opened(tickets_database)
    await work(tickets_database, first.reference, Cancel("withdrawn"))
    second, third = follow_up(first), follow_up(first)

    await take_in(tickets_database, second)
    await work(tickets_database, f"{first.reference}-2", Cancel("withdrawn"))
    await take_in(tickets_database, third)

    assert await numbers(tickets_database) == [first.reference, f"{first.reference}-2", f"{first.reference}-3"]


async def test_thanks_are_kept_on_a_closed_ticket_for_ever(tickets_database: Database) -> None:
    first = await opened(tickets_database)
    await work(tickets_database, first.reference, Take(), Resolve("repaired"))

    await take_in(tickets_database, follow_up(first, text="谢谢！", occurred_at=NOON + 30 * DAY))

    assert await numbers(tickets_database) == [first.reference]
    assert (await ticket(tickets_database, first.reference)).status is Status.RESOLVED


async def test_an_unknown_in_reply_to_opens_a_ticket_of_its_own(tickets_database: Database) -> None:
    request = await opened(tickets_database, in_reply_to=a_reference())

    assert await numbers(tickets_database) == [request.reference]


async def test_nobody_joins_the_ticket_of_another_customer(tickets_database: Database) -> None:
    first = await opened(tickets_database)
    stranger = follow_up(first, customer_id=uuid4())

    await take_in(tickets_database, stranger)

    assert await numbers(tickets_database) == sorted([first.reference, stranger.reference])
    assert (await ticket(tickets_database, first.reference)).version == 1


# ------------------------------------------------------------------ answers


async def resolved(database: Database) -> str:
    number = (await opened(database)).reference
    await work(database, number, Take(), Resolve("repaired"))
    return number


async def test_a_low_answer_reopens(tickets_database: Database) -> None:
    number = await resolved(tickets_database)

    await take_in(tickets_database, answer(number, overall=2))

    *_, event = await told(tickets_database, number)
    assert isinstance(event, TicketReopened)
    assert (event.reason, event.occurred_at) == ("low_answer", NOON + DAY)


async def test_a_yes_confirms(tickets_database: Database) -> None:
    number = await resolved(tickets_database)

    await take_in(tickets_database, answer(number, overall=5, solved="yes"))

    assert (await ticket(tickets_database, number)).status is Status.CONFIRMED
    assert (await types_told(tickets_database, number))[-1] == "ticket.confirmed.v1"


async def test_a_low_answer_after_the_window_opens_a_linked_ticket(tickets_database: Database) -> None:
    number = await resolved(tickets_database)

    await take_in(tickets_database, answer(number, solved="no", occurred_at=NOON + REOPEN_WINDOW + HOUR))

    linked = await ticket(tickets_database, f"{number}-2")
    (event,) = await told(tickets_database, linked.number)
    assert isinstance(event, TicketOpened)
    assert (event.request_id, event.linked_to, event.actor, linked.priority) == (None, number, "system", "high")


async def test_an_answer_about_an_unknown_ticket_is_an_error(tickets_database: Database) -> None:
    with pytest.raises(NotFound):
        await take_in(tickets_database, answer(a_reference()))


async def test_a_reply_and_a_low_answer_at_once_open_one_linked_ticket(tickets_database: Database) -> None:
    first = await opened(tickets_database)
    await work(tickets_database, first.reference, Take(), Resolve("repaired"))
    late = NOON + REOPEN_WINDOW + HOUR

    await asyncio.gather(
        take_in(tickets_database, follow_up(first, occurred_at=late)),
        take_in(tickets_database, answer(first.reference, overall=1, occurred_at=late)),
    )

    assert await numbers(tickets_database) == [first.reference, f"{first.reference}-2"]


@pytest.mark.parametrize("reply_first", [True, False])
async def test_a_late_reply_and_a_late_low_answer_are_one_matter(tickets_database: Database, reply_first: bool) -> None:
    first = await opened(tickets_database)
    await work(tickets_database, first.reference, Take(), Resolve("repaired"))
    late = NOON + REOPEN_WINDOW + HOUR
    both = [follow_up(first, occurred_at=late), answer(first.reference, overall=1, occurred_at=late)]

    for event in both if reply_first else reversed(both):
        await take_in(tickets_database, event)

    assert await numbers(tickets_database) == [first.reference, f"{first.reference}-2"]


# ------------------------------------------------------------------ what is stored is what was decided


async def test_the_stored_history_rebuilds_the_stored_ticket(tickets_database: Database) -> None:
    first = await opened(tickets_database, type=None)
    number = first.reference
    await work(tickets_database, number, Take("north"), Start(), Wait(Cause.CUSTOMER), at=NOON + HOUR)
    await take_in(tickets_database, follow_up(first, occurred_at=NOON + 5 * HOUR))
    await work(tickets_database, number, Letter("We come tomorrow."), Wait(Cause.PARTS), at=NOON + 6 * HOUR)
    await work(tickets_database, number, Resolve("repaired"), Confirm(), at=NOON + 4 * DAY, by=LEAD)
    await take_in(tickets_database, answer(number, solved="no", occurred_at=NOON + 5 * DAY))

    stored = await ticket(tickets_database, number)
    async with tickets_database.transaction() as tx:
        history = await views.changes(tx, number)
    assert replay(history) == stored
    assert stored.version == len(history)
    assert await due(tickets_database, number) == deadlines(stored)


async def test_a_customers_tier_is_the_newest_that_was_told(tickets_database: Database) -> None:
    customer_id: UUID = uuid4()
    await take_in(tickets_database, customer_registered(customer_id=customer_id, tier="silver"))
    await take_in(tickets_database, customer_registered(customer_id=customer_id, tier="gold"))

    async with tickets_database.transaction() as tx:
        assert await words.tiers(tx, {customer_id, uuid4()}) == {customer_id: "gold"}


async def test_a_time_of_the_future_starts_nothing_early(tickets_database: Database) -> None:
    ahead = await opened(tickets_database, occurred_at=NOON + timedelta(minutes=4))

    assert sla.due_at((await ticket(tickets_database, ahead.reference)).first_response, NOON) == NOON + timedelta(minutes=4) + 4 * HOUR
