"""What is done at one service's door and takes effect at the others."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from shared.auth import Role
from tests.api.bus import carry
from tests.api.houses import House

pytestmark = [pytest.mark.postgres, pytest.mark.api]

REQUEST: dict[str, Any] = {"channel": "web", "customer": {"email": "li@example.com"}, "type": "repair", "text": "It hums, then stops."}


async def hand_in(caller: httpx.AsyncClient, **fields: Any) -> str:
    """A request; its number."""
    answer = await caller.post("/v1/requests", json=REQUEST | fields)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["reference"])


async def act(agent: httpx.AsyncClient, number: str, action: str) -> None:
    ticket = (await agent.get(f"/v1/tickets/{number}")).json()
    headers = {"If-Match": f'"{ticket["version"]}"'}
    answer = await agent.post(f"/v1/tickets/{number}/actions", json={"action": action}, headers=headers)
    assert answer.status_code == 200, answer.text


async def dismiss(agent: httpx.AsyncClient, reference: str) -> dict[str, Any]:
    answer = await agent.post(f"/v1/requests/{reference}/dismiss", json={"reason_code": "spam"})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_a_dismissed_request_has_no_ticket_to_work_on(houses: dict[str, House]) -> None:
    intake, tickets = houses["intake"], houses["tickets"]
    async with intake.caller(Role.AGENT, "lin") as clerk, tickets.caller(Role.AGENT, "ann") as agent:
        spam, begun = await hand_in(clerk), await hand_in(clerk, customer={"email": "wu@example.com"})
        await carry(intake, tickets)
        for action in ("take", "start"):
            await act(agent, begun, action)
        await carry(tickets, intake)

        stays = [(await dismiss(clerk, reference))["ticket_stays"] for reference in (spam, begun)]
        await carry(intake, tickets)
        await carry(tickets, intake)

        assert stays == [False, True]
        ended, goes_on = [(await agent.get(f"/v1/tickets/{number}")).json()["status"] for number in (spam, begun)]
        assert (ended, goes_on) == ("cancelled", "in_progress")
        last = (await agent.get(f"/v1/tickets/{spam}/history")).json()["items"][-1]
        assert (last["type"], last["actor"], last["data"]["reason"]) == ("ticket.cancelled", "lin", "dismissed")
        assert (await clerk.get(f"/v1/requests/{spam}")).json()["status"]["code"] == "cancelled"


async def test_whoever_turns_out_to_be_a_vip_has_his_next_ticket_as_one(houses: dict[str, House]) -> None:
    intake, tickets = houses["intake"], houses["tickets"]
    async with intake.caller(Role.AGENT, "lin") as clerk, tickets.caller(Role.AGENT, "ann") as agent:
        vip = (await clerk.post("/v1/customers", json={"phone": "13800138000", "tier": "vip", "tier_reason": "contract"})).json()
        plain = (await clerk.post("/v1/customers", json={"email": "li@example.com"})).json()
        body = {"into": plain["customer_id"], "reason": "same_person"}
        merged = await clerk.post(f"/v1/customers/{vip['customer_id']}/merge", json=body, headers={"If-Match": f'"{vip["version"]}"'})
        assert merged.status_code == 200, merged.text

        reference = await hand_in(clerk)
        await carry(intake, tickets)

        assert (await agent.get(f"/v1/tickets/{reference}")).json()["tier"] == "vip"
