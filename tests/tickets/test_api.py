"""The REST door: reading, acting, and everything that is refused with a clear answer and nothing half done."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import orjson
import pytest

from shared import clock
from shared.auth import Role
from shared.database import Database
from shared.events.notification import TicketNotificationRequested
from tests.tickets.builders import HOUR, a_reference, request_received
from tests.tickets.conftest import Door
from tests.tickets.observation import take_in, ticket, told, types_told

pytestmark = [pytest.mark.postgres, pytest.mark.api]


async def opened(door: Door, **changes: Any) -> str:
    """Number of a ticket that was opened a moment ago."""
    request = request_received(**({"occurred_at": clock.now() - timedelta(minutes=1)} | changes))
    await take_in(door.database, request)
    return request.reference


async def act(
    caller: httpx.AsyncClient, number: str, action: str, *, version: int | None = None, key: str | None = None, **params: Any
) -> Any:
    """Ask for an action on the version that the caller reads just before, or on a given one."""
    if version is None:
        version = (await caller.get(f"/v1/tickets/{number}")).json()["version"]
    headers = {"If-Match": f'"{version}"'} | ({"Idempotency-Key": key} if key else {})
    return await caller.post(f"/v1/tickets/{number}/actions", json={"action": action, "params": params}, headers=headers)


async def must(caller: httpx.AsyncClient, number: str, *actions: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    """Carry out actions that are all allowed; the ticket afterwards."""
    answer = None
    for action, params in actions:
        answer = await act(caller, number, action, **params)
        assert answer.status_code == 200, answer.text
    assert answer is not None
    body: dict[str, Any] = answer.json()
    return body


RESOLVE = [("take", {}), ("start", {}), ("resolve", {"resolution_code": "repaired"})]


def pointers(answer: httpx.Response) -> list[str]:
    return [error["pointer"] for error in answer.json()["errors"]]


# ------------------------------------------------------------------ reading


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

    assert [item["action"] for item in items] == ["triage", "take", "reply", "cancel"]
    assert items[0]["params_schema"]["required"] == ["priority"]
    assert [item["action"] for item in for_agent] == ["confirm", "reopen"]
    assert [item["action"] for item in for_lead] == ["confirm", "close", "reopen"]


# ------------------------------------------------------------------ lists


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


# ------------------------------------------------------------------ versions and repetition


async def test_two_agents_at_once_on_one_version_one_wins(door: Door, agent: httpx.AsyncClient) -> None:
    other = await door.caller(Role.AGENT, "agent-2")
    number = await opened(door)

    answers = await asyncio.gather(act(agent, number, "take", version=1), act(other, number, "take", version=1))

    assert sorted(answer.status_code for answer in answers) == [200, 412]
    assert (await ticket(door.database, number)).version == 2


async def test_a_stale_version_is_refused_and_changes_nothing(door: Door, agent: httpx.AsyncClient) -> None:
    number = await opened(door)
    await must(agent, number, ("take", {}))

    answer = await act(agent, number, "start", version=1)

    assert (answer.status_code, answer.json()["code"], answer.json()["current_version"]) == (412, "stale_version", 2)
    assert (await ticket(door.database, number)).version == 2


async def test_a_change_without_a_version_is_refused(door: Door, agent: httpx.AsyncClient) -> None:
    number = await opened(door)

    answer = await agent.post(f"/v1/tickets/{number}/actions", json={"action": "take"})

    assert (answer.status_code, answer.json()["code"]) == (428, "version_required")


@pytest.mark.parametrize("etag", ["1", "*", 'W/"1"', '"x"', '"1", "2"'])
async def test_what_is_no_version_of_ours_is_named(door: Door, agent: httpx.AsyncClient, etag: str) -> None:
    number = await opened(door)

    answer = await agent.post(f"/v1/tickets/{number}/actions", json={"action": "take"}, headers={"If-Match": etag})

    assert (answer.status_code, pointers(answer)) == (422, ["If-Match"])


async def test_the_same_key_has_its_effect_once(door: Door, agent: httpx.AsyncClient) -> None:
    number = await opened(door)

    first = await act(agent, number, "reply", version=1, key="k1", text="Hello")
    again = await act(agent, number, "reply", version=1, key="k1", text="Hello")
    other = await act(agent, number, "reply", version=1, key="k1", text="Hello!")

    assert (first.status_code, again.status_code, other.status_code) == (200, 200, 422)
    assert (again.content, again.headers["ETag"], again.headers["Idempotent-Replayed"]) == (first.content, '"2"', "true")
    assert (await types_told(door.database, number)).count("ticket.replied.v1") == 1


async def test_fifty_identical_actions_at_once_have_one_effect(door: Door, agent: httpx.AsyncClient) -> None:
    number = await opened(door)

    answers = await asyncio.gather(*(act(agent, number, "reply", version=1, key="k1", text="Hello") for _ in range(50)))

    assert {(answer.status_code, answer.content) for answer in answers} == {(200, answers[0].content)}
    assert (await ticket(door.database, number)).version == 2


async def test_a_refused_action_does_not_use_up_its_key(door: Door, agent: httpx.AsyncClient) -> None:
    number = await opened(door)

    refused = await act(agent, number, "start", version=1, key="k1")
    await must(agent, number, ("take", {}))
    done = await act(agent, number, "start", version=2, key="k1")

    assert (refused.status_code, done.status_code) == (409, 200)


# ------------------------------------------------------------------ refused


async def test_an_action_that_is_not_allowed_names_those_that_are(door: Door, agent: httpx.AsyncClient) -> None:
    number = await opened(door)

    answer = await act(agent, number, "resolve", resolution_code="repaired")

    body = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (409, "application/problem+json")
    assert (body["code"], body["reason"], body["ticket_status"]) == ("action_refused", "not_in_this_status", "new")
    assert body["allowed"] == ["triage", "take", "reply", "cancel"]
    assert (await ticket(door.database, number)).version == 1


async def test_an_agent_does_not_close(door: Door, agent: httpx.AsyncClient, lead: httpx.AsyncClient) -> None:
    number = await opened(door)
    await must(agent, number, *RESOLVE)

    assert (await act(agent, number, "close")).json()["reason"] == "not_in_this_role"
    assert (await act(lead, number, "close")).json()["status"] == "closed"


@pytest.mark.parametrize("path", ["", "/history", "/messages", "/actions"])
async def test_an_unknown_number_is_not_found(agent: httpx.AsyncClient, path: str) -> None:
    answer = await agent.get(f"/v1/tickets/{a_reference()}{path}")

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_acting_on_an_unknown_number_is_not_found(agent: httpx.AsyncClient) -> None:
    assert (await act(agent, a_reference(), "take", version=1)).status_code == 404


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({}, ["#/action"]),
        ({"action": "fly"}, ["#/action"]),
        ({"action": 7}, ["#/action"]),
        ([], ["#"]),
        ("take", ["#"]),
        ({"action": "take", "extra": 1}, ["#/extra"]),
        ({"action": "take", "params": {"team": "north", "x": 1}}, ["#/params/x"]),
        ({"action": "take", "params": []}, ["#/params"]),
        ({"action": "take", "params": {"team": "North Team"}}, ["#/params/team"]),
        ({"action": "triage"}, ["#/params"]),
        ({"action": "triage", "params": {}}, ["#/params/priority"]),
        ({"action": "triage", "params": {"priority": "asap", "type": "gift"}}, ["#/params/priority", "#/params/type"]),
        ({"action": "wait", "params": {"on": "godot"}}, ["#/params/on"]),
        ({"action": "reply", "params": {"text": ""}}, ["#/params/text"]),
        ({"action": "reply", "params": {"text": "   \n"}}, ["#/params/text"]),
        ({"action": "reply", "params": {"text": "x" * 20_001}}, ["#/params/text"]),
        ({"action": "reply", "params": {"text": "nul \u0000"}}, ["#/params/text"]),
        ({"action": "reply", "params": {"text": "x", "public": "yes"}}, ["#/params/public"]),
        ({"action": "resolve", "params": {"resolution_code": "x" * 65}}, ["#/params/resolution_code"]),
        ({"action": "cancel", "params": {"reason": "mood"}}, ["#/params/reason"]),
    ],
)
async def test_each_wrong_field_is_named(door: Door, agent: httpx.AsyncClient, body: Any, where: list[str]) -> None:
    number = await opened(door)

    answer = await agent.post(f"/v1/tickets/{number}/actions", json=body, headers={"If-Match": '"1"'})

    assert (answer.status_code, pointers(answer)) == (422, where), answer.text
    assert (await ticket(door.database, number)).version == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b'{"action": "take"', 400),
        (b"\xff\xfe", 400),
        (b'{"action": "reply", "params": {"text": "\\ud800"}}', 400),
        (b'{"action": "reply", "params": {"text": "' + b"x" * 300_000 + b'"}}', 413),
        (b"[" * 50_000 + b"]" * 50_000, 400),
        (b'{"action": "take", "params": ' + b'{"a":' * 100 + b"1" + b"}" * 100 + b"}", 400),
    ],
)
async def test_a_body_that_is_no_sound_json_is_refused(door: Door, agent: httpx.AsyncClient, body: bytes, status: int) -> None:
    number = await opened(door)

    headers = {"If-Match": '"1"', "Content-Type": "application/json"}
    answer = await agent.post(f"/v1/tickets/{number}/actions", content=body, headers=headers)

    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


async def test_the_longest_reply_is_taken(door: Door, agent: httpx.AsyncClient) -> None:
    number = await opened(door)

    await must(agent, number, ("reply", {"text": "修" * 20_000}))

    items = (await agent.get(f"/v1/tickets/{number}/messages")).json()["items"]
    assert items[1]["text"] == "修" * 20_000


@pytest.mark.parametrize(
    "query",
    ["status=lost", "limit=0", "limit=100000", "limit=x", "customer_id=7", "colour=red", "q=", "q=%00", "cursor=abc", "type=a%20b"],
)
async def test_a_wrong_query_is_named(agent: httpx.AsyncClient, query: str) -> None:
    answer = await agent.get(f"/v1/tickets?{query}")

    assert answer.status_code == 422
    assert [pointer.partition(".")[0] for pointer in pointers(answer)] == [f"?{query.partition('=')[0]}"]


async def test_a_cursor_serves_only_its_own_list(door: Door, agent: httpx.AsyncClient) -> None:
    number, _, _ = [await opened(door) for _ in range(3)]
    cursor = (await agent.get("/v1/tickets?limit=1")).json()["next_cursor"]
    tampered = cursor[:-2] + ("AA" if cursor[-2:] != "AA" else "BB")

    for query in (f"cursor={tampered}", f"cursor={cursor}&status=new", f"cursor={cursor[:-4]}"):
        answer = await agent.get(f"/v1/tickets?{query}")
        assert (answer.status_code, answer.json()["code"]) == (422, "cursor_invalid")
    assert (await agent.get(f"/v1/tickets/{number}/history?cursor={cursor}")).status_code == 422


ROUTES = [
    "/v1/tickets",
    "/v1/tickets/AS-1",
    "/v1/tickets/AS-1/history",
    "/v1/tickets/AS-1/messages",
    "/v1/tickets/AS-1/actions",
    "/v1/track/AS-1",
]


@pytest.mark.parametrize("path", ROUTES)
async def test_nobody_reads_without_a_key(door: Door, path: str) -> None:
    answers = [await door.client().get(path), await door.client(Authorization="Bearer ak_local_abcd_" + "x" * 43).get(path)]

    assert [answer.status_code for answer in answers] == [401, 401]


@pytest.mark.parametrize("path", ROUTES[:-1])
async def test_a_customers_key_reads_no_tickets(door: Door, path: str) -> None:
    customer = await door.caller(Role.CUSTOMER, str(uuid4()))

    assert (await customer.get(path)).json()["code"] == "scope_missing"


async def test_who_may_only_read_does_not_act(door: Door) -> None:
    engineer = await door.caller(Role.ENGINEER)
    number = await opened(door)

    assert (await engineer.get(f"/v1/tickets/{number}")).status_code == 200
    assert (await engineer.get(f"/v1/tickets/{number}/actions")).json() == {"items": []}
    assert (await act(engineer, number, "take", version=1)).status_code == 403


# ------------------------------------------------------------------ tracking


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


async def test_nothing_is_committed_when_the_outbox_refuses(door: Door, agent: httpx.AsyncClient, tickets_database: Database) -> None:
    number = await opened(door)
    async with tickets_database.transaction() as tx:
        await tx.execute("UPDATE outbox_head SET stopped = 'restored'")

    answer = await act(agent, number, "take", version=1)

    assert (answer.status_code, answer.json()["code"]) == (503, "outbox_stopped")
    assert (await ticket(tickets_database, number)).version == 1
