"""The main job of the platform, from the customer's first word to the manager's figure, through the doors that everybody uses."""

from __future__ import annotations

import httpx
import pytest

from tests.journeys.people import Customer, Staff, cases, numerator
from tests.waiting import eventually

pytestmark = pytest.mark.journey


async def test_a_request_is_solved_rated_and_counted(customer: Customer, agent: Staff, manager: Staff, team: str) -> None:
    number = await customer.write("空调不制冷,显示 E4。", type="repair", product={"model": "KFR-35GW"})
    assert number in await customer.track(await customer.mail("我们已收到您的服务请求"))
    await agent.solve(number, team=team, reply="您好,师傅已更换风机,请再试一下。")

    await customer.mail("师傅已更换风机")
    link = await customer.survey_link()
    recommends = "N1" in await customer.asked(link)
    thanks = await customer.answer(link, Q0="5", Y1="yes", O1="很及时", **({"N1": "10"} if recommends else {"Q5": "5"}))

    assert "感谢您的评价" in thanks
    confirmed = await agent.ticket(number, "confirmed")
    assert (confirmed["episode"], confirmed["assignee"], confirmed["team"]) == (1, "agent", team)
    figures = await eventually(lambda: manager.kpis(team), lambda kpis: cases(kpis, "csat_mean") == 1)
    assert (figures["tickets_resolved"]["value"], figures["csat_mean"]["numerator"], figures["csat_mean"]["n"]) == (1, 5, 1)
    assert cases(figures, "nps") == int(recommends)
    assert not recommends or figures["nps"]["numerator"] == 1
    assert (figures["sla_first_response"]["numerator"], figures["sla_first_response"]["n"]) == (1, 1)
    (invitation,) = (await agent.get("feedback", "/v1/invitations", ticket=number)).json()["items"]
    assert (invitation["state"], invitation["answer"]["comment"]) == ("answered", "很及时")


async def test_a_low_answer_reopens_the_ticket_and_a_second_solution_is_asked_about_again(
    customer: Customer, agent: Staff, manager: Staff, team: str
) -> None:
    number = await customer.write("The pump leaks.", type="complaint")
    await agent.solve(number, team=team, reply="Please tighten the screw.")
    first = await customer.survey_link()

    await customer.answer(first, Q0="1", Y1="no")

    reopened = await agent.ticket(number, "assigned")
    assert reopened["assignee"] == "agent"
    history = (await agent.get("tickets", f"/v1/tickets/{number}/history")).json()["items"]
    assert [step["data"]["reason"] for step in history if "reopened" in step["type"]] == ["low_answer"]

    await agent.act(number, "resolve", resolution_code="replaced")

    async def links() -> set[str]:
        invitations = (await agent.get("feedback", "/v1/invitations", ticket=number)).json()["items"]
        return {invitation["state"] for invitation in invitations}

    # he was asked not long ago, so no second survey; whether the complaint is solved now is asked all the same
    await eventually(links, lambda states: states == {"answered", "throttled", "open"})
    figures = await eventually(lambda: manager.kpis(team), lambda kpis: numerator(kpis, "reopen_rate") == 1)
    assert (figures["csat_mean"]["numerator"], figures["csat_mean"]["n"]) == (1, 1)


async def test_a_survey_is_void_once_its_ticket_was_reopened(
    customer: Customer, agent: Staff, client: httpx.AsyncClient, team: str
) -> None:
    number = await customer.write("冰箱有异响", type="repair")
    await agent.solve(number, team=team, reply="已调整压缩机底座。")
    link = await customer.survey_link()

    await agent.act(number, "reopen")

    page = await eventually(lambda: client.get(link), lambda answer: answer.status_code == 410)
    assert number in page.text
    assert "重新" in page.text


async def test_a_request_that_was_none_ends_with_its_ticket_and_counts_for_nothing(
    customer: Customer, agent: Staff, manager: Staff
) -> None:
    number = await customer.write("Buy followers now!", channel="community")
    await agent.ticket(number, "new")
    await eventually(lambda: manager.kpis(channel="community"), lambda kpis: cases(kpis, "tickets_opened") == 1)

    await agent.dismiss(number, "spam")

    assert (await agent.ticket(number, "cancelled"))["number"] == number
    await eventually(lambda: manager.kpis(channel="community"), lambda kpis: cases(kpis, "tickets_opened") == 0)
    await eventually(lambda: agent.request(number), lambda seen: seen["status"]["code"] == "cancelled")
