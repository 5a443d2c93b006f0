"""Acting by REST: versions, repetition, two people at once."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from shared.auth import Role
from tests.tickets.calls import act, must, opened, pointers
from tests.tickets.conftest import Door
from tests.tickets.observation import ticket, types_told

pytestmark = [pytest.mark.postgres, pytest.mark.api]


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
