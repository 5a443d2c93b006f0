"""What a customer is to the house: how often he is asked, how soon he is answered, and which mails he is spared."""

from __future__ import annotations

from typing import Any

import pytest

from tests.journeys.people import Customer, Staff, cases
from tests.waiting import eventually

pytestmark = pytest.mark.journey

MATTERS = (("门打不开。", "repair"), ("发票呢?", "enquiry"), ("送货太慢。", "suggestion"))


async def test_who_was_asked_not_long_ago_is_spared_the_next_survey(customer: Customer, agent: Staff, manager: Staff, team: str) -> None:
    first, second = await customer.write("门锁坏了。", type="repair"), await customer.write("发票开错了。", type="enquiry")
    await agent.solve(first, team=team, reply="已更换锁芯。")
    await eventually(lambda: agent.invitations(first), lambda found: found == {"open": None})

    await agent.solve(second, team=team, reply="已重新开票。")

    await eventually(lambda: agent.invitations(second), lambda found: found == {"throttled": "frequency"})
    figures = await eventually(lambda: manager.kpis(team), lambda kpis: cases(kpis, "tickets_resolved") == 2)
    await eventually(lambda: manager.kpis(team), lambda kpis: cases(kpis, "survey_response_rate") == 1)
    assert figures["tickets_resolved"]["value"] == 2


async def test_a_customer_who_is_graded_is_answered_sooner_and_counted_as_what_he_was_then(
    customer: Customer, agent: Staff, manager: Staff, team: str
) -> None:
    await manager.write_policy("vip", tier="vip", first_response_seconds=600, resolution_seconds=3600)
    done, running = await customer.write("遥控器失灵。", type="repair"), await customer.write("空调漏水。", type="enquiry")
    await agent.solve(done, team=team, reply="已更换电池。")
    await agent.work_on(running, team=team)
    before = await agent.ticket(running, "in_progress")

    await manager.change_file(before["customer_id"], tier="vip", tier_reason="contract")

    graded = await eventually(lambda: agent.ticket(running, "in_progress"), lambda ticket: ticket["tier"] == "vip")
    assert due(graded) < due(before)
    history = (await agent.get("tickets", f"/v1/tickets/{running}/history")).json()["items"]
    assert [step["actor"] for step in history if step["type"] == "sla.retargeted"] == ["system"]
    fresh = await customer.write("又漏水了。", type="complaint")
    assert (await agent.ticket(fresh, "new"))["sla"]["first_response"]["policy"] == "vip"

    await agent.act(running, "resolve", resolution_code="repaired")
    await agent.solve(fresh, team=team, reply="师傅已上门。")
    await eventually(lambda: resolved(manager, team, "vip"), lambda found: found == 2)
    assert await resolved(manager, team, "standard") == 1


def due(ticket: dict[str, Any]) -> str:
    return str(ticket["sla"]["resolution"]["due_at"])


async def resolved(staff: Staff, team: str, tier: str) -> int:
    """Resolutions of a team for customers who were of this tier then."""
    return cases(await staff.kpis(team, tier=tier), "tickets_resolved")


async def test_an_invitation_that_waits_for_its_turn_stays_away_once_its_ticket_is_reopened(
    customer: Customer, agent: Staff, team: str
) -> None:
    # three receipts are all the automatic mail that one address gets in an hour
    number, *others = [await customer.write(text, type=type) for text, type in MATTERS]
    for receipt in (number, *others):
        await customer.mail(receipt)
    await agent.solve(number, team=team, reply="已修好。")
    await eventually(lambda: agent.mails(number, "survey_invitation"), lambda found: found == [("pending", None)])

    await agent.act(number, "reopen")

    await eventually(lambda: agent.mails(number, "survey_invitation"), lambda found: found == [("failed", "void")])
    assert not [mail for mail in customer.mails() if "/s/" in mail]
