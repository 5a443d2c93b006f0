"""Two files that are one person, two tickets that are one matter: every service follows, and follows back when it is undone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.journeys.people import Customer, Staff, cases, numerator
from tests.waiting import eventually

pytestmark = pytest.mark.journey


async def test_two_files_are_one_person_everywhere_until_they_are_parted(
    customer: Customer, agent: Staff, manager: Staff, team: str
) -> None:
    at_work = replace(customer, address=f"office.{customer.address}")
    machine = {"serial_number": f"SN-{team}"}
    first = await customer.write("又响了。", type="complaint", channel=COUNTER, product=machine)
    second = await at_work.write("另一台也响。", type="complaint", channel=COUNTER)
    for number in (first, second):
        await agent.work_on(number, team=team)
        await agent.act(number, "triage", priority="normal", category="noise")
    survivor, other = [(await agent.request(reference))["customer_id"] for reference in (first, second)]
    await eventually(lambda: repeats(manager), lambda found: found == (0, 2))

    await manager.change_file(other, "/merge", into=survivor, reason="same_person")

    await eventually(lambda: agent.tickets_of(survivor), lambda found: found == {first, second})
    await eventually(lambda: repeats(manager), lambda found: found == (1, 1))
    third = await at_work.write("现在更响了。", type="complaint", product=machine)
    await eventually(lambda: agent.request(third), lambda seen: seen["joined"] and seen["ticket"]["number"] == first)
    await agent.act(first, "resolve", resolution_code="repaired")
    await eventually(lambda: agent.invitations(first), lambda found: found == {"open": None})
    await agent.act(second, "resolve", resolution_code="repaired")
    # he was asked under his other address; whether the complaint is solved is asked all the same
    await eventually(lambda: agent.invitations(second), lambda found: found == {"throttled": "frequency", "open": None})

    await manager.change_file(other, "/unmerge", reason="two_persons")

    await eventually(lambda: agent.tickets_of(survivor), lambda found: found == {first})
    await eventually(lambda: repeats(manager), lambda found: found == (0, 2))


COUNTER = "walk_in"
"""Where nobody else complains: a matter belongs to the channel of its first complaint, and to no team."""


async def repeats(staff: Staff) -> tuple[int, int]:
    """Matters with a further complaint, and all matters."""
    kpis = await staff.kpis(channel=COUNTER)
    return numerator(kpis, "repeat_complaint_rate"), cases(kpis, "repeat_complaint_rate")


async def test_two_tickets_are_one_matter_everywhere_until_they_are_parted(
    customer: Customer, agent: Staff, manager: Staff, team: str
) -> None:
    root, child = await customer.write("洗衣机漏水。", type="repair"), await customer.write("洗衣机不脱水。", type="enquiry")
    for number in (root, child):
        await agent.work_on(number, team=team)
        await agent.act(number, "reply", text="师傅明天上门。")
    await eventually(lambda: responses(manager, team), lambda found: found == 2)

    await agent.act(child, "merge", into=root)

    await eventually(lambda: agent.request(child), lambda seen: seen["ticket"]["number"] == root)
    await eventually(lambda: responses(manager, team), lambda found: found == 1)
    await agent.act(root, "resolve", resolution_code="repaired")
    await eventually(lambda: agent.invitations(root), lambda found: found == {"open": None})
    await eventually(lambda: agent.request(child), lambda seen: seen["status"]["code"] == "resolved")
    assert await agent.invitations(child) == {}

    await agent.act(child, "unmerge")

    await eventually(lambda: agent.request(child), lambda seen: seen["ticket"] == {"number": child, "status": "in_progress"})
    await eventually(lambda: responses(manager, team), lambda found: found == 2)
    assert await manager.platform.differences() == []


async def responses(staff: Staff, team: str) -> int:
    """First responses that count."""
    return cases(await staff.kpis(team), "first_response_time")
