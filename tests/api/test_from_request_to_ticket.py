"""What callers send to intake, seen at the ticket: whole, once, and never at somebody else's."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from shared.auth import Role
from shared.http import BODY_LIMIT
from tests.api.bus import carry
from tests.api.houses import House

pytestmark = [pytest.mark.postgres, pytest.mark.api]

REQUEST: dict[str, Any] = {"channel": "web", "customer": {"email": "li@example.com"}, "type": "repair", "text": "It hums, then stops."}


async def tickets_of(houses: dict[str, House]) -> list[dict[str, Any]]:
    """All tickets, once tickets has heard of everything that intake accepted."""
    await carry(houses["intake"], houses["tickets"])
    async with houses["tickets"].caller(Role.AGENT) as agent:
        items: list[dict[str, Any]] = (await agent.get("/v1/tickets?limit=200")).json()["items"]
    return items


async def messages_of(houses: dict[str, House], number: str) -> list[dict[str, Any]]:
    async with houses["tickets"].caller(Role.AGENT) as agent:
        items: list[dict[str, Any]] = (await agent.get(f"/v1/tickets/{number}/messages")).json()["items"]
    return items


def largest() -> bytes:
    """The largest legal request: the longest text in characters of four bytes, and metadata up to the last byte of the limit."""
    body = REQUEST | {"text": "𠮷" * 20_000, "subject": "题" * 200, "metadata": {f"name{n:02}": "属" * 1_000 for n in range(50)}}
    content = orjson.dumps(body)
    filled = content[:-1] + b" " * (BODY_LIMIT - len(content)) + b"}"
    assert len(filled) == BODY_LIMIT
    return filled


async def test_the_largest_legal_request_reaches_its_ticket_whole(houses: dict[str, House]) -> None:
    async with houses["intake"].caller(Role.SERVICE) as shop:
        accepted = await shop.post("/v1/requests", content=largest(), headers={"Content-Type": "application/json"})
    assert accepted.status_code == 202, accepted.text

    [ticket] = await tickets_of(houses)
    [message] = await messages_of(houses, ticket["number"])

    assert ticket["number"] == accepted.json()["reference"]
    assert ticket["subject"] == "题" * 200
    assert (message["text"], message["truncated"]) == ("𠮷" * 20_000, False)


async def test_fifty_identical_posts_at_once_with_one_key_are_one_ticket(houses: dict[str, House]) -> None:
    async with houses["intake"].caller(Role.SERVICE) as shop:
        answers = await asyncio.gather(
            *(shop.post("/v1/requests", json=REQUEST, headers={"Idempotency-Key": "one-and-the-same"}) for _ in range(50))
        )

    assert {answer.status_code for answer in answers} == {202}
    [ticket] = await tickets_of(houses)
    assert {answer.json()["reference"] for answer in answers} == {ticket["number"]}
    assert len(await messages_of(houses, ticket["number"])) == 1


async def test_fifty_identical_posts_at_once_of_one_message_are_one_ticket(houses: dict[str, House]) -> None:
    body = REQUEST | {"external_id": "mail-4711"}
    async with houses["intake"].caller(Role.SERVICE) as shop:
        answers = await asyncio.gather(*(shop.post("/v1/requests", json=body) for _ in range(50)))

    assert {answer.status_code for answer in answers} == {202}
    [ticket] = await tickets_of(houses)
    assert {answer.json()["reference"] for answer in answers} == {ticket["number"]}
    assert len(await messages_of(houses, ticket["number"])) == 1


async def test_a_batch_of_five_hundred_is_five_hundred_tickets(houses: dict[str, House]) -> None:
    items = [REQUEST | {"customer": {"email": f"li{n}@example.com"}, "text": f"Case {n}"} for n in range(500)]
    async with houses["intake"].caller(Role.SERVICE) as shop:
        answer = await shop.post("/v1/requests/batch", json={"requests": items})
    references = {result["body"]["reference"] for result in answer.json()["results"]}

    await carry(houses["intake"], houses["tickets"])

    assert len(references) == 500
    async with houses["tickets"].database.transaction() as tx:
        assert {row["number"] for row in await tx.fetch("SELECT number FROM ticket")} == references


async def test_a_reply_to_another_customers_request_is_refused_and_reaches_no_ticket(houses: dict[str, House]) -> None:
    async with houses["intake"].caller(Role.SERVICE) as shop:
        first = (await shop.post("/v1/requests", json=REQUEST)).json()["reference"]
        body = REQUEST | {"customer": {"email": "wang@example.com"}, "in_reply_to": first, "text": "Mine now."}
        answer = await shop.post("/v1/requests", json=body)

    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "#/in_reply_to")
    [ticket] = await tickets_of(houses)
    assert [message["text"] for message in await messages_of(houses, ticket["number"])] == [REQUEST["text"]]


async def test_a_reply_of_the_same_customer_joins_his_ticket(houses: dict[str, House]) -> None:
    async with houses["intake"].caller(Role.SERVICE) as shop:
        first = (await shop.post("/v1/requests", json=REQUEST)).json()["reference"]
        await shop.post("/v1/requests", json=REQUEST | {"in_reply_to": first, "text": "It hums again."})

    [ticket] = await tickets_of(houses)
    assert [message["text"] for message in await messages_of(houses, ticket["number"])] == [REQUEST["text"], "It hums again."]


async def test_a_customer_who_asks_for_too_much_is_refused_and_nobodys_ticket_changes(houses: dict[str, House]) -> None:
    async with houses["intake"].caller(Role.SERVICE) as shop:
        await shop.post("/v1/requests", json=REQUEST)
    [ticket] = await tickets_of(houses)
    path, version = f"/v1/tickets/{ticket['number']}/actions", f'"{ticket["version"]}"'

    async with houses["tickets"].caller(Role.AGENT) as agent:
        for body, headers, status in (
            ({"action": "take"}, {}, 428),
            ({"action": "take"}, {"If-Match": '"99"'}, 412),
            ({"action": "confirm"}, {"If-Match": version}, 409),
            ({"action": "fly"}, {"If-Match": version}, 422),
            ({"action": "take", "params": {"number": "x"}}, {"If-Match": version}, 422),
        ):
            answer = await agent.post(path, json=body, headers=headers)
            assert answer.status_code == status, answer.text
            if status == 409:
                assert "take" in str(answer.json())
        assert (await agent.get(f"/v1/tickets/{ticket['number']}")).json() | {"sla": None} == ticket | {"sla": None}
