"""Same thing? The rules in their order, first as decisions, then on real PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import pytest

from services.tickets.handlers import desk
from services.tickets.matching import Arrival, Case, Reason, key, match
from services.tickets.workflow.commands import Cancel, Command, Letter, Resolve, Take
from services.tickets.workflow.status import Status
from services.tickets.workflow.ticket import REOPEN_WINDOW
from shared.database import Database
from shared.events.intake import Consents, CustomerGraded, CustomerMerged, CustomerUnmerged, CustomerUpdated, Product, RequestReceived
from shared.events.tickets import TicketMessageAdded
from tests.tickets.builders import AGENT, DAY, HOUR, NOON, customer_registered, request_received
from tests.tickets.observation import count, numbers, take_in, ticket, told

ME: Final = UUID(int=1)
OTHER: Final = UUID(int=2)
SECOND: Final = timedelta(seconds=1)


def arrival(**changes: Any) -> Arrival:
    given: dict[str, Any] = {
        "persons": frozenset({ME}), "channel": "chat", "at": NOON, "type": None, "serial": None, "order": None, "names_product": False,
        "only_thanks": False,
    }  # fmt: skip
    return Arrival(**(given | changes))


def case(number: str = "AS-1", **changes: Any) -> Case:
    given: dict[str, Any] = {
        "customer_id": ME, "is_open": True, "type": "repair", "serial": "SN1", "order": "O1", "opened_at": NOON - 3 * HOUR,
        "last_channel": "chat", "last_at": NOON - HOUR,
    }  # fmt: skip
    return Case(number, **(given | changes))


def found(given: Arrival, *cases: Case) -> tuple[str, Reason] | None:
    result = match(given, cases)
    return None if result is None else (result.number, result.reason)


# ------------------------------------------------------------------ decisions


@pytest.mark.pure
def test_the_rules_hold_in_their_order() -> None:
    cases = [
        case("AS-reply", last_channel="web"),
        case("AS-talk", is_open=False),
        case("AS-product"),
        case("AS-chat", serial="X", order=None),
    ]
    everything = arrival(reply_to="AS-reply", conversation="AS-talk", type="repair", serial="SN1", only_thanks=True)

    assert found(everything, *cases) == ("AS-reply", Reason.IN_REPLY_TO)
    assert found(replace(everything, reply_to=None), *cases) == ("AS-talk", Reason.CONVERSATION)
    assert found(replace(everything, reply_to=None, conversation=None), *cases) == ("AS-reply", Reason.PRODUCT)
    assert found(arrival(), cases[3]) == ("AS-chat", Reason.CHANNEL)
    assert found(arrival(only_thanks=True, channel="web"), cases[1]) == ("AS-talk", Reason.THANKS)
    assert found(arrival(channel="web"), *cases) is None


@pytest.mark.pure
def test_a_reply_to_a_merged_ticket_says_so() -> None:
    assert found(arrival(reply_to="AS-1", reply_was_merged=True), case()) == ("AS-1", Reason.MERGED)


@pytest.mark.pure
@pytest.mark.parametrize(
    "rule", [{"reply_to": "AS-1"}, {"conversation": "AS-1"}, {"type": "repair", "serial": "SN1"}, {}, {"only_thanks": True}]
)
def test_no_rule_finds_the_ticket_of_another_customer(rule: dict[str, Any]) -> None:
    assert found(arrival(**rule), case(customer_id=OTHER)) is None


@pytest.mark.pure
@pytest.mark.parametrize(
    ("given", "joins"),
    [
        ({"type": "repair", "serial": "SN1"}, True),
        ({"type": "repair", "order": "O1"}, True),
        ({"type": "repair", "serial": "SN2", "order": "O1"}, True),
        ({"type": "complaint", "serial": "SN1"}, False),
        ({"type": None, "serial": "SN1"}, False),
        ({"type": "repair", "serial": "SN2"}, False),
        ({"type": "repair"}, False),
    ],
)
def test_the_same_product_is_the_same_type_and_number(given: dict[str, Any], joins: bool) -> None:
    assert (found(arrival(channel="web", names_product=True, **given), case()) is not None) == joins


@pytest.mark.pure
def test_only_open_tickets_are_about_the_same_product_or_talk() -> None:
    assert found(arrival(channel="web", type="repair", serial="SN1"), case(is_open=False)) is None
    assert found(arrival(), case(is_open=False)) is None


@pytest.mark.pure
@pytest.mark.parametrize(
    ("given", "of_case", "joins"),
    [
        ({}, {}, True),
        ({"at": NOON - HOUR + DAY}, {}, True),
        ({"at": NOON - HOUR + DAY + SECOND}, {}, False),
        ({"names_product": True}, {}, False),
        ({"channel": "web"}, {"last_channel": "web"}, False),
        ({"channel": "email"}, {"last_channel": "email"}, False),
        ({"channel": "phone"}, {}, False),
        ({"channel": "phone"}, {"last_channel": "phone"}, True),
        ({"channel": "wechat"}, {"last_channel": "wechat"}, True),
    ],
)
def test_a_talk_goes_on_for_a_day_on_its_channel(given: dict[str, Any], of_case: dict[str, Any], joins: bool) -> None:
    assert (found(arrival(**given), case(**of_case)) is not None) == joins


@pytest.mark.pure
def test_of_several_the_newest_product_and_the_last_talk_count() -> None:
    older = case("AS-a", opened_at=NOON - 5 * HOUR, last_at=NOON - HOUR)
    newer = case("AS-b", opened_at=NOON - 2 * HOUR, last_at=NOON - 2 * HOUR)

    assert found(arrival(type="repair", serial="SN1"), older, newer) == ("AS-b", Reason.PRODUCT)
    assert found(arrival(), older, newer) == ("AS-a", Reason.CHANNEL)


@pytest.mark.pure
def test_praise_is_no_mere_thanks() -> None:
    assert found(arrival(only_thanks=True, type="praise", channel="web"), case(is_open=False)) is None


@pytest.mark.pure
@pytest.mark.parametrize("written", ["sn-88 141", "SN88141", "ＳＮ８８１４１", " sn/88.141 "])
def test_numbers_are_compared_as_people_write_them(written: str) -> None:
    assert key(written) == "SN88141"


@pytest.mark.pure
@pytest.mark.parametrize("nothing", [None, "", " - "])
def test_marks_alone_are_no_number(nothing: str | None) -> None:
    assert key(nothing) is None


# ------------------------------------------------------------------ on real PostgreSQL


def chat(customer_id: UUID, **changes: Any) -> RequestReceived:
    return request_received(**({"customer_id": customer_id, "channel": "chat", "type": None, "product": None} | changes))


async def work(database: Database, number: str, *commands: Command | Letter, at: datetime = NOON) -> None:
    for command in commands:
        seen = await ticket(database, number)
        async with database.transaction() as tx:
            await desk.act(tx, number, command, by=AGENT, version=seen.version, at=at)


async def reasons(database: Database, number: str) -> list[str | None]:
    return [event.matched_by for event in await told(database, number) if isinstance(event, TicketMessageAdded)]


@pytest.mark.postgres
@pytest.mark.parametrize("together", [True, False])
async def test_two_first_messages_of_one_customer_are_one_ticket(tickets_database: Database, together: bool) -> None:
    me = uuid4()
    first, second = chat(me), chat(me, text="And it leaks.", occurred_at=NOON + timedelta(minutes=1))

    if together:
        await take_in(tickets_database, first, second)
    else:
        await take_in(tickets_database, first)
        await take_in(tickets_database, second)

    assert await numbers(tickets_database) == [first.reference]
    assert await count(tickets_database, "message") == 2
    assert await reasons(tickets_database, first.reference) == ["channel"]
    async with tickets_database.transaction() as tx:
        assert await desk.ticket_number(tx, second.reference) == first.reference


@pytest.mark.postgres
async def test_the_same_serial_number_joins_across_channels(tickets_database: Database) -> None:
    me = uuid4()
    first = request_received(customer_id=me, channel="web", product=Product(serial_number="SN-88 141"))
    second = request_received(customer_id=me, channel="wechat", product=Product(serial_number="sn88141"), occurred_at=NOON + 9 * DAY)
    other = request_received(customer_id=me, channel="web", product=Product(serial_number="SN-2"))

    await take_in(tickets_database, first)
    await take_in(tickets_database, second, other)

    assert await numbers(tickets_database) == sorted([first.reference, other.reference])
    assert await reasons(tickets_database, first.reference) == ["product"]


@pytest.mark.postgres
async def test_a_resolved_ticket_takes_no_new_problem_with_the_same_thing(tickets_database: Database) -> None:
    me = uuid4()
    first, second = request_received(customer_id=me), request_received(customer_id=me, occurred_at=NOON + HOUR)
    await take_in(tickets_database, first)
    await work(tickets_database, first.reference, Take(), Resolve("repaired"))

    await take_in(tickets_database, second)

    assert await numbers(tickets_database) == sorted([first.reference, second.reference])
    assert (await ticket(tickets_database, first.reference)).status is Status.RESOLVED


@pytest.mark.postgres
async def test_the_same_conversation_goes_on_and_reopens(tickets_database: Database) -> None:
    me = uuid4()
    first = chat(me, conversation_id="c-1", channel="email")
    await take_in(tickets_database, first)
    await work(tickets_database, first.reference, Take(), Resolve("answered"))

    await take_in(tickets_database, chat(me, conversation_id="c-1", channel="email", occurred_at=NOON + DAY))

    found_now = await ticket(tickets_database, first.reference)
    assert (found_now.status, await reasons(tickets_database, first.reference)) == (Status.ASSIGNED, ["conversation"])


@pytest.mark.postgres
async def test_a_conversation_after_the_window_goes_on_in_a_linked_ticket(tickets_database: Database) -> None:
    me, late = uuid4(), NOON + REOPEN_WINDOW + HOUR
    first = chat(me, conversation_id="c-1", channel="email")
    await take_in(tickets_database, first)
    await work(tickets_database, first.reference, Take(), Resolve("answered"))

    await take_in(tickets_database, chat(me, conversation_id="c-1", channel="email", occurred_at=late))
    await take_in(tickets_database, chat(me, conversation_id="c-1", channel="email", occurred_at=late + HOUR))

    linked = f"{first.reference}-2"
    assert await numbers(tickets_database) == [first.reference, linked]
    assert await reasons(tickets_database, linked) == ["conversation"]


@pytest.mark.postgres
async def test_a_conversation_is_that_of_its_channel_and_customer(tickets_database: Database) -> None:
    me = uuid4()
    first = chat(me, conversation_id="c-1", channel="email")

    await take_in(tickets_database, first)
    await take_in(
        tickets_database, chat(uuid4(), conversation_id="c-1", channel="email"), chat(me, conversation_id="c-1", channel="community")
    )

    assert await count(tickets_database, "ticket") == 3


@pytest.mark.postgres
async def test_thanks_without_a_word_of_what_for_are_kept_on_the_last_ticket(tickets_database: Database) -> None:
    me = uuid4()
    first = request_received(customer_id=me)
    await take_in(tickets_database, first)
    await work(tickets_database, first.reference, Take(), Resolve("repaired"))

    await take_in(tickets_database, request_received(customer_id=me, type=None, product=None, text="谢谢！", occurred_at=NOON + 30 * DAY))

    assert await numbers(tickets_database) == [first.reference]
    (event,) = [event for event in await told(tickets_database, first.reference) if isinstance(event, TicketMessageAdded)]
    assert (event.thanks, event.matched_by) == (True, "thanks")
    assert (await ticket(tickets_database, first.reference)).status is Status.RESOLVED


@pytest.mark.postgres
async def test_thanks_of_somebody_new_are_not_lost(tickets_database: Database) -> None:
    request = request_received(type=None, product=None, text="Thank you!")

    await take_in(tickets_database, request)

    assert await numbers(tickets_database) == [request.reference]


@pytest.mark.postgres
async def test_two_files_of_one_person_are_one_customer_until_they_are_parted(tickets_database: Database) -> None:
    first_id, second_id, third_id = uuid4(), uuid4(), uuid4()
    await take_in(tickets_database, chat(first_id))
    merged = [
        CustomerMerged(occurred_at=NOON, customer_id=first_id, into_customer_id=second_id, actor="agent-1"),
        CustomerMerged(occurred_at=NOON, customer_id=second_id, into_customer_id=third_id, actor="agent-1"),
    ]
    await take_in(tickets_database, *merged, chat(third_id, occurred_at=NOON + HOUR))
    assert await count(tickets_database, "ticket") == 1

    await take_in(tickets_database, CustomerUnmerged(occurred_at=NOON, customer_id=first_id, from_customer_id=second_id, actor="agent-1"))
    await take_in(tickets_database, chat(third_id, occurred_at=NOON + 2 * HOUR))

    assert await count(tickets_database, "ticket") == 2
    assert (await ticket(tickets_database, (await numbers(tickets_database))[0])).customer_id in {first_id, third_id}


@pytest.mark.postgres
async def test_a_cancelled_ticket_takes_nothing_and_a_reply_to_it_goes_on_in_a_linked_one(tickets_database: Database) -> None:
    me = uuid4()
    first = chat(me)
    await take_in(tickets_database, first)
    await work(tickets_database, first.reference, Cancel("withdrawn"))

    await take_in(tickets_database, chat(me, occurred_at=NOON + HOUR))
    await take_in(tickets_database, chat(me, in_reply_to=first.reference, occurred_at=NOON + 2 * HOUR))

    assert f"{first.reference}-2" in await numbers(tickets_database)
    assert await count(tickets_database, "ticket") == 3


@pytest.mark.postgres
async def test_a_batch_of_many_talks_is_the_same_as_one_by_one(tickets_database: Database) -> None:
    talks = [
        [chat(customer, occurred_at=NOON + minute * timedelta(minutes=1)) for minute in range(3)]
        for customer in (uuid4() for _ in range(20))
    ]
    in_turn = [talk[place] for place in range(3) for talk in talks]

    await take_in(tickets_database, *in_turn[:35])
    await take_in(tickets_database, *in_turn[35:])

    assert await numbers(tickets_database) == sorted(talk[0].reference for talk in talks)
    assert await count(tickets_database, "message") == 60


# ------------------------------------------------------------------ what is kept of customers


@pytest.mark.postgres
async def test_language_and_tier_are_the_newest_that_intake_told(tickets_database: Database) -> None:
    me = uuid4()
    updated = CustomerUpdated(occurred_at=NOON, customer_id=me, version=2, locale="en", tier="gold", consents=Consents())
    graded = CustomerGraded(occurred_at=NOON, customer_id=me, tier="vip", previous_tier="gold", reason="value", actor="lead-1")
    await take_in(tickets_database, customer_registered(customer_id=me), updated)
    await take_in(tickets_database, graded)

    request = request_received(customer_id=me)
    await take_in(tickets_database, request)

    assert (await ticket(tickets_database, request.reference)).tier == "vip"
    async with tickets_database.transaction() as tx:
        assert await tx.fetchval("SELECT locale FROM customer WHERE id = $1", me) == "en"
