"""The customer's view: three ways of proof, the lock, and what he sees."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any, Final
from uuid import uuid4

import httpx
import orjson
import pytest

from services.tickets.app import create_app
from services.tickets.handlers.visits import LOCK, WRONG_TRIES
from services.tickets.proof import Tracking
from services.tickets.settings import TicketsSettings
from shared import clock
from shared.auth import Role
from shared.events.intake import CustomerMerged
from shared.events.notification import TicketNotificationRequested
from shared.events.proof import proof
from shared.runtime import Runtime
from tests.tickets.builders import a_reference, customer_registered, request_received
from tests.tickets.calls import RESOLVE, act, must, opened
from tests.tickets.conftest import Door
from tests.tickets.observation import take_in, ticket
from tests.tickets.observation import told as told_events

pytestmark = [pytest.mark.postgres, pytest.mark.api]

KEY: Final = b"k" * 40
TRACKING: Final = Tracking(KEY, "http://127.0.0.1:8002")
MAIL: Final = "li.wei@example.com"


async def proved(door: Door, **changes: Any) -> str:
    """A ticket whose customer gave a phone number that ends in 8000, and an address."""
    reference = a_reference()
    proofs = tuple(str(proof(KEY, reference, text)) for text in ("+86 138 0013 8000", MAIL))
    return await opened(door, reference=reference, proofs=proofs, **changes)


async def tried(door: Door, reference: str, given: str) -> httpx.Response:
    return await door.client().get(f"/v1/track/{reference}", headers={"Tracking-Proof": given})


def told(answer: httpx.Response) -> dict[str, Any]:
    """An answer without what is different each time."""
    return {name: value for name, value in answer.json().items() if name not in {"instance", "request_id"}}


# ------------------------------------------------------------------ three ways


@pytest.mark.parametrize("given", ["8000", "138 0013 8000", "+86-138-0013-8000", MAIL, " Li.Wei@EXAMPLE.com "])
async def test_the_end_of_the_phone_number_or_the_address_opens_it(door: Door, given: str) -> None:
    number = await proved(door)

    answer = await tried(door, number.lower(), given)

    assert (answer.status_code, answer.json()["number"]) == (200, number)


@pytest.mark.parametrize("given", ["8001", "000", "li.wei@example.org", "@", "", "8000@"])
async def test_anything_else_does_not(door: Door, given: str) -> None:
    assert (await tried(door, await proved(door), given)).status_code == 404


async def test_our_link_opens_it_until_it_ends(door: Door) -> None:
    number = await proved(door)
    link = TRACKING.link(number, clock.now())
    old = TRACKING.link(number, clock.now() - timedelta(days=31))

    answers = [await door.client().get(f"/v1/track/{number}?t={each.partition('?t=')[2]}") for each in (link, old)]

    assert [answer.status_code for answer in answers] == [200, 404]


async def test_a_link_opens_no_other_request_and_no_altered_one_anything(door: Door) -> None:
    number, other = await proved(door), await proved(door)
    token = TRACKING.token(number, clock.now() + timedelta(days=1))

    for reference, given in [(other, token), (number, token[:-1]), (number, "B" + token[1:]), (number, "é"), (number, "====")]:
        assert (await door.client().get(f"/v1/track/{reference}", params={"t": given})).status_code == 404


async def test_his_own_key_opens_it_also_when_it_was_given_to_another_file_of_his(door: Door) -> None:
    first, second = uuid4(), uuid4()
    number = await proved(door, customer_id=first)
    customer = await door.caller(Role.CUSTOMER, str(second))
    before = await customer.get(f"/v1/track/{number}")
    await take_in(door.database, CustomerMerged(occurred_at=clock.now(), customer_id=first, into_customer_id=second, actor="agent-1"))

    after = await customer.get(f"/v1/track/{number}")

    assert (before.status_code, after.status_code) == (404, 200)


async def test_a_message_that_joined_is_proved_by_what_was_given_with_either(door: Door) -> None:
    first = request_received(occurred_at=clock.now())
    second = request_received(
        customer_id=first.customer_id, in_reply_to=first.reference, occurred_at=clock.now(), reference=(reference := a_reference())
    ).model_copy(update={"proofs": (str(proof(KEY, reference, MAIL)),)})
    await take_in(door.database, first, second)

    for number in (first.reference, second.reference):
        answer = await tried(door, number, MAIL)
        assert (answer.status_code, answer.json()["number"]) == (200, first.reference)


async def test_a_key_that_does_not_hold_is_told_so_before_anything_else(door: Door) -> None:
    stranger = door.client(Authorization="Bearer ak_local_abcd_" + "x" * 43)

    answers = [await stranger.get(f"/v1/track/{reference}") for reference in (await proved(door), a_reference())]

    assert [answer.status_code for answer in answers] == [401, 401]


@pytest.mark.parametrize("role", [Role.AGENT, Role.OPS, Role.FINANCE, Role.BOT])
async def test_no_other_key_than_the_customers_opens_it(door: Door, role: Role) -> None:
    number = await proved(door)

    assert (await (await door.caller(role)).get(f"/v1/track/{number}")).status_code == 404


# ------------------------------------------------------------------ the lock


async def test_ten_wrong_tries_lock_it_also_for_the_right_one_and_after_a_restart(door: Door) -> None:
    number = await proved(door)
    wrong = [await tried(door, number, "1111") for _ in range(WRONG_TRIES)]

    right = await tried(door, number, "8000")

    values: dict[str, Any] = {"database_url": "postgresql://not-used/", "signing_key": "k" * 40}
    restarted = Door(create_app(Runtime.for_tests(door.database, TicketsSettings(**values))), door.database)
    again = await tried(restarted, number, "8000")
    assert {answer.status_code for answer in wrong} == {404}
    assert (right.status_code, right.json()["code"], again.status_code) == (429, "tracking_locked", 429)
    assert 0 < int(right.headers["Retry-After"]) <= LOCK.total_seconds() + 1
    await restarted.clients[0].aclose()


async def test_the_lock_ends_after_an_hour(door: Door) -> None:
    number = await proved(door)
    for _ in range(WRONG_TRIES + 3):
        await tried(door, number, "1111")
    async with door.database.transaction() as tx:
        await tx.execute("UPDATE tracking_try SET last_at = last_at - $1::interval", LOCK + timedelta(seconds=1))

    assert (await tried(door, number, "8000")).status_code == 200


async def test_a_right_try_forgives_the_wrong_ones(door: Door) -> None:
    number = await proved(door)

    for _ in range(3):
        for _ in range(WRONG_TRIES - 1):
            await tried(door, number, "1111")
        assert (await tried(door, number, "8000")).status_code == 200


async def test_tries_at_the_same_moment_are_counted_one_by_one(door: Door) -> None:
    number = await proved(door)

    answers = await asyncio.gather(*(tried(door, number, "1111") for _ in range(30)))

    assert sorted(answer.status_code for answer in answers) == [404] * WRONG_TRIES + [429] * 20


async def test_a_lock_shuts_nobody_out_who_has_his_key_or_our_link(door: Door) -> None:
    customer_id = uuid4()
    number = await proved(door, customer_id=customer_id)
    for _ in range(WRONG_TRIES + 1):
        await tried(door, number, "1111")
    customer = await door.caller(Role.CUSTOMER, str(customer_id))

    by_key = await customer.get(f"/v1/track/{number}")
    by_link = await door.client().get(f"/v1/track/{number}?t={TRACKING.token(number, clock.now() + timedelta(days=1))}")

    assert (by_key.status_code, by_link.status_code) == (200, 200)


async def test_a_number_that_nobody_was_given_looks_and_locks_the_same(door: Door) -> None:
    number, unknown = await proved(door), a_reference()

    for _ in range(WRONG_TRIES):
        assert told(await tried(door, number, "1111")) == told(await tried(door, unknown, "1111"))
    codes = [(answer.status_code, answer.json()["code"]) for answer in (await tried(door, number, "1"), await tried(door, unknown, "1"))]
    assert codes == [(429, "tracking_locked")] * 2


async def test_tries_for_numbers_of_nobody_do_not_pile_up(door: Door) -> None:
    async with door.database.transaction() as tx:
        await tx.execute("INSERT INTO tracking_try SELECT 'X' || i, 1, now() - interval '2 hours' FROM generate_series(1, 30) i")

    for _ in range(2):
        await tried(door, a_reference(), "1111")

    async with door.database.transaction() as tx:
        assert await tx.fetchval("SELECT count(*) FROM tracking_try WHERE reference LIKE 'X%'") == 0


# ------------------------------------------------------------------ what he sees


async def test_he_reads_how_it_stands_in_his_language_and_no_word_of_ours(door: Door, agent: httpx.AsyncClient) -> None:
    number = await proved(door, locale="zh-TW", text="它在響。")
    await must(agent, number, ("take", {}), ("start", {}), ("step", {"step": "diagnosed"}))
    await must(agent, number, ("note", {"text": "internal words"}), ("reply", {"text": "哪一款?"}), ("wait", {"on": "customer"}))
    link = f"/v1/track/{number}?t={TRACKING.token(number, clock.now() + timedelta(days=1))}"

    body = (await door.client().get(link)).json()
    english = (await door.client().get(link, headers={"Accept-Language": "en"})).json()

    assert (body["status_text"], body["step_text"], body["locale"]) == ("我們在等待您的回覆。", "已檢測故障", "zh-TW")
    assert (english["status_text"], english["expected"]["code"]) == ("We are waiting for your answer.", "answer")
    assert "before" in english["expected"]["text"]
    assert [message["text"] for message in body["messages"]] == ["它在響。", "哪一款?"]
    raw = orjson.dumps(body).decode()
    assert "agent-1" not in raw
    assert "internal" not in raw


async def test_who_only_told_something_does_not_read_what_the_customer_wrote(door: Door, agent: httpx.AsyncClient) -> None:
    number = await proved(door, text="My address is 1 High Street.")
    await must(agent, number, ("reply", {"text": "We come tomorrow."}))

    body = (await tried(door, number, "8000")).json()

    assert [message["text"] for message in body["messages"]] == ["We come tomorrow."]


async def test_a_merged_request_shows_how_the_other_one_stands(door: Door, agent: httpx.AsyncClient) -> None:
    customer_id = uuid4()
    child = await proved(door, customer_id=customer_id, type="enquiry")
    root = await opened(door, customer_id=customer_id)
    await must(agent, child, ("merge", {"into": root}))
    await must(agent, root, *RESOLVE)

    body = (await tried(door, child, "8000")).json()

    assert (body["reference"], body["number"], body["status"], body["expected"]["code"]) == (child, root, "resolved", "check")


async def test_the_link_that_a_message_brings_opens_the_page(door: Door, agent: httpx.AsyncClient) -> None:
    customer = customer_registered()
    await take_in(door.database, customer)
    number = await opened(door, customer_id=customer.customer_id)
    await must(agent, number, ("take", {}), ("start", {}))

    (event,) = [e for e in await told_events(door.database, str(customer.customer_id)) if isinstance(e, TicketNotificationRequested)]

    assert (event.kind, event.data, event.ticket_number) == ("ticket_status", {"status": "in_progress"}, number)
    assert event.link is not None
    assert event.link.startswith(f"http://127.0.0.1:8002/track/{number}?t=")
    assert (await door.client().get(event.link.removeprefix("http://127.0.0.1:8002"))).status_code == 200


# ------------------------------------------------------------------ the page


async def test_the_page_asks_for_a_proof_and_then_shows_how_it_stands(door: Door, agent: httpx.AsyncClient) -> None:
    number = await proved(door, locale="en", subject="<b>", text="<script>alert(1)</script>")
    await must(agent, number, ("reply", {"text": "<i>We</i> come & look."}))
    visitor = door.client()

    asked = await visitor.get(f"/track/{number}?lang=en")
    wrong = await visitor.post(f"/track/{number}?lang=en", data={"proof": "1111"})
    right = await visitor.post(f"/track/{number}?lang=en", data={"proof": "8000"})
    shown = await visitor.get(f"/track/{right.headers['Location']}")

    assert (asked.status_code, wrong.status_code, right.status_code, shown.status_code) == (200, 404, 303, 200)
    assert "Last 4 digits of your phone number" in asked.text
    assert "does not match" in wrong.text
    assert "&lt;i&gt;We&lt;/i&gt; come &amp; look." in shown.text
    assert "<script" not in shown.text
    assert "default-src 'none'" in shown.headers["Content-Security-Policy"]
    assert (shown.headers["Referrer-Policy"], shown.headers["Cache-Control"]) == ("no-referrer", "no-store")


async def test_the_page_looks_the_same_for_a_number_of_nobody(door: Door) -> None:
    number, unknown = await proved(door), a_reference()
    visitor = door.client()

    pages = [(await visitor.get(f"/track/{each}")).text.replace(each, "N") for each in (number, unknown)]
    refusals = [(await visitor.post(f"/track/{each}", data={"proof": "1"})).text.replace(each, "N") for each in (number, unknown)]

    assert pages[0] == pages[1]
    assert refusals[0] == refusals[1]


@pytest.mark.parametrize(("language", "words"), [("zh-CN", "服务进度查询"), ("zh-TW", "服務進度查詢"), ("en", "How your request stands")])
async def test_the_page_speaks_three_languages(door: Door, language: str, words: str) -> None:
    answer = await door.client().get(f"/track/{a_reference()}", headers={"Accept-Language": language})

    assert words in answer.text
    assert answer.headers["Content-Language"] == language


async def test_a_locked_page_says_when_to_try_again(door: Door) -> None:
    number = await proved(door)
    visitor = door.client()
    for _ in range(WRONG_TRIES):
        await visitor.post(f"/track/{number}", data={"proof": "1111"})

    locked = await visitor.post(f"/track/{number}?lang=en", data={"proof": "8000"})

    assert (locked.status_code, "too many wrong tries" in locked.text, int(locked.headers["Retry-After"]) > 0) == (429, True, True)


async def test_an_old_link_leads_to_the_form(door: Door) -> None:
    number = await proved(door)

    answer = await door.client().get(f"/track/{number}", params={"t": "x", "lang": "en"})

    assert (answer.status_code, "The link has expired" in answer.text, 'name="proof"' in answer.text) == (200, True, True)


async def test_looking_changes_nothing(door: Door) -> None:
    number = await proved(door)

    await tried(door, number, "8000")

    assert (await ticket(door.database, number)).version == 1
    assert (await act(await door.caller(Role.AGENT), number, "take", version=1)).status_code == 200
