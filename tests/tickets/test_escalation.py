"""Staff have somebody higher look; a list shows what was escalated. On real PostgreSQL."""

from __future__ import annotations

import httpx
import pytest

from shared.database import Database
from shared.events.tickets import TicketEscalated
from tests.tickets.calls import act, must, opened
from tests.tickets.conftest import Door
from tests.tickets.observation import told

pytestmark = [pytest.mark.postgres, pytest.mark.api]


async def test_it_goes_up_by_one_and_is_told(door: Door, agent: httpx.AsyncClient, tickets_database: Database) -> None:
    number = await opened(door, type="complaint")

    first = await must(agent, number, ("escalate", {"reason": "repeated_complaint"}))
    second = await must(agent, number, ("escalate", {}))

    assert (first["escalation"], second["escalation"]) == (1, 2)
    events = [event for event in await told(tickets_database, number) if isinstance(event, TicketEscalated)]
    assert [(event.level, event.reason, event.target, event.actor) for event in events] == [
        (1, "repeated_complaint", None, "agent-1"),
        (2, "staff", None, "agent-1"),
    ]


async def test_it_may_go_to_the_manager_at_once_and_never_back(door: Door, agent: httpx.AsyncClient) -> None:
    number = await opened(door)
    await must(agent, number, ("escalate", {"level": 2, "reason": "severe"}))

    again = await act(agent, number, "escalate", level=1)

    assert (again.status_code, again.json()["reason"]) == (409, "already_escalated")
    allowed = (await agent.get(f"/v1/tickets/{number}/actions")).json()["items"]
    assert "escalate" not in [item["action"] for item in allowed]


async def test_a_level_already_reached_is_refused(door: Door, agent: httpx.AsyncClient) -> None:
    number = await opened(door)
    await must(agent, number, ("escalate", {}))

    again = await act(agent, number, "escalate", level=1)

    assert (again.status_code, again.json()["reason"]) == (409, "already_escalated")


async def test_an_unknown_reason_is_named(door: Door, agent: httpx.AsyncClient) -> None:
    answer = await act(agent, await opened(door), "escalate", reason="boredom")

    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "#/params/reason")


async def test_a_list_shows_what_was_escalated(door: Door, agent: httpx.AsyncClient) -> None:
    escalated, _ = await opened(door), await opened(door)
    await must(agent, escalated, ("escalate", {}))

    items = (await agent.get("/v1/tickets?escalated=true")).json()["items"]

    assert [item["number"] for item in items] == [escalated]
