"""Agents and their presence by REST: who may, what is kept, what is told, two people at once."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from shared.auth import Role
from shared.database import Database
from shared.events.tickets import AgentUpdated
from tests.tickets.calls import opened, pointers
from tests.tickets.conftest import Door
from tests.tickets.observation import told
from tests.tickets.staffing import DESK, add_agent, add_skill, add_team, put_presence

pytestmark = [pytest.mark.postgres, pytest.mark.api]

ANN = {"id": "ann", "name": "Ann Lee", "teams": [DESK], "skills": ["solder"], "capacity": 5, "position": "returns_specialist"}


@pytest.fixture(autouse=True)
async def house(tickets_database: Database) -> None:
    """A team and a skill that agents can name."""
    await add_team(tickets_database)
    await add_skill(tickets_database, "solder", types=("repair",))


async def patch(caller: httpx.AsyncClient, agent: str, version: int, **fields: Any) -> httpx.Response:
    return await caller.patch(f"/v1/agents/{agent}", json=fields, headers={"If-Match": f'"{version}"'})


# ------------------------------------------------------------------ making and changing


async def test_a_lead_adds_an_agent_who_begins_offline(door: Door, lead: httpx.AsyncClient) -> None:
    answer = await lead.post("/v1/agents", json=ANN)

    body = answer.json()
    assert (answer.status_code, answer.headers["ETag"], answer.headers["Location"]) == (201, '"1"', "/v1/agents/ann")
    assert {name: body[name] for name in ANN} == ANN
    assert (body["presence"], body["active"], body["open_tickets"], body["version"]) == ("offline", True, 0, 1)
    assert (await lead.get("/v1/agents/ann")).json() == body


async def test_it_is_told_without_his_name(door: Door, lead: httpx.AsyncClient) -> None:
    await lead.post("/v1/agents", json=ANN)

    (event,) = await told(door.database, "ann")

    assert isinstance(event, AgentUpdated)
    assert (event.agent, event.version, event.teams, event.skills, event.presence) == ("ann", 1, (DESK,), ("solder",), "offline")
    assert "Lee" not in event.model_dump_json()


async def test_an_id_is_taken_once_and_for_ever(lead: httpx.AsyncClient) -> None:
    await lead.post("/v1/agents", json=ANN)
    await patch(lead, "ann", 1, active=False)

    answer = await lead.post("/v1/agents", json=ANN)

    assert (answer.status_code, answer.json()["code"]) == (409, "id_taken")


async def test_the_same_call_again_gets_the_same_answer(door: Door, lead: httpx.AsyncClient) -> None:
    answers = [await lead.post("/v1/agents", json=ANN, headers={"Idempotency-Key": "k"}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].content == answers[1].content
    assert len(await told(door.database, "ann")) == 1


async def test_a_change_names_what_changes_and_leaves_the_rest(lead: httpx.AsyncClient) -> None:
    await lead.post("/v1/agents", json=ANN)

    answer = await patch(lead, "ann", 1, capacity=None, skills=[])

    body = answer.json()
    assert (answer.status_code, answer.headers["ETag"], body["version"]) == (200, '"2"', 2)
    assert (body["capacity"], body["skills"], body["teams"], body["name"]) == (None, [], [DESK], "Ann Lee")


async def test_a_change_that_changes_nothing_makes_no_version(door: Door, lead: httpx.AsyncClient) -> None:
    await lead.post("/v1/agents", json=ANN)

    answer = await patch(lead, "ann", 1, name="Ann Lee", capacity=5)

    assert (answer.status_code, answer.json()["version"]) == (200, 1)
    assert len(await told(door.database, "ann")) == 1


async def test_two_leads_at_once_on_one_version_one_wins(door: Door, lead: httpx.AsyncClient) -> None:
    other = await door.caller(Role.LEAD, "lead-2")
    await lead.post("/v1/agents", json=ANN)

    answers = await asyncio.gather(patch(lead, "ann", 1, capacity=1), patch(other, "ann", 1, capacity=2))

    assert sorted(answer.status_code for answer in answers) == [200, 412]
    assert (await lead.get("/v1/agents/ann")).json()["version"] == 2


async def test_two_leads_add_the_same_agent_at_once_one_wins(door: Door, lead: httpx.AsyncClient) -> None:
    other = await door.caller(Role.LEAD, "lead-2")

    answers = await asyncio.gather(lead.post("/v1/agents", json=ANN), other.post("/v1/agents", json=ANN))

    assert sorted(answer.status_code for answer in answers) == [201, 409]


async def test_a_change_without_a_version_is_refused(lead: httpx.AsyncClient) -> None:
    await lead.post("/v1/agents", json=ANN)

    assert (await lead.patch("/v1/agents/ann", json={"capacity": 1})).status_code == 428


async def test_what_became_of_an_agent_can_be_read_without_his_name(lead: httpx.AsyncClient) -> None:
    await lead.post("/v1/agents", json=ANN)
    await patch(lead, "ann", 1, name="Ann Wu", capacity=3)
    await put_presence(lead, "ann", "present")

    answer = await lead.get("/v1/agents/ann/history?limit=2")
    rest = await lead.get(f"/v1/agents/ann/history?cursor={answer.json()['next_cursor']}")

    first, second = answer.json()["items"]
    (third,) = rest.json()["items"]
    assert (first["version"], first["actor"], first["changed"]["teams"]) == (1, "lead-1", [DESK])
    assert second["changed"] == {"name": True, "capacity": 3}
    assert third["changed"] == {"presence": "present"}
    assert rest.json()["next_cursor"] is None
    assert "Ann" not in answer.text


# ------------------------------------------------------------------ presence


async def test_everybody_says_for_himself_whether_he_is_at_work(door: Door, lead: httpx.AsyncClient) -> None:
    await lead.post("/v1/agents", json=ANN)
    ann = await door.caller(Role.AGENT, "ann")

    answers = [await put_presence(ann, "ann", presence) for presence in ("present", "present", "away")]

    assert [(answer.status_code, answer.json()["version"]) for answer in answers] == [(200, 2), (200, 2), (200, 3)]
    assert answers[0].json()["presence_at"] == answers[1].json()["presence_at"]
    assert [event.presence for event in await told(door.database, "ann") if isinstance(event, AgentUpdated)] == [
        "offline",
        "present",
        "away",
    ]


async def test_for_others_it_takes_a_lead(door: Door, lead: httpx.AsyncClient, agent: httpx.AsyncClient) -> None:
    await lead.post("/v1/agents", json=ANN)

    refused = await put_presence(agent, "ann", "offline")

    assert (refused.status_code, refused.json()["code"]) == (403, "not_yourself")
    assert (await put_presence(lead, "ann", "present")).status_code == 200


async def test_who_is_not_registered_is_not_at_work(agent: httpx.AsyncClient) -> None:
    assert (await put_presence(agent, "agent-1", "present")).status_code == 404


async def test_who_has_left_goes_offline_and_stays_so(door: Door, lead: httpx.AsyncClient) -> None:
    await lead.post("/v1/agents", json=ANN)
    await put_presence(lead, "ann", "present")

    left = await patch(lead, "ann", 2, active=False)
    answer = await put_presence(await door.caller(Role.AGENT, "ann"), "ann", "present")

    assert (left.json()["presence"], left.json()["active"]) == ("offline", False)
    assert (answer.status_code, answer.json()["code"]) == (409, "agent_inactive")


async def test_coming_and_going_at_once_leaves_one_of_both(door: Door, lead: httpx.AsyncClient) -> None:
    await lead.post("/v1/agents", json=ANN)

    answers = await asyncio.gather(*(put_presence(lead, "ann", presence) for presence in ("present", "away") * 5))

    assert {answer.status_code for answer in answers} == {200}
    versions = [event.version for event in await told(door.database, "ann") if isinstance(event, AgentUpdated)]
    assert versions == list(range(1, len(versions) + 1))


# ------------------------------------------------------------------ lists


async def test_agents_are_listed_page_by_page_and_by_team_skill_and_presence(door: Door, lead: httpx.AsyncClient) -> None:
    await add_team(door.database, "repairs", types=("repair",))
    await add_agent(door.database, "ann", skills=("solder",))
    await add_agent(door.database, "bob", "repairs")
    await add_agent(door.database, "cid", "repairs", DESK, skills=("solder",))
    await put_presence(lead, "bob", "away")

    async def ids(query: str) -> list[str]:
        return [item["id"] for item in (await lead.get(f"/v1/agents?{query}")).json()["items"]]

    first = (await lead.get("/v1/agents?limit=2")).json()
    assert [item["id"] for item in first["items"]] == ["ann", "bob"]
    assert await ids(f"limit=2&cursor={first['next_cursor']}") == ["cid"]
    assert await ids("team=repairs") == ["bob", "cid"]
    assert await ids("team=repairs&skill=solder") == ["cid"]
    assert await ids("presence=away&active=true") == ["bob"]
    assert (await lead.get(f"/v1/agents?team=repairs&cursor={first['next_cursor']}")).json()["code"] == "cursor_invalid"


async def test_a_list_says_how_much_everybody_has(door: Door, lead: httpx.AsyncClient) -> None:
    await add_agent(door.database, "ann", skills=("solder",))
    for _ in range(2):
        await opened(door)

    assert [item["open_tickets"] for item in (await lead.get("/v1/agents")).json()["items"]] == [2]
    assert (await lead.get("/v1/agents/ann")).json()["open_tickets"] == 2


# ------------------------------------------------------------------ refused


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"id": "13800000000"}, ["#/id"]),
        ({"id": "ann@example.org"}, ["#/id"]),
        ({"id": ""}, ["#/id"]),
        ({"id": "a" * 65}, ["#/id"]),
        ({"id": "system"}, ["#/id"]),
        ({"name": "  "}, ["#/name"]),
        ({"name": "two\nlines"}, ["#/name"]),
        ({"name": "x" * 201}, ["#/name"]),
        ({"name": None}, ["#/name"]),
        ({"position": "king"}, ["#/position"]),
        ({"teams": ["mars", DESK]}, ["#/teams/0"]),
        ({"teams": [DESK, DESK]}, ["#/teams"]),
        ({"teams": "service-desk"}, ["#/teams"]),
        ({"teams": [f"t{i}" for i in range(51)]}, ["#/teams"]),
        ({"skills": ["solder", "magic"]}, ["#/skills/1"]),
        ({"tiers": ["platinum"]}, ["#/tiers/0"]),
        ({"capacity": 0}, ["#/capacity"]),
        ({"capacity": "5"}, ["#/capacity"]),
        ({"capacity": 10**6}, ["#/capacity"]),
        ({"presence": "present"}, ["#/presence"]),
        ({"version": 7}, ["#/version"]),
    ],
)
async def test_each_wrong_field_of_an_agent_is_named(lead: httpx.AsyncClient, changes: dict[str, Any], where: list[str]) -> None:
    answer = await lead.post("/v1/agents", json=ANN | changes)

    assert (answer.status_code, pointers(answer)) == (422, where), answer.text
    assert (await lead.get("/v1/agents")).json()["items"] == []


@pytest.mark.parametrize("fields", [{"id": "bob"}, {"name": None}, {"active": "no"}, {"teams": None}, {"presence": "away"}])
async def test_each_wrong_field_of_a_change_is_named(lead: httpx.AsyncClient, fields: dict[str, Any]) -> None:
    await lead.post("/v1/agents", json=ANN)

    answer = await patch(lead, "ann", 1, **fields)

    assert (answer.status_code, pointers(answer)) == (422, [f"#/{name}" for name in fields])


@pytest.mark.parametrize("body", [{}, {"presence": "asleep"}, {"presence": None}, {"presence": "away", "until": "noon"}, [], "away"])
async def test_a_presence_is_one_of_three_words(lead: httpx.AsyncClient, body: Any) -> None:
    await lead.post("/v1/agents", json=ANN)

    assert (await lead.put("/v1/agents/ann/presence", json=body)).status_code == 422


async def test_an_agent_reads_his_colleagues_and_changes_none(agent: httpx.AsyncClient, lead: httpx.AsyncClient) -> None:
    await lead.post("/v1/agents", json=ANN)

    assert (await agent.get("/v1/agents/ann")).status_code == 200
    assert (await agent.post("/v1/agents", json=ANN)).json()["code"] == "scope_missing"
    assert (await patch(agent, "ann", 1, capacity=9)).json()["code"] == "scope_missing"


@pytest.mark.parametrize("role", [Role.CUSTOMER, Role.BOT, Role.ENGINEER, Role.FINANCE, Role.OPS])
async def test_nobody_else_sees_who_works_here(door: Door, role: Role) -> None:
    somebody = await door.caller(role)

    assert [(await somebody.get(f"/v1/{path}")).status_code for path in ("agents", "teams", "skills")] == [403, 403, 403]


@pytest.mark.parametrize("path", ["/v1/agents/zoe", "/v1/agents/zoe/history", "/v1/teams/mars", "/v1/skills/magic/history"])
async def test_what_there_is_not_is_not_found(lead: httpx.AsyncClient, path: str) -> None:
    assert (await lead.get(path)).status_code == 404
