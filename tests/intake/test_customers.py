"""Customer files by REST: read, changed with their version, and told on the bus."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI
from httpx import AsyncClient, Response

from services.intake.schemas.customers import CustomerFile, CustomerNew, CustomerPatch, IdentityNew
from services.intake.store.tickets import TicketCopy, save
from shared.auth import Role
from shared.database import Database
from tests.intake.builders import events, rows
from tests.intake.conftest import client

pytestmark = [pytest.mark.api, pytest.mark.postgres]

REQUEST: dict[str, Any] = {"channel": "web", "customer": {"phone": "13800138000"}, "text": "洗衣机不转了"}
WANG: dict[str, Any] = {"name": "王伟", "phone": "13800138000", "email": "Wang.Wei@example.com"}


ACCOUNTS = [{"scheme": "line", "scope": "1653", "value": "U4af:9"}, {"scheme": "telegram", "value": "42:7"}]


async def register(agent: AsyncClient, **fields: Any) -> dict[str, Any]:
    answer = await agent.post("/v1/customers", json=fields)
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    assert answer.headers["ETag"] == f'"{body["version"]}"'
    CustomerFile.model_validate(body)
    return body


async def file_of(agent: AsyncClient, customer_id: str) -> dict[str, Any]:
    answer = await agent.get(f"/v1/customers/{customer_id}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["ETag"] == f'"{answer.json()["version"]}"'
    body: dict[str, Any] = answer.json()
    return body


async def change(agent: AsyncClient, file: dict[str, Any], **fields: Any) -> Response:
    headers = {"If-Match": f'"{file["version"]}"'}
    return await agent.patch(f"/v1/customers/{file['customer_id']}", json=fields, headers=headers)


async def hand_in(agent: AsyncClient, **fields: Any) -> dict[str, Any]:
    answer = await agent.post("/v1/requests", json=REQUEST | fields)
    assert answer.status_code == 202, answer.text
    body: dict[str, Any] = answer.json()
    return body


# --- registering ---------------------------------------------------------------------------------------------------------------------


async def test_a_customer_entered_by_staff_has_a_file_and_is_told_on_the_bus(agent: AsyncClient, intake_database: Database) -> None:
    file = await register(agent, **WANG, consents={"marketing": True}, tier="vip", tier_reason="contract")

    assert (file["name"], file["tier"], file["locale"]) == ("王伟", "vip", "zh-CN")
    assert file["consents"] == {"status": True, "survey": True, "marketing": True}
    assert file["groups"] == {"tenure": "new", "value": "high"}
    assert {(i["scheme"], i["value"], i["evidence"]) for i in file["identities"]} == {
        ("phone", "+8613800138000", "entered"),
        ("email", "Wang.Wei@example.com", "entered"),
    }
    told = await events(intake_database)
    assert [event["type_of_event"] for event in told] == ["customer.registered.v1", "customer.graded.v1", "customer.updated.v1"]
    assert {event["customer_id"] for event in told} == {file["customer_id"]}


async def test_a_request_of_a_customer_entered_by_staff_is_his(agent: AsyncClient) -> None:
    file = await register(agent, **WANG)

    reference = (await hand_in(agent))["reference"]

    assert (await agent.get(f"/v1/requests/{reference}")).json()["customer_id"] == file["customer_id"]


async def test_a_known_customer_is_not_registered_again(agent: AsyncClient, intake_database: Database) -> None:
    file = await register(agent, **WANG)

    answer = await agent.post("/v1/customers", json={"name": "王先生", "phone": "+86 138 0013 8000"})

    assert (answer.status_code, answer.json()["code"]) == (409, "customer_known")
    assert answer.json()["customer_id"] == file["customer_id"]
    assert len(await rows(intake_database, "customer")) == 1


async def test_a_customer_who_shares_a_number_is_registered_and_a_merge_is_suggested(agent: AsyncClient) -> None:
    wang = await register(agent, **WANG, app_user_id="u-1")
    li = await register(agent, name="李娜", phone="13800138000", app_user_id="u-2")

    (suggestion,) = (await agent.get("/v1/merge-suggestions")).json()["items"]

    assert {person["customer_id"] for person in suggestion["customers"]} == {wang["customer_id"], li["customer_id"]}
    assert suggestion["in_common"] == [{"scheme": "phone", "value": "+86•••00"}]


async def test_a_repeated_registration_with_its_key_has_its_effect_once(agent: AsyncClient, intake_database: Database) -> None:
    answers = [await agent.post("/v1/customers", json=WANG, headers={"Idempotency-Key": "k"}) for _ in range(2)]

    assert answers[0].json() == answers[1].json()
    assert answers[1].headers["Idempotent-Replayed"] == "true"
    assert len(await rows(intake_database, "customer")) == 1


async def test_two_who_register_the_same_customer_at_once_register_him_once(agent: AsyncClient, intake_database: Database) -> None:
    answers = await asyncio.gather(*(agent.post("/v1/customers", json=WANG) for _ in range(8)))

    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    assert len(await rows(intake_database, "customer")) == 1


# --- changing ------------------------------------------------------------------------------------------------------------------------


async def test_a_change_is_a_new_version_in_the_trail_and_on_the_bus(agent: AsyncClient, intake_database: Database) -> None:
    file = await register(agent, **WANG)

    answer = await change(agent, file, name="王大伟", locale="en", consents={"survey": False})

    assert answer.status_code == 200, answer.text
    changed = answer.json()
    assert (changed["version"], changed["name"], changed["locale"]) == (2, "王大伟", "en")
    assert changed["consents"] == {"status": True, "survey": False, "marketing": False}
    (told,) = await events(intake_database, "customer.updated.v1")
    assert (told["version"], told["name"], told["locale"], told["consents"]["survey"]) == (2, "王大伟", "en", False)
    (entry,) = (await agent.get(f"/v1/customers/{file['customer_id']}/history")).json()["items"]
    assert (entry["version"], entry["type"], entry["actor"]) == (2, "updated", "lin")
    assert entry["data"] == {"fields": ["consents", "locale", "name"]}


async def test_the_trail_of_a_file_holds_no_personal_value(agent: AsyncClient, intake_database: Database) -> None:
    file = await register(agent, **WANG)
    await change(agent, file, name="王大伟")
    await agent.post(
        f"/v1/customers/{file['customer_id']}/identities",
        json={"scheme": "phone", "value": "13900139000"},
        headers={"If-Match": '"2"'},
    )

    text = str([row["data"] for row in await rows(intake_database, "customer_change")])

    assert "identity_added" in {row["type"] for row in await rows(intake_database, "customer_change")}
    assert not any(value in text for value in ("王", "139", "example.com"))


async def test_a_tier_needs_a_reason_and_is_told_as_a_grading(agent: AsyncClient, intake_database: Database) -> None:
    file = await register(agent, **WANG)

    refused = await change(agent, file, tier="gold")
    graded = await change(agent, file, tier="gold", tier_reason="value")

    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "tier_without_reason")
    assert (graded.json()["tier"], graded.json()["tier_reason"]) == ("gold", "value")
    (told,) = await events(intake_database, "customer.graded.v1")
    assert (told["previous_tier"], told["tier"], told["reason"], told["actor"]) == ("standard", "gold", "value", "lin")
    assert await events(intake_database, "customer.updated.v1") == []


async def test_a_change_that_changes_nothing_leaves_the_version(agent: AsyncClient, intake_database: Database) -> None:
    file = await register(agent, **WANG)

    answer = await change(agent, file, name="王伟", consents={"survey": True})

    assert answer.json()["version"] == 1
    assert await events(intake_database, "customer.updated.v1") == []


async def test_a_change_names_the_version_that_was_seen(agent: AsyncClient) -> None:
    file = await register(agent, **WANG)
    await change(agent, file, name="王大伟")

    stale = await change(agent, file, name="王小伟")
    blind = await agent.patch(f"/v1/customers/{file['customer_id']}", json={"name": "王小伟"})

    assert (stale.status_code, stale.json()["current_version"]) == (412, 2)
    assert blind.status_code == 428
    assert (await file_of(agent, file["customer_id"]))["name"] == "王大伟"


async def test_of_two_who_change_a_file_at_once_one_is_told_to_look_again(agent: AsyncClient, intake_database: Database) -> None:
    file = await register(agent, **WANG)

    answers = await asyncio.gather(*(change(agent, file, name=f"王{n}") for n in range(6)))

    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 5
    assert len(await events(intake_database, "customer.updated.v1")) == 1


async def test_a_primary_address_is_one_of_the_file(agent: AsyncClient) -> None:
    file = await register(agent, **WANG)

    foreign = await change(agent, file, primary_email="li@example.com")
    own = await change(agent, file, primary_email="WANG.WEI@example.com", primary_phone="13800138000")

    assert (foreign.status_code, foreign.json()["errors"][0]["pointer"]) == (422, "#/primary_email")
    assert all(identity["primary"] for identity in own.json()["identities"])
    assert (await change(agent, own.json(), primary_email=None)).json()["version"] == 3


# --- what he is known by -------------------------------------------------------------------------------------------------------------


async def add(agent: AsyncClient, file: dict[str, Any], **identity: Any) -> Response:
    headers = {"If-Match": f'"{file["version"]}"'}
    return await agent.post(f"/v1/customers/{file['customer_id']}/identities", json=identity, headers=headers)


async def test_an_added_account_recognises_the_customer(agent: AsyncClient) -> None:
    file = await register(agent, **WANG)

    added = await add(agent, file, scheme="wechat_openid", scope="wx12", value="o6-1")
    reference = (await hand_in(agent, customer={"accounts": [{"scheme": "wechat_openid", "scope": "wx12", "value": "o6-1"}]}))["reference"]

    assert added.status_code == 201, added.text
    assert (await agent.get(f"/v1/requests/{reference}")).json()["customer_id"] == file["customer_id"]


async def test_an_account_of_another_customer_cannot_be_added(agent: AsyncClient) -> None:
    wang, li = await register(agent, app_user_id="u-1"), await register(agent, app_user_id="u-2")

    answer = await add(agent, li, scheme="app_user", value="u-1")

    assert (answer.status_code, answer.json()["code"], answer.json()["customer_id"]) == (409, "identity_taken", wang["customer_id"])


async def test_a_removed_address_recognises_nobody_any_more(agent: AsyncClient) -> None:
    file = await register(agent, name="王伟", phone="13800138000")
    file = (await change(agent, file, primary_phone="13800138000")).json()
    (identity,) = file["identities"]
    url = f"/v1/customers/{file['customer_id']}/identities/{identity['identity_id']}"

    removed = await agent.delete(url, headers={"If-Match": f'"{file["version"]}"'})
    again = await agent.delete(url, headers={"If-Match": f'"{file["version"] + 1}"'})
    reference = (await hand_in(agent))["reference"]

    assert (removed.status_code, removed.json()["identities"]) == (200, [])
    assert (again.status_code, again.json()["code"]) == (404, "identity_not_found")
    assert (await agent.get(f"/v1/requests/{reference}")).json()["customer_id"] != file["customer_id"]


async def test_of_two_who_share_a_number_it_means_the_one_who_has_proven_it(agent: AsyncClient) -> None:
    wang = await register(agent, phone="13800138000", app_user_id="u-1")
    li = await register(agent, phone="13800138000", app_user_id="u-2")
    (phone,) = [i for i in wang["identities"] if i["scheme"] == "phone"]

    verified = await agent.post(
        f"/v1/customers/{wang['customer_id']}/identities/{phone['identity_id']}/verification",
        json={"method": "one_time_code"},
        headers={"If-Match": '"1"'},
    )
    reference = (await hand_in(agent))["reference"]

    assert verified.status_code == 200, verified.text
    assert [i["verified_at"] is not None for i in verified.json()["identities"] if i["scheme"] == "phone"] == [True]
    assert (await agent.get(f"/v1/requests/{reference}")).json()["customer_id"] == wang["customer_id"] != li["customer_id"]


async def test_a_number_of_more_than_three_app_users_is_shared_and_recognises_nobody(agent: AsyncClient) -> None:
    files = [await register(agent, phone="13800138000", app_user_id=f"u-{n}") for n in range(4)]

    reference = (await hand_in(agent))["reference"]
    again = (await hand_in(agent, text="还在吗"))["reference"]

    (phone,) = [i for i in (await file_of(agent, files[0]["customer_id"]))["identities"] if i["scheme"] == "phone"]
    assert (phone["shared"], phone["recognises"]) == (True, False)
    customers = {(await agent.get(f"/v1/requests/{number}")).json()["customer_id"] for number in (reference, again)}
    assert len(customers) == 1
    assert customers.isdisjoint(file["customer_id"] for file in files)


# --- reading -------------------------------------------------------------------------------------------------------------------------


async def test_the_file_shows_the_whole_history_of_contacts(agent: AsyncClient, intake_database: Database) -> None:
    reference = (await hand_in(agent, product={"model": "WM-900", "serial_number": "SN1"}))["reference"]
    further = (await hand_in(agent, text="还在吗", channel="phone"))["reference"]
    customer_id = (await agent.get(f"/v1/requests/{reference}")).json()["customer_id"]
    async with intake_database.transaction() as tx:
        await save(tx, [TicketCopy(reference, UUID(customer_id), "in_progress", 2)])

    file = await file_of(agent, customer_id)
    first = (await agent.get(f"/v1/customers/{customer_id}/contacts?limit=1")).json()
    rest = (await agent.get(f"/v1/customers/{customer_id}/contacts", params={"cursor": first["next_cursor"]})).json()

    assert file["tickets"] == [{"number": reference, "status": "in_progress"}]
    assert file["products"] == [{"model": "WM-900", "serial_number": "SN1", "purchase_date": None, "order_number": None}]
    lines = [line for line in first["items"] + rest["items"] if line["kind"] == "request"]
    assert [(line["number"], line["channel"], line["entered_by"]) for line in lines] == [
        (further, "phone", "agent"),
        (reference, "web", "agent"),
    ]


async def test_a_customer_is_found_by_exactly_what_he_is_known_by(agent: AsyncClient) -> None:
    file = await register(agent, **WANG, accounts=ACCOUNTS)
    await register(agent, name="李娜", email="li@example.com")

    for identity in ("phone:138 0013 8000", "email:WANG.wei@example.com", "line:1653:U4af:9", "telegram:42:7"):
        found = (await agent.get("/v1/customers", params={"identity": identity})).json()["items"]
        assert [one["customer_id"] for one in found] == [file["customer_id"]], identity
    assert (await agent.get("/v1/customers", params={"identity": "phone:13700137000"})).json()["items"] == []


async def test_customers_are_listed_newest_first_in_pages_that_neither_repeat_nor_lose(agent: AsyncClient) -> None:
    files = [await register(agent, name=f"客户{n}") for n in range(5)]

    listed, cursor = [], None
    while True:
        page = (await agent.get("/v1/customers", params={"limit": 2} | ({"cursor": cursor} if cursor else {}))).json()
        listed += [one["customer_id"] for one in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break

    assert listed == [file["customer_id"] for file in reversed(files)]


async def test_customers_are_found_by_how_their_name_begins_whatever_its_case_and_width(agent: AsyncClient) -> None:
    for name in ("Anna Li", "anna wu", "ＡＮＮＡ王", "Bob", "100%"):
        await register(agent, name=name)

    names, cursor = [], None
    while True:
        page = (await agent.get("/v1/customers", params={"name": "ANNA", "limit": 1} | ({"cursor": cursor} if cursor else {}))).json()
        names += [one["name"] for one in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break

    assert names == ["Anna Li", "anna wu", "ＡＮＮＡ王"]
    assert [one["name"] for one in (await agent.get("/v1/customers", params={"name": "100%"})).json()["items"]] == ["100%"]
    assert (await agent.get("/v1/customers", params={"name": "%"})).json()["items"] == []


async def test_a_customer_sees_his_own_file_only_and_without_what_he_is_known_by(
    app: FastAPI, agent: AsyncClient, intake_database: Database
) -> None:
    file = await register(agent, **WANG)

    async with client(app, intake_database, Role.CUSTOMER, file["customer_id"]) as own:
        mine = await own.get(f"/v1/customers/{file['customer_id']}")
        others = await own.get(f"/v1/customers/{uuid4()}")
        listed = await own.get("/v1/customers")

    assert {identity["value"] for identity in mine.json()["identities"]} == {"+86•••00", "W•••@example.com"}
    assert (others.status_code, listed.status_code) == (404, 403)


@pytest.mark.parametrize("path", ["", "/contacts", "/history"])
async def test_a_customer_whom_nobody_registered_is_not_found(agent: AsyncClient, path: str) -> None:
    answer = await agent.get(f"/v1/customers/{uuid4()}{path}")

    assert (answer.status_code, answer.json()["code"]) == (404, "customer_not_found")


# --- bad input -----------------------------------------------------------------------------------------------------------------------

NEW: dict[str, tuple[dict[str, Any], str]] = {
    "nobody": ({"locale": "en"}, "#"),
    "unknown field": ({"name": "x", "nickname": "x"}, "#/nickname"),
    "phone that is none": ({"phone": "12345"}, "#/phone"),
    "e-mail that is none": ({"email": "wang@"}, "#/email"),
    "unknown tier": ({"tier": "platinum", "tier_reason": "x"}, "#/tier"),
    "tier without a reason": ({"tier": "vip"}, "#"),
    "consent in words": ({"consents": {"survey": "no"}}, "#/consents/survey"),
    "unknown consent": ({"consents": {"calls": True}}, "#/consents/calls"),
    "account without its scope": ({"accounts": [{"scheme": "line", "value": "U1"}]}, "#/accounts/0"),
    "account of an unknown kind": ({"accounts": [{"scheme": "icq", "value": "1"}]}, "#/accounts/0/scheme"),
    "name of two lines": ({"name": "a\nb"}, "#/name"),
}


@pytest.mark.parametrize("case", NEW)
async def test_a_wrong_registration_names_the_field_and_leaves_no_trace(agent: AsyncClient, intake_database: Database, case: str) -> None:
    body, pointer = NEW[case]

    answer = await agent.post("/v1/customers", json=body)

    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)
    assert await rows(intake_database, "customer") == []


@pytest.mark.parametrize(
    "query",
    [
        {"identity": "13800138000"},
        {"identity": "fax:1"},
        {"identity": "phone:12345"},
        {"identity": "line:U1"},
        {"identity": "phone:13800138000", "name": "x"},
        {"tier": "platinum"},
        {"cursor": "x"},
        {"name": ""},
        {"nickname": "x"},
    ],
)
async def test_a_wrong_search_is_refused(agent: AsyncClient, query: dict[str, str]) -> None:
    answer = await agent.get("/v1/customers", params=query)

    assert answer.status_code == 422
    assert all(wrong["pointer"].startswith("?") for wrong in answer.json()["errors"])


async def test_a_change_of_nothing_is_refused(agent: AsyncClient) -> None:
    answer = await change(agent, await register(agent, **WANG))

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "nothing_changed")


@pytest.mark.parametrize("field", ["locale", "tier"])
async def test_what_everybody_has_cannot_be_cleared(agent: AsyncClient, field: str) -> None:
    file = await register(agent, **WANG)

    assert (await change(agent, file, **{field: None})).status_code == 422


async def test_the_documented_examples_are_accepted(agent: AsyncClient) -> None:
    examples: list[Any] = [model.model_config["json_schema_extra"] for model in (CustomerNew, CustomerPatch, IdentityNew)]
    file = await register(agent, **examples[0]["example"])

    changed = await change(agent, file, **examples[1]["example"])
    added = await add(agent, changed.json(), **examples[2]["example"])

    assert (changed.status_code, added.status_code) == (200, 201)
