"""A request after it was taken in: what to ask next, what is added, how it stands for the customer, and that it was none."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI
from httpx import AsyncClient

from services.intake.schemas.answers import RequestAccepted, RequestView
from services.intake.schemas.details import DetailsIn
from services.intake.store.tickets import TicketCopy, save, save_aliases
from shared.auth import Role
from shared.database import Database
from tests.intake.builders import counts, events, rows
from tests.intake.conftest import client
from tests.intake.test_customers import hand_in, register

pytestmark = [pytest.mark.api, pytest.mark.postgres]

REPAIR: dict[str, Any] = {"type": "repair", "customer": {"name": "王伟", "phone": "13800138000"}}


async def view_of(api: AsyncClient, reference: str, **query: str) -> dict[str, Any]:
    answer = await api.get(f"/v1/requests/{reference}", params=query)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    RequestView.model_validate(body)
    return body


async def add(api: AsyncClient, reference: str, key: str | None = None, **details: Any) -> dict[str, Any]:
    headers = {} if key is None else {"Idempotency-Key": key}
    answer = await api.post(f"/v1/requests/{reference}/details", json=details, headers=headers)
    assert answer.status_code == 202, answer.text
    body: dict[str, Any] = answer.json()
    return body


# --- who wrote it down -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "entered_by"), [(Role.AGENT, "agent"), (Role.BOT, "bot"), (Role.SERVICE, "system"), (Role.CUSTOMER, "customer")]
)
async def test_a_request_says_who_wrote_it_down(app: FastAPI, intake_database: Database, role: Role, entered_by: str) -> None:
    async with client(app, intake_database, role, str(uuid4())) as caller:
        reference = (await hand_in(caller, channel="phone", conversation_id="call-17", customer={}))["reference"]
        view = await view_of(caller, reference)

    assert (view["entered_by"], view["conversation_id"]) == (entered_by, "call-17")
    (told,) = await events(intake_database, "request.received.v1")
    assert (told["entered_by"], told["conversation_id"]) == (entered_by, "call-17")


async def test_an_agent_enters_a_request_for_the_customer_in_front_of_him(agent: AsyncClient, intake_database: Database) -> None:
    file = await register(agent, name="王伟", email="wang@example.com")

    entered = await hand_in(agent, channel="walk_in", customer={"id": file["customer_id"], "phone": "13800138000"})
    later = await hand_in(agent, customer={"phone": "13800138000"})

    assert entered["missing_fields"] == ["type"]
    for answer in (entered, later):
        assert (await view_of(agent, answer["reference"]))["customer_id"] == file["customer_id"]


async def test_a_request_for_a_customer_whom_nobody_registered_is_refused(agent: AsyncClient, intake_database: Database) -> None:
    body = {"channel": "phone", "customer": {"id": str(uuid4())}, "text": "?", "external_id": "m1"}

    answer = await agent.post("/v1/requests", json=body, headers={"Idempotency-Key": "k"})

    assert (answer.status_code, answer.json()["code"]) == (422, "customer_id_unknown")
    assert answer.json()["errors"][0]["pointer"] == "#/customer/id"
    assert set((await counts(intake_database)).values()) == {0}


async def test_a_customer_cannot_name_another_customer(app: FastAPI, agent: AsyncClient, intake_database: Database) -> None:
    file = await register(agent, name="王伟")

    async with client(app, intake_database, Role.CUSTOMER, str(uuid4())) as own:
        answer = await own.post("/v1/requests", json={"channel": "app", "customer": {"id": file["customer_id"]}, "text": "?"})

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "not_yours")


# --- what to ask next ------------------------------------------------------------------------------------------------------------------


async def test_few_questions_at_once_in_the_customer_s_language(agent: AsyncClient) -> None:
    answer = await hand_in(agent, type="repair", customer={}, text="It hums, then stops.")

    body = RequestAccepted.model_validate(answer)
    assert len(body.missing_fields) == 6
    assert [prompt.field for prompt in body.prompts] == list(body.missing_fields[:3])
    assert body.prompts[0].question == "What is your name?"
    assert all(prompt.why for prompt in body.prompts)


async def test_what_the_file_says_is_not_asked_again(agent: AsyncClient) -> None:
    await register(agent, name="王伟", phone="13800138000", email="wang@example.com")

    answer = await hand_in(agent, customer={"phone": "13800138000"}, type="enquiry")

    assert (answer["completeness"], answer["prompts"]) == (1.0, [])


async def test_the_one_product_that_his_requests_know_of_is_suggested(agent: AsyncClient) -> None:
    await hand_in(agent, **REPAIR, product={"model": "WM-900", "serial_number": "SN1", "purchase_date": "2026-03-01"})

    reference = (await hand_in(agent, **REPAIR, text="又不转了"))["reference"]

    suggested = {prompt["field"]: prompt["suggestion"] for prompt in (await view_of(agent, reference))["prompts"]}
    assert suggested == {"product.model": "WM-900", "product.serial_number": "SN1", "product.purchase_date": "2026-03-01"}


async def test_of_two_products_none_is_guessed(agent: AsyncClient) -> None:
    for number in ("SN1", "SN2"):
        await hand_in(agent, **REPAIR, text=number, product={"model": "WM-900", "serial_number": number})

    reference = (await hand_in(agent, **REPAIR, text="又不转了"))["reference"]

    assert {prompt["suggestion"] for prompt in (await view_of(agent, reference))["prompts"]} == {None}


async def test_a_repeated_message_gets_the_same_questions(agent: AsyncClient) -> None:
    first = await hand_in(agent, **REPAIR, external_id="m1")

    assert await hand_in(agent, **REPAIR, external_id="m1") == first


# --- what is added ---------------------------------------------------------------------------------------------------------------------


async def test_added_details_are_a_further_message_and_complete_the_request(agent: AsyncClient, intake_database: Database) -> None:
    reference = (await hand_in(agent, **REPAIR))["reference"]

    added = await add(agent, reference, product={"model": "WM-900", "serial_number": "SN1", "purchase_date": "2026-03-01"})

    assert added["reference"] != reference
    assert added["missing_fields"] == ["expected_resolution_at"]
    view = await view_of(agent, reference)
    assert (view["missing_fields"], view["completeness"]) == (["expected_resolution_at"], added["completeness"])
    told = (await events(intake_database, "request.received.v1"))[-1]
    assert (told["in_reply_to"], told["type"]) == (reference, None)
    assert told["product"] == {"model": "WM-900", "serial_number": "SN1", "purchase_date": "2026-03-01", "order_number": None}
    assert told["text"] == "补充信息：型号 WM-900，序列号 SN1，购买日期 2026-03-01"
    assert (await view_of(agent, added["reference"]))["completes"] == reference


async def test_details_add_up_whichever_number_they_are_added_to(agent: AsyncClient) -> None:
    reference = (await hand_in(agent, **REPAIR))["reference"]
    further = (await add(agent, reference, product={"model": "WM-900"}))["reference"]

    last = await add(agent, further, product={"serial_number": "SN1", "purchase_date": "2026-03-01"})

    assert last["missing_fields"] == ["expected_resolution_at"]
    assert (await view_of(agent, reference))["missing_fields"] == ["expected_resolution_at"]


async def test_a_type_that_is_added_asks_for_its_own_fields(agent: AsyncClient) -> None:
    reference = (await hand_in(agent, customer={"name": "王伟", "phone": "13800138000"}))["reference"]

    added = await add(agent, reference, type="refund", text="我要退款")

    assert added["missing_fields"] == ["product.order_number", "product.model"]


async def test_a_contact_that_is_added_is_the_customer_s(agent: AsyncClient) -> None:
    reference = (await hand_in(agent, customer={}))["reference"]

    added = await add(agent, reference, customer={"phone": "13800138000", "name": "王伟"})
    later = (await hand_in(agent, text="还在吗"))["reference"]

    assert added["missing_fields"] == ["type"]
    assert len({(await view_of(agent, number))["customer_id"] for number in (reference, added["reference"], later)}) == 1


async def test_details_with_a_key_are_added_once(agent: AsyncClient, intake_database: Database) -> None:
    reference = (await hand_in(agent, **REPAIR))["reference"]

    answers = await asyncio.gather(*(add(agent, reference, key="k", product={"model": "WM-900"}) for _ in range(5)))

    assert len({answer["reference"] for answer in answers}) == 1
    assert (await counts(intake_database))["request"] == 2


async def test_a_customer_adds_to_his_own_requests_only(app: FastAPI, agent: AsyncClient, intake_database: Database) -> None:
    foreign = (await hand_in(agent))["reference"]
    async with client(app, intake_database, Role.CUSTOMER, str(uuid4())) as own:
        mine = (await hand_in(own, customer={}))["reference"]

        allowed = await own.post(f"/v1/requests/{mine}/details", json={"product": {"model": "WM-900"}})
        refused = await own.post(f"/v1/requests/{foreign}/details", json={"product": {"model": "WM-900"}})

    assert (allowed.status_code, refused.status_code) == (202, 404)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "#"),
        ({"text": " "}, "#/text"),
        ({"product": {"colour": "red"}}, "#/product/colour"),
        ({"product": {"purchase_date": "2099-01-01"}}, "#/product/purchase_date"),
        ({"customer": {"phone": "12"}}, "#/customer/phone"),
        ({"type": "miracle"}, "#/type"),
    ],
)
async def test_wrong_details_name_the_field_and_leave_no_trace(
    agent: AsyncClient, intake_database: Database, body: dict[str, Any], pointer: str
) -> None:
    reference = (await hand_in(agent))["reference"]

    answer = await agent.post(f"/v1/requests/{reference}/details", json=body)

    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)
    assert (await counts(intake_database))["request"] == 1


async def test_the_documented_details_are_accepted(agent: AsyncClient) -> None:
    extra: Any = DetailsIn.model_config["json_schema_extra"]

    await add(agent, (await hand_in(agent))["reference"], **extra["example"])


# --- how it stands ---------------------------------------------------------------------------------------------------------------------


async def test_the_customer_reads_how_his_request_stands_and_what_is_next_in_his_language(
    agent: AsyncClient, intake_database: Database
) -> None:
    reference = (await hand_in(agent))["reference"]
    before = (await view_of(agent, reference))["status"]
    async with intake_database.transaction() as tx:
        await save(tx, [TicketCopy(reference, uuid4(), "waiting_customer", 3)])

    after = await view_of(agent, reference)

    assert before == {"code": "received", "text": "我们已收到。", "next": "正在分类并转交合适的团队。"}
    assert after["status"]["text"] == "需要您的答复。"
    assert (await view_of(agent, reference, locale="en"))["status"]["text"] == "We need an answer from you."
    assert after["joined"] is False


async def test_a_request_that_joined_an_earlier_one_says_so(agent: AsyncClient, intake_database: Database) -> None:
    opened, joined = (await hand_in(agent))["reference"], (await hand_in(agent, text="还在吗"))["reference"]
    async with intake_database.transaction() as tx:
        await save(tx, [TicketCopy(opened, uuid4(), "resolved", 3)])
        await save_aliases(tx, [(joined, opened)])

    view = await view_of(agent, joined)

    assert (view["joined"], view["ticket"]) == (True, {"number": opened, "status": "resolved"})
    assert view["status"]["code"] == "resolved"


# --- asked by order and by customer ------------------------------------------------------------------------------------------------------

ORDER: dict[str, Any] = {"product": {"order_number": "O-77"}}


async def listed(api: AsyncClient, **query: Any) -> list[str]:
    """The references of all pages, two a page."""
    found: list[str] = []
    cursor = None
    while True:
        answer = await api.get("/v1/requests", params={"limit": 2, **query, **({"cursor": cursor} if cursor else {})})
        assert answer.status_code == 200, answer.text
        found += [item["reference"] for item in answer.json()["items"]]
        if (cursor := answer.json()["next_cursor"]) is None:
            return found


async def test_a_customer_asks_by_his_order_how_his_requests_stand(app: FastAPI, agent: AsyncClient, intake_database: Database) -> None:
    foreign = (await hand_in(agent, **ORDER))["reference"]
    async with client(app, intake_database, Role.CUSTOMER, str(uuid4())) as own:
        mine = [(await hand_in(own, customer={}, text=str(n), **ORDER))["reference"] for n in range(3)]
        other = (await hand_in(own, customer={}, text="other"))["reference"]
        async with intake_database.transaction() as tx:
            await save(tx, [TicketCopy(mine[0], uuid4(), "resolved", 3)])

        about_order, everything = await listed(own, order_number="O-77"), await listed(own)
        first = (await own.get("/v1/requests", params={"order_number": "O-77", "locale": "en"})).json()["items"][-1]
        others = await listed(own, customer_id=str(uuid4()))

    assert about_order == list(reversed(mine))
    assert everything == [other, *reversed(mine)]
    assert (first["status"]["code"], first["status"]["text"]) == ("resolved", "It is solved.")
    assert others == []
    assert set(await listed(agent, order_number="O-77")) == {foreign, *mine}


async def test_what_completed_a_request_is_no_line_of_its_own(agent: AsyncClient) -> None:
    reference = (await hand_in(agent))["reference"]
    await add(agent, reference, **ORDER)

    customer_id = (await view_of(agent, reference))["customer_id"]

    assert await listed(agent, customer_id=customer_id) == [reference]


async def test_staff_name_whose_requests_they_ask_for(agent: AsyncClient) -> None:
    answer = await agent.get("/v1/requests")

    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "?customer_id")


async def know(database: Database, number: str, status: str, *aliases: str) -> None:
    """Intake has heard of a ticket, and of references that joined it."""
    async with database.transaction() as tx:
        await save(tx, [TicketCopy(number, UUID(int=7), status, 1, None)])
        await save_aliases(tx, [(alias, number) for alias in aliases])


# --- that it was none ------------------------------------------------------------------------------------------------------------------


async def test_a_dismissed_request_names_who_verified_it_and_why(app: FastAPI, agent: AsyncClient, intake_database: Database) -> None:
    reference = (await hand_in(agent))["reference"]
    (row,) = await rows(intake_database, "request")

    dismissed = await agent.post(f"/v1/requests/{reference}/dismiss", json={"reason_code": "wrong_number"})
    again = await agent.post(f"/v1/requests/{reference}/dismiss", json={"reason_code": "wrong_number"})
    other = await agent.post(f"/v1/requests/{reference}/dismiss", json={"reason_code": "spam"})

    assert (dismissed.json()["by"], dismissed.json()["reason_code"]) == ("lin", "wrong_number")
    assert again.json() == dismissed.json()
    assert (other.status_code, other.json()["code"], other.json()["reason_code"]) == (409, "dismissed_already", "wrong_number")
    view = await view_of(agent, reference)
    assert (view["status"]["code"], view["dismissed"]["by"]) == ("dismissed", "lin")
    async with client(app, intake_database, Role.CUSTOMER, str(UUID(bytes=row["customer_id"].bytes))) as own:
        assert (await view_of(own, reference))["dismissed"]["by"] is None


async def test_that_a_request_was_none_is_told_once_behind_it(agent: AsyncClient, intake_database: Database) -> None:
    reference = (await hand_in(agent))["reference"]

    for _ in range(3):
        await agent.post(f"/v1/requests/{reference}/dismiss", json={"reason_code": "spam"})

    received, told = await events(intake_database, "request.received.v1", "request.dismissed.v1")
    assert told["type_of_event"] == "request.dismissed.v1"
    assert {name: told[name] for name in ("request_id", "reference", "customer_id")} == {
        name: received[name] for name in ("request_id", "reference", "customer_id")
    }
    assert (told["reason"], told["actor"]) == ("spam", "lin")


@pytest.mark.parametrize(
    ("status", "stays"), [("new", False), ("triaged", False), ("assigned", False), ("in_progress", True), ("resolved", True)]
)
async def test_whoever_dismisses_a_request_is_told_whether_its_ticket_stays(
    agent: AsyncClient, intake_database: Database, status: str, stays: bool
) -> None:
    reference = (await hand_in(agent))["reference"]
    await know(intake_database, reference, status)

    dismissed = (await agent.post(f"/v1/requests/{reference}/dismiss", json={"reason_code": "spam"})).json()

    assert (dismissed["ticket"], dismissed["ticket_stays"]) == ({"number": reference, "status": status}, stays)


async def test_the_ticket_of_an_earlier_request_stays_when_a_later_one_is_dismissed(agent: AsyncClient, intake_database: Database) -> None:
    reference = (await hand_in(agent))["reference"]
    await know(intake_database, "AS-EARLIER", "new", reference)

    dismissed = (await agent.post(f"/v1/requests/{reference}/dismiss", json={"reason_code": "duplicate"})).json()

    assert (dismissed["ticket"]["number"], dismissed["ticket_stays"]) == ("AS-EARLIER", True)


async def test_a_request_without_a_ticket_yet_has_none_that_could_stay(agent: AsyncClient) -> None:
    reference = (await hand_in(agent))["reference"]

    dismissed = (await agent.post(f"/v1/requests/{reference}/dismiss", json={"reason_code": "test"})).json()

    assert (dismissed["ticket"], dismissed["ticket_stays"]) == (None, False)


async def test_of_two_who_dismiss_a_request_at_once_for_different_reasons_one_is_told(agent: AsyncClient) -> None:
    reference = (await hand_in(agent))["reference"]

    answers = await asyncio.gather(
        *(agent.post(f"/v1/requests/{reference}/dismiss", json={"reason_code": code}) for code in ("spam", "test"))
    )

    assert sorted(answer.status_code for answer in answers) == [200, 409]


@pytest.mark.parametrize("body", [{}, {"reason_code": "boring"}, {"reason_code": None}])
async def test_a_request_is_dismissed_only_for_a_listed_reason(agent: AsyncClient, body: dict[str, Any]) -> None:
    reference = (await hand_in(agent))["reference"]

    answer = await agent.post(f"/v1/requests/{reference}/dismiss", json=body)

    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "#/reason_code")


@pytest.mark.parametrize("route", ["details", "dismiss"])
async def test_nothing_is_done_about_a_request_that_is_none(agent: AsyncClient, route: str) -> None:
    body = {"reason_code": "spam"} if route == "dismiss" else {"text": "?"}

    answer = await agent.post(f"/v1/requests/AS-20261125EEA182H/{route}", json=body)

    assert (answer.status_code, answer.json()["code"]) == (404, "request_not_found")
