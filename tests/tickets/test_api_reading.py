"""The REST door for reading: tickets, history, messages, lists, the customer's view."""

from __future__ import annotations

from uuid import uuid4

import httpx
import orjson
import pytest

from shared import clock
from shared.auth import Role
from shared.events.notification import TicketNotificationRequested
from tests.tickets.builders import HOUR, a_reference, request_received
from tests.tickets.calls import RESOLVE, act, must, opened
from tests.tickets.conftest import Door
from tests.tickets.observation import take_in, told, types_told

pytestmark = [pytest.mark.postgres, pytest.mark.api]


async def test_a_ticket_shows_what_others_rely_on(door: Door, agent: httpx.AsyncClient) -> None:
    number = await opened(door, subject="No spin", type="complaint")

    answer = await agent.get(f"/v1/tickets/{number}")

    body = answer.json()
    assert answer.headers["ETag"] == '"1"'
    assert (body["number"], body["version"], body["status"], body["priority"], body["type"]) == (number, 1, "new", "high", "complaint")
    assert (body["subject"], body["channel"], body["assignee"], body["team"], body["step"]) == ("No spin", "web", None, None, None)
    assert body["sla"]["first_response"]["state"] == "running"
    assert body["product"] == {"model": "WM-8000", "serial_number": "SN-1", "purchase_date": None, "order_number": None}


async def test_an_alias_answers_as_its_ticket(door: Door, agent: httpx.AsyncClient) -> None:
    first = request_received(occurred_at=clock.now())
    further = request_received(customer_id=first.customer_id, in_reply_to=first.reference, occurred_at=clock.now())
    await take_in(door.database, first, further)

    answer = await agent.get(f"/v1/tickets/{further.reference}")
    acted = await act(agent, further.reference, "take", version=2)

    assert answer.json()["number"] == first.reference
    assert (acted.status_code, acted.json()["number"]) == (200, first.reference)


async def test_a_ticket_is_worked_to_resolved(door: Door, agent: httpx.AsyncClient) -> None:
    number = await opened(door)

    body = await must(
        agent,
        number,
        ("triage", {"priority": "high", "category": "hardware", "root_topic": "drum"}),
        ("take", {"team": "north"}),
        ("start", {}),
        ("wait", {"on": "parts", "reason": "back_order"}),
        ("resume", {}),
        ("reply", {"text": "A new drum is on its way."}),
        ("resolve", {"resolution_code": "replaced"}),
        ("confirm", {}),
    )

    assert (body["status"], body["version"], body["assignee"], body["team"]) == ("confirmed", 9, "agent-1", "north")
    assert (body["category"], body["resolution_code"], body["sla"]["resolution"]["state"]) == ("hardware", "replaced", "met")
    assert await types_told(door.database, number) == [
        "ticket.opened.v1",
        "ticket.triaged.v1",
        "sla.retargeted.v1",
        "sla.retargeted.v1",
        "ticket.assigned.v1",
        "ticket.status_changed.v1",
        "ticket.status_changed.v1",
        "ticket.status_changed.v1",
        "ticket.replied.v1",
        "sla.met.v1",
        "ticket.resolved.v1",
        "ticket.confirmed.v1",
    ]


async def test_history_is_in_order_and_pages(door: Door, agent: httpx.AsyncClient) -> None:
    number = await opened(door)
    await must(agent, number, *RESOLVE)

    first = (await agent.get(f"/v1/tickets/{number}/history?limit=3")).json()
    second = (await agent.get(f"/v1/tickets/{number}/history?limit=3&cursor={first['next_cursor']}")).json()

    entries = first["items"] + second["items"]
    assert [entry["version"] for entry in entries] == [1, 2, 3, 4]
    assert [entry["type"] for entry in entries] == ["ticket.opened", "ticket.assigned", "ticket.status_changed", "ticket.resolved"]
    assert (entries[1]["actor"], second["next_cursor"]) == ("agent-1", None)


async def test_messages_hold_what_was_written(door: Door, agent: httpx.AsyncClient) -> None:
    number = await opened(door, text="It hums.")
    await must(agent, number, ("reply", {"text": "Which model?"}), ("reply", {"text": "Looks like the drum.", "public": False}))

    items = (await agent.get(f"/v1/tickets/{number}/messages")).json()["items"]

    assert [(item["text"], item["author"], item["public"]) for item in items] == [
        ("It hums.", "customer", True),
        ("Which model?", "agent-1", True),
        ("Looks like the drum.", "agent-1", False),
    ]


async def test_a_reply_goes_to_the_customer_and_a_note_does_not(door: Door, agent: httpx.AsyncClient) -> None:
    customer_id = uuid4()
    number = await opened(door, customer_id=customer_id, locale="zh-CN")

    await must(agent, number, ("reply", {"text": "internal", "public": False}), ("reply", {"text": "我们明天到。"}))

    (event,) = await told(door.database, str(customer_id))
    assert isinstance(event, TicketNotificationRequested)
    assert (event.kind, event.text, event.locale, event.ticket_number) == ("ticket_reply", "我们明天到。", "zh-CN", number)


