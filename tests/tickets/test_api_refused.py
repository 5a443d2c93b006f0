"""What the REST door refuses: a clear answer, and nothing half done."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import pytest

from shared.auth import Role
from shared.database import Database
from tests.tickets.builders import a_reference
from tests.tickets.calls import RESOLVE, act, must, opened, pointers
from tests.tickets.conftest import Door
from tests.tickets.observation import ticket

pytestmark = [pytest.mark.postgres, pytest.mark.api]


async def test_an_action_that_is_not_allowed_names_those_that_are(door: Door, agent: httpx.AsyncClient) -> None:
    number = await opened(door)

    answer = await act(agent, number, "resolve", resolution_code="repaired")

    body = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (409, "application/problem+json")
    assert (body["code"], body["reason"], body["ticket_status"]) == ("action_refused", "not_in_this_status", "new")
    assert body["allowed"] == ["triage", "take", "reply", "cancel", "note", "merge", "link", "unlink", "escalate"]
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


@pytest.mark.parametrize("code", ["13800138000", "20261", "138-0013-8000", "010.8888.1234"])
async def test_a_code_that_could_be_somebodys_number_is_refused(door: Door, agent: httpx.AsyncClient, code: str) -> None:
    number = await opened(door)

    as_category = await act(agent, number, "triage", priority="high", type="repair", category=code, root_topic=code)
    as_reason = await act(agent, number, "escalate", reason=code)

    assert (as_category.status_code, pointers(as_category)) == (422, ["#/params/category", "#/params/root_topic"])
    assert "telephone number" in as_category.json()["errors"][0]["detail"]
    assert (as_reason.status_code, pointers(as_reason)) == (422, ["#/params/reason"])


async def test_short_numbers_and_numbers_with_letters_are_codes(door: Door, agent: httpx.AsyncClient) -> None:
    number = await opened(door)

    answer = await act(agent, number, "triage", priority="high", type="repair", category="404", root_topic="e-10012")

    assert (answer.status_code, answer.json()["category"]) == (200, "404")


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
    "/v1/tickets/AS-1/links",
]


@pytest.mark.parametrize("path", ROUTES)
async def test_nobody_reads_without_a_key(door: Door, path: str) -> None:
    answers = [await door.client().get(path), await door.client(Authorization="Bearer ak_local_abcd_" + "x" * 43).get(path)]

    assert [answer.status_code for answer in answers] == [401, 401]


@pytest.mark.parametrize("path", ROUTES)
async def test_a_customers_key_reads_no_tickets(door: Door, path: str) -> None:
    customer = await door.caller(Role.CUSTOMER, str(uuid4()))

    assert (await customer.get(path)).json()["code"] == "scope_missing"


async def test_who_may_only_read_does_not_act(door: Door) -> None:
    engineer = await door.caller(Role.ENGINEER)
    number = await opened(door)

    assert (await engineer.get(f"/v1/tickets/{number}")).status_code == 200
    assert (await engineer.get(f"/v1/tickets/{number}/actions")).json() == {"items": []}
    assert (await act(engineer, number, "take", version=1)).status_code == 403


async def test_nothing_is_committed_when_the_outbox_refuses(door: Door, agent: httpx.AsyncClient, tickets_database: Database) -> None:
    number = await opened(door)
    async with tickets_database.transaction() as tx:
        await tx.execute("UPDATE outbox_head SET stopped = 'restored'")

    answer = await act(agent, number, "take", version=1)

    assert (answer.status_code, answer.json()["code"]) == (503, "outbox_stopped")
    assert (await ticket(tickets_database, number)).version == 1
