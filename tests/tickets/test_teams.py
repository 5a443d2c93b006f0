"""Teams, skills, queues and assignments by REST."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from services.tickets.assignment.staff import Presence
from shared.auth import Role
from shared.events.tickets import TeamUpdated
from tests.tickets.calls import act, must, opened, pointers
from tests.tickets.conftest import Door
from tests.tickets.observation import told
from tests.tickets.staffing import DESK, add_agent, add_skill, add_team

pytestmark = [pytest.mark.postgres, pytest.mark.api]

REPAIRS = {"id": "repairs", "name": "Repairs", "types": ["repair"], "channels": ["web", "phone"], "calendar": "always"}
SOLDER = {"id": "solder", "name": "Soldering", "types": ["repair"], "categories": ["electronics"]}


async def patch(caller: httpx.AsyncClient, path: str, version: int, **fields: Any) -> httpx.Response:
    return await caller.patch(path, json=fields, headers={"If-Match": f'"{version}"'})


# ------------------------------------------------------------------ teams and skills


async def test_a_lead_adds_a_team_and_it_is_told(door: Door, lead: httpx.AsyncClient) -> None:
    answer = await lead.post("/v1/teams", json=REPAIRS)

    (event,) = await told(door.database, "repairs")
    assert (answer.status_code, answer.headers["ETag"]) == (201, '"1"')
    assert {name: answer.json()[name] for name in REPAIRS} == REPAIRS
    assert (answer.json()["distribution"], answer.json()["when_offline"], answer.json()["tiers"]) == ("round_robin", "keep", [])
    assert isinstance(event, TeamUpdated)
    assert (event.types, event.channels, event.calendar, event.active) == (("repair",), ("web", "phone"), "always", True)


async def test_a_team_is_changed_in_order_and_its_history_says_how(door: Door, lead: httpx.AsyncClient) -> None:
    await lead.post("/v1/teams", json=REPAIRS)

    done = await patch(lead, "/v1/teams/repairs", 1, name="Workshop", calendar=None, distribution="by_hand")
    stale = await patch(lead, "/v1/teams/repairs", 1, active=False)

    history = (await lead.get("/v1/teams/repairs/history")).json()["items"]
    assert (done.status_code, done.json()["version"], stale.status_code) == (200, 2, 412)
    assert history[1]["changed"] == {"name": "Workshop", "calendar": None, "distribution": "by_hand"}
    assert [event.version for event in await told(door.database, "repairs") if isinstance(event, TeamUpdated)] == [1, 2]


async def test_a_skill_says_which_tickets_need_it(lead: httpx.AsyncClient) -> None:
    made = await lead.post("/v1/skills", json=SOLDER)
    changed = await patch(lead, "/v1/skills/solder", 1, categories=[])

    assert (made.status_code, changed.json()["categories"], changed.json()["types"]) == (201, [], ["repair"])
    assert [item["id"] for item in (await lead.get("/v1/skills?type=repair")).json()["items"]] == ["solder"]
    assert (await lead.get("/v1/skills?type=refund")).json()["items"] == []
    assert [step["version"] for step in (await lead.get("/v1/skills/solder/history")).json()["items"]] == [1, 2]


async def test_the_skills_matrix_shows_who_can_do_what_and_what_nobody_can(door: Door, lead: httpx.AsyncClient) -> None:
    await add_team(door.database)
    await add_team(door.database, "other")
    for id in ("boards", "magic", "solder"):
        await add_skill(door.database, id, types=("repair",))
    await add_agent(door.database, "ann", skills=("solder", "boards"))
    await add_agent(door.database, "bob", skills=("solder",), presence=Presence.AWAY)
    await add_agent(door.database, "cid", "other", skills=("magic",))

    first = (await lead.get(f"/v1/teams/{DESK}/skills?limit=2")).json()
    rest = (await lead.get(f"/v1/teams/{DESK}/skills?limit=2&cursor={first['next_cursor']}")).json()

    rows = [(row["skill"], row["agents"], row["at_work"]) for row in first["items"] + rest["items"]]
    assert rows == [("boards", ["ann"], 1), ("magic", [], 0), ("solder", ["ann", "bob"], 1)]
    assert (await lead.get("/v1/teams/mars/skills")).status_code == 404


async def test_two_leads_at_once_on_one_team_one_wins(door: Door, lead: httpx.AsyncClient) -> None:
    other = await door.caller(Role.MANAGER)
    await lead.post("/v1/teams", json=REPAIRS)

    answers = await asyncio.gather(
        patch(lead, "/v1/teams/repairs", 1, types=["refund"]), patch(other, "/v1/teams/repairs", 1, types=["return"])
    )

    assert sorted(answer.status_code for answer in answers) == [200, 412]


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"id": "Repairs"}, ["#/id"]),
        ({"id": "re pairs"}, ["#/id"]),
        ({"id": "13800000000"}, ["#/id"]),
        ({"name": ""}, ["#/name"]),
        ({"types": ["gift"]}, ["#/types/0"]),
        ({"channels": ["pigeon"]}, ["#/channels/0"]),
        ({"types": ["repair", "repair"]}, ["#/types"]),
        ({"tiers": ["platinum"]}, ["#/tiers/0"]),
        ({"distribution": "random"}, ["#/distribution"]),
        ({"when_offline": "delete"}, ["#/when_offline"]),
        ({"calendar": "Mon-Fri 9 to 5"}, ["#/calendar"]),
        ({"calendar": "nobodys"}, ["#/calendar"]),
        ({"members": ["ann"]}, ["#/members"]),
    ],
)
async def test_each_wrong_field_of_a_team_is_named(lead: httpx.AsyncClient, changes: dict[str, Any], where: list[str]) -> None:
    answer = await lead.post("/v1/teams", json=REPAIRS | changes)

    assert (answer.status_code, pointers(answer)) == (422, where), answer.text


async def test_an_agent_sees_teams_and_skills_and_changes_none(agent: httpx.AsyncClient, lead: httpx.AsyncClient) -> None:
    await lead.post("/v1/teams", json=REPAIRS)

    assert [(await agent.get(path)).status_code for path in ("/v1/teams", "/v1/teams/repairs", "/v1/skills")] == [200, 200, 200]
    assert [(await agent.post(f"/v1/{path}", json={})).status_code for path in ("teams", "skills")] == [403, 403]


# ------------------------------------------------------------------ queues


async def test_the_queues_show_who_waits_how_urgently_and_since_when(door: Door, agent: httpx.AsyncClient) -> None:
    await add_team(door.database)
    await add_team(door.database, "repairs", types=("repair",))
    await add_agent(door.database, "ann", DESK)
    numbers = [await opened(door, type=type) for type in ("repair", "repair")]
    oldest = min([(await agent.get(f"/v1/tickets/{number}")).json()["opened_at"] for number in numbers])

    repairs, desk = (await agent.get("/v1/queues")).json()["items"]

    assert repairs == {
        "team": "repairs",
        "name": "Repairs",
        "active": True,
        "waiting": 2,
        "by_priority": {"normal": 2},
        "oldest_opened_at": oldest,
        "at_work": 0,
    }
    assert (desk["team"], desk["waiting"], desk["by_priority"], desk["oldest_opened_at"], desk["at_work"]) == (DESK, 0, {}, None, 1)
    assert (await agent.get("/v1/queues/repairs")).json() == repairs
    assert (await agent.get("/v1/queues/mars")).status_code == 404


async def test_the_queues_come_page_by_page(door: Door, agent: httpx.AsyncClient) -> None:
    for id in ("a", "b", "c"):
        await add_team(door.database, id)

    first = (await agent.get("/v1/queues?limit=2")).json()
    second = (await agent.get(f"/v1/queues?limit=2&cursor={first['next_cursor']}")).json()

    assert [item["team"] for item in first["items"] + second["items"]] == ["a", "b", "c"]
    assert second["next_cursor"] is None


async def test_a_queue_is_read_in_the_order_in_which_it_is_handed_out(door: Door, agent: httpx.AsyncClient) -> None:
    await add_team(door.database)
    numbers = [await opened(door, type=type) for type in ("enquiry", "complaint", "enquiry")]
    ages = {number: (await agent.get(f"/v1/tickets/{number}")).json()["opened_at"] for number in numbers}
    expected = [numbers[1], *sorted((numbers[0], numbers[2]), key=lambda number: (ages[number], number))]

    found, cursor = [], ""
    for _ in numbers:
        page = (await agent.get(f"/v1/queues/{DESK}/tickets?limit=1{cursor}")).json()
        found += [item["number"] for item in page["items"]]
        cursor = f"&cursor={page['next_cursor']}"

    assert (found, page["next_cursor"]) == (expected, None)
    assert (await agent.get("/v1/queues/mars/tickets")).status_code == 404


async def test_two_agents_claim_what_waits_at_once_one_has_it(door: Door, agent: httpx.AsyncClient) -> None:
    await add_team(door.database)
    other = await door.caller(Role.AGENT, "agent-2")
    number = await opened(door)

    answers = await asyncio.gather(act(agent, number, "take", version=1), act(other, number, "take", version=1))

    assert sorted(answer.status_code for answer in answers) == [200, 412]
    assert (await act(agent, number, "take")).json()["reason"] == "not_in_this_status"


# ------------------------------------------------------------------ whose it is


async def test_whose_a_ticket_is_and_was_comes_with_the_reasons(door: Door, agent: httpx.AsyncClient) -> None:
    await add_team(door.database)
    await add_agent(door.database, "agent-1")
    await add_agent(door.database, "bob", capacity=1)
    number = await opened(door)
    await must(agent, number, ("hand_over", {"agent": "bob", "reason": "expertise", "note": "Knows the model."}))

    body = (await agent.get(f"/v1/tickets/{number}/assignment")).json()

    assert (body["number"], body["team"], body["agent"]) == (number, DESK, "bob")
    first, second = body["items"]
    assert (first["code"], first["agent"], first["candidates"]) == ("round_robin", "agent-1", {"agent-1": "chosen", "bob": "later_turn"})
    assert first["teams"] == {DESK: "chosen"}
    assert (second["code"], second["agent"], second["reason"], second["actor"]) == ("handed_over", "bob", "expertise", "agent-1")
    assert [message["text"] for message in (await agent.get(f"/v1/tickets/{number}/messages")).json()["items"]][-1] == "Knows the model."


async def test_a_ticket_that_nobody_ever_had_has_no_assignment(door: Door, agent: httpx.AsyncClient) -> None:
    number = await opened(door)

    assert (await agent.get(f"/v1/tickets/{number}/assignment")).json() == {"number": number, "team": None, "agent": None, "items": []}
    assert (await agent.get("/v1/tickets/AS-0/assignment")).status_code == 404


@pytest.mark.parametrize(
    ("action", "params", "where"),
    [
        ("take_over", {}, ["#/params/reason"]),
        ("take_over", {"reason": "He is away!"}, ["#/params/reason"]),
        ("hand_over", {}, ["#/params"]),
        ("hand_over", {"note": "x"}, ["#/params"]),
        ("hand_over", {"agent": "a b"}, ["#/params/agent"]),
        ("hand_over", {"agent": "ann", "note": " "}, ["#/params/note"]),
        ("hand_over", {"agent": "zoe"}, ["#/params/agent"]),
        ("hand_over", {"team": "mars"}, ["#/params/team"]),
        ("queue", {"reason": "x", "team": "repairs"}, ["#/params/team"]),
        ("take", {"team": "mars"}, ["#/params/team"]),
    ],
)
async def test_each_wrong_parameter_is_named(
    door: Door, agent: httpx.AsyncClient, lead: httpx.AsyncClient, action: str, params: dict[str, Any], where: list[str]
) -> None:
    await add_team(door.database)
    number = await opened(door)
    if action in ("take_over", "queue"):
        await must(lead, number, ("take", {}))

    answer = await act(lead, number, action, **params)

    assert (answer.status_code, pointers(answer)) == (422, where), answer.text


async def test_what_may_be_done_about_the_holder_depends_on_who_asks(door: Door, agent: httpx.AsyncClient, lead: httpx.AsyncClient) -> None:
    await add_team(door.database)
    other = await door.caller(Role.AGENT, "agent-2")
    number = await opened(door)
    await must(agent, number, ("take", {}))

    async def about_the_holder(caller: httpx.AsyncClient) -> set[str]:
        items = (await caller.get(f"/v1/tickets/{number}/actions")).json()["items"]
        return {item["action"] for item in items} & {"take", "take_over", "hand_over", "queue"}

    assert await about_the_holder(agent) == {"hand_over", "queue"}
    assert await about_the_holder(other) == {"take_over"}
    assert await about_the_holder(lead) == {"take_over", "hand_over", "queue"}


async def test_two_leads_hand_over_at_once_one_wins(door: Door, lead: httpx.AsyncClient) -> None:
    await add_team(door.database)
    other = await door.caller(Role.LEAD, "lead-2")
    number = await opened(door)
    for id in ("ann", "bob"):
        await add_agent(door.database, id)

    answers = await asyncio.gather(
        act(lead, number, "hand_over", version=1, agent="ann"), act(other, number, "hand_over", version=1, agent="bob")
    )

    assert sorted(answer.status_code for answer in answers) == [200, 412]