async def test_what_may_be_done_now_comes_with_its_schema(door: Door, agent: httpx.AsyncClient, lead: httpx.AsyncClient) -> None:
    number = await opened(door)

    items = (await agent.get(f"/v1/tickets/{number}/actions")).json()["items"]
    await must(agent, number, *RESOLVE)
    for_agent = (await agent.get(f"/v1/tickets/{number}/actions")).json()["items"]
    for_lead = (await lead.get(f"/v1/tickets/{number}/actions")).json()["items"]

    assert [item["action"] for item in items] == ["triage", "take", "reply", "cancel", "note", "merge", "link", "unlink", "escalate"]
    assert items[0]["params_schema"]["required"] == ["priority"]
    assert [item["action"] for item in for_agent] == ["confirm", "reopen", "note", "link", "unlink"]
    assert [item["action"] for item in for_lead] == ["confirm", "close", "reopen", "note", "link", "unlink"]


async def listed(caller: httpx.AsyncClient, query: str = "") -> list[str]:
    answer = await caller.get(f"/v1/tickets?{query}")
    assert answer.status_code == 200, answer.text
    return [item["number"] for item in answer.json()["items"]]


async def test_pages_hold_each_ticket_once_newest_first(door: Door, agent: httpx.AsyncClient) -> None:
    requests = [request_received(occurred_at=clock.now() - HOUR * (i // 2)) for i in range(7)]
    await take_in(door.database, *requests)
    expected = [r.reference for r in sorted(requests, key=lambda r: (r.occurred_at, r.reference), reverse=True)]

    seen: list[str] = []
    query = "limit=2"
    while True:
        page = (await agent.get(f"/v1/tickets?{query}")).json()
        seen += [item["number"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        await opened(door, occurred_at=clock.now())
        query = f"limit=2&cursor={page['next_cursor']}"

    assert seen == expected


async def test_lists_are_filtered(door: Door, agent: httpx.AsyncClient) -> None:
    customer_id = uuid4()
    mine = await opened(door, customer_id=customer_id, type="refund", subject="洗衣机不转 E21 error")
    other = await opened(door, type="repair", subject="Fridge is loud")
    await must(agent, mine, ("take", {"team": "north"}))

    assert await listed(agent, "status=assigned") == [mine]
    assert set(await listed(agent, "status=assigned&status=new")) == {mine, other}
    assert await listed(agent, "type=repair") == [other]
    assert await listed(agent, "assignee=agent-1") == [mine]
    assert await listed(agent, "team=north&type=repair") == []
    assert await listed(agent, f"customer_id={customer_id}") == [mine]


@pytest.mark.parametrize("q", ["洗衣机", "不转", "e21", "ERR", "error 洗衣"])
async def test_words_of_the_subject_find_it(door: Door, agent: httpx.AsyncClient, q: str) -> None:
    mine = await opened(door, subject="洗衣机不转 E21 error")
    await opened(door, subject="洗碗机漏水")

    assert await listed(agent, str(httpx.QueryParams(q=q))) == [mine]


@pytest.mark.parametrize("q", ["'", "a:*b", "\\", "' | 'x", "!!", "&", "%", "衣洗"])
async def test_marks_in_a_search_are_no_operators(door: Door, agent: httpx.AsyncClient, q: str) -> None:
    await opened(door, subject="洗衣机 y")

    assert await listed(agent, str(httpx.QueryParams(q=q))) == []


async def test_the_beginning_of_a_number_finds_it(door: Door, agent: httpx.AsyncClient) -> None:
    number = await opened(door)
    await opened(door)

    assert await listed(agent, f"q={number[:-1].lower()}") == [number]


async def test_a_customer_follows_his_own_ticket(door: Door, agent: httpx.AsyncClient) -> None:
    customer_id = uuid4()
    number = await opened(door, customer_id=customer_id, text="It hums.")
    await must(agent, number, ("reply", {"text": "internal", "public": False}), ("reply", {"text": "We come tomorrow."}))
    customer = await door.caller(Role.CUSTOMER, str(customer_id))

    body = (await customer.get(f"/v1/track/{number}")).json()

    assert (body["reference"], body["status"]) == (number, "new")
    assert [(message["from_customer"], message["text"]) for message in body["messages"]] == [
        (True, "It hums."),
        (False, "We come tomorrow."),
    ]
    assert "agent-1" not in orjson.dumps(body).decode()


async def test_unknown_and_forbidden_look_the_same(door: Door, agent: httpx.AsyncClient) -> None:
    number = await opened(door)
    stranger = await door.caller(Role.CUSTOMER, str(uuid4()))

    answers = [
        await stranger.get(f"/v1/track/{number}"),
        await stranger.get(f"/v1/track/{a_reference()}"),
        await agent.get(f"/v1/track/{number}"),
    ]

    bodies = [{k: v for k, v in answer.json().items() if k not in {"instance", "request_id"}} for answer in answers]
    assert [answer.status_code for answer in answers] == [404, 404, 404]
    assert bodies[0] == bodies[1] == bodies[2]
