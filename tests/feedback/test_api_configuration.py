"""What managers change over REST: forms, rules of sending, who wants no surveys; with everything that a caller can get wrong."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest

from services.feedback.schemas.forms import FormBody
from services.feedback.schemas.rules import RulesBody
from shared import clock
from shared.auth import Role
from shared.database import Database
from shared.events.codes import Channel
from shared.events.feedback import SurveyInvited, SurveyOptedOut, SurveyThrottled
from shared.events.intake import CustomerRegistered
from tests.feedback.builders import AT_ONCE, T1_2, T2_1, new_number, resolved
from tests.feedback.conftest import Surveys, headers_of
from tests.feedback.outbox import told

pytestmark = [pytest.mark.postgres, pytest.mark.api]

Json = dict[str, Any]


@pytest.fixture
async def manager(feedback_database: Database) -> dict[str, str]:
    return await headers_of(feedback_database, Role.MANAGER)


@pytest.fixture
async def lead(feedback_database: Database) -> dict[str, str]:
    return await headers_of(feedback_database, Role.LEAD)


def draft() -> Json:
    """T1.2 as a manager would send it."""
    body: Json = FormBody.of(T1_2).model_dump(mode="json", by_alias=True)
    return body


def rules() -> Json:
    body: Json = RulesBody.of(AT_ONCE).model_dump(mode="json")
    return body


async def publish(
    client: httpx.AsyncClient, headers: dict[str, str], body: object, *, seen: int = 2, form: str = "T1", **more: str
) -> httpx.Response:
    return await client.post(f"/v1/forms/{form}/versions", json=body, headers={**headers, "If-Match": f'"{seen}"', **more})


def wrong(answer: httpx.Response) -> dict[str, str]:
    assert answer.status_code == 422, answer.text
    return {error["pointer"]: error["code"] for error in answer.json()["errors"]}


async def test_staff_read_the_forms_of_the_house(client: httpx.AsyncClient, staff: dict[str, str]) -> None:
    active = await client.get("/v1/forms/T1", headers=staff)
    every = (await client.get("/v1/forms", headers=staff)).json()["items"]
    first = await client.get("/v1/forms/T1/versions/1", headers=staff)

    assert (active.status_code, active.headers["etag"], active.json()["form"]) == (200, '"2"', "T1.2")
    assert [(form["form"], form["is_active"]) for form in every] == [("S1.1", True), ("T1.2", True), ("T1.1", False), ("T2.1", True)]
    assert [len(block["items"]) for block in first.json()["blocks"]] == [1, 2, 1]
    assert active.json()["blocks"][1]["lead"]["zh-TW"] == "您對以下各方面滿意嗎？"


async def test_a_published_version_is_asked_from_then_on_and_old_links_keep_theirs(
    client: httpx.AsyncClient, surveys: Surveys, manager: dict[str, str]
) -> None:
    old = await surveys.open()
    body = draft()
    body["blocks"][0]["items"][0]["texts"]["en"] = "How was it, all in all?"

    published = await publish(client, manager, body)
    new = await surveys.open()

    assert (published.status_code, published.json()["form"], published.headers["etag"]) == (201, "T1.3", '"3"')
    assert published.json()["published_by"] == "manager-1"
    texts = [(await client.get(f"/v1/surveys/{token}?lang=en")).json()["questions"][0]["text"] for token in (old, new)]
    assert texts == ["Overall, how satisfied are you with this service?", "How was it, all in all?"]
    assert (await client.get("/v1/forms/T1", headers=manager)).json()["blocks"] == published.json()["blocks"]


async def test_what_was_published_is_never_edited(client: httpx.AsyncClient, manager: dict[str, str], staff: dict[str, str]) -> None:
    before = (await client.get("/v1/forms/T1/versions/2", headers=staff)).json()
    await publish(client, manager, draft())

    for method in ("PUT", "PATCH", "DELETE"):
        assert (await client.request(method, "/v1/forms/T1/versions/2", json=draft(), headers=manager)).status_code == 405
    assert (await client.get("/v1/forms/T1/versions/2", headers=staff)).json() == before | {"is_active": False}


async def test_one_version_of_a_type_is_active_however_many_publish_at_once(client: httpx.AsyncClient, manager: dict[str, str]) -> None:
    answers = await asyncio.gather(*(publish(client, manager, draft()) for _ in range(10)))

    assert sorted(answer.status_code for answer in answers) == [201] + [412] * 9
    assert all(answer.json()["current_version"] == 3 for answer in answers if answer.status_code == 412)
    forms = (await client.get("/v1/forms?type=T1", headers=manager)).json()["items"]
    assert [form["form"] for form in forms if form["is_active"]] == ["T1.3"]
    assert len(forms) == 3


async def test_the_first_version_of_a_type_follows_none(client: httpx.AsyncClient, manager: dict[str, str]) -> None:
    body = FormBody.of(T2_1).model_dump(mode="json", by_alias=True)
    assert (await client.get("/v1/forms/T3", headers=manager)).status_code == 404

    answers = await asyncio.gather(*(publish(client, manager, body, seen=0, form="T3") for _ in range(5)))

    assert sorted(answer.status_code for answer in answers) == [201] + [412] * 4
    assert (await client.get("/v1/forms/T3", headers=manager)).json()["form"] == "T3.1"


async def test_publishing_needs_the_version_that_was_read(client: httpx.AsyncClient, manager: dict[str, str]) -> None:
    assert (await client.post("/v1/forms/T1/versions", json=draft(), headers=manager)).status_code == 428
    assert (await publish(client, manager, draft(), seen=1)).status_code == 412
    assert (await publish(client, manager, draft(), seen=7)).status_code == 412


async def test_publishing_the_same_call_twice_makes_one_version(client: httpx.AsyncClient, manager: dict[str, str]) -> None:
    first = await publish(client, manager, draft(), **{"Idempotency-Key": "form-1"})
    second = await publish(client, manager, draft(), **{"Idempotency-Key": "form-1"})
    other = await publish(client, manager, draft() | {"anonymous": True}, **{"Idempotency-Key": "form-1"})

    assert (first.status_code, second.status_code) == (201, 201)
    assert (first.content, first.headers["etag"]) == (second.content, second.headers["etag"])
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


def edited(change: Callable[[Json], object]) -> Json:
    body = copy.deepcopy(draft())
    change(body)
    return body


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, {"#/blocks": "missing"}),
        ({"blocks": []}, {"#/blocks": "too_short"}),
        ({"blocks": [{"items": []}]}, {"#/blocks/0/items": "too_short"}),
        (edited(lambda form: form["blocks"][0]["items"][0]["texts"].pop("zh-TW")), {"#/blocks/0/items/0/texts/zh-TW": "missing"}),
        (
            edited(lambda form: form["blocks"][0]["items"][0]["texts"].update({"en": "  "})),
            {"#/blocks/0/items/0/texts/en": "string_too_short"},
        ),
        (
            edited(lambda form: form["blocks"][0]["items"][0]["texts"].update({"de": "x"})),
            {"#/blocks/0/items/0/texts/de": "extra_forbidden"},
        ),
        (edited(lambda form: form["blocks"][0]["items"][0].update({"id": "q 0"})), {"#/blocks/0/items/0/id": "string_pattern_mismatch"}),
        (edited(lambda form: form["blocks"][0]["items"][0].update({"type": "stars"})), {"#/blocks/0/items/0/type": "enum"}),
        (edited(lambda form: form["blocks"][1]["items"][1].update({"id": "Q1"})), {"#/blocks/1/items/1/id": "repeated"}),
        (edited(lambda form: form["blocks"].pop(1)), {"#/blocks": "item_count"}),
        (edited(lambda form: form["blocks"].reverse()), {"#/blocks/0": "overall_first"}),
        (edited(lambda form: form.update({"anonymous": "yes"})), {"#/anonymous": "bool_type"}),
        (edited(lambda form: form.update({"version": 9})), {"#/version": "extra_forbidden"}),
        ([], {"#": "object_type"}),
    ],
)
async def test_a_form_that_is_not_fit_is_refused_with_the_places_and_nothing_is_published(
    client: httpx.AsyncClient, manager: dict[str, str], body: object, expected: dict[str, str]
) -> None:
    assert wrong(await publish(client, manager, body)) == expected
    assert (await client.get("/v1/forms/T1", headers=manager)).json()["form"] == "T1.2"


@pytest.mark.parametrize(
    "path", ["/v1/forms/T9", "/v1/forms/t1", "/v1/forms/T1/versions/0", "/v1/forms/T1/versions/x", "/v1/forms?type=T9"]
)
async def test_a_form_that_cannot_be_is_refused(client: httpx.AsyncClient, staff: dict[str, str], path: str) -> None:
    assert (await client.get(path, headers=staff)).status_code == 422


async def test_a_form_that_is_not_there_is_not_found(client: httpx.AsyncClient, staff: dict[str, str]) -> None:
    for path in ("/v1/forms/T1/versions/99", "/v1/forms/T3", "/v1/forms/T1/versions/2147483647"):
        assert (await client.get(path, headers=staff)).status_code == 404


async def test_agents_change_neither_forms_nor_rules_nor_who_is_asked(
    client: httpx.AsyncClient, staff: dict[str, str], surveys: Surveys
) -> None:
    customer = uuid4()
    await surveys.open(customer_id=customer)

    assert (await publish(client, staff, draft())).status_code == 403
    assert (await client.put("/v1/survey-rules", json=rules(), headers={**staff, "If-Match": '"0"'})).status_code == 403
    assert (await client.put(f"/v1/survey-preferences/{customer}", json={"opted_out": True}, headers=staff)).status_code == 403
    assert (await client.get(f"/v1/survey-preferences/{customer}", headers=staff)).status_code == 200


async def test_rules_are_what_the_environment_says_until_somebody_publishes_others(
    client: httpx.AsyncClient, surveys: Surveys, manager: dict[str, str], feedback_database: Database
) -> None:
    first = await client.get("/v1/survey-rules", headers=manager)
    changed = rules() | {"strata": [{"share": 0.0, "channel": "web"}, {"share": 1.0}], "reminder_after": None}
    changed["delay"] = {"usual": "PT2H", "by_channel": {"email": "PT0S"}}
    changed["lifetime"] = {"usual": "P3D", "by_channel": {}}

    answer = await client.put("/v1/survey-rules", json=changed, headers={**manager, "If-Match": first.headers["etag"]})

    assert (first.json()["version"], first.headers["etag"]) == (0, '"0"')
    assert first.json()["lifetime"]["by_channel"] == {"email": "P14D", "chat": "P1D", "bot": "P1D"}
    assert (answer.status_code, answer.headers["etag"], answer.json()["version"]) == (200, '"1"', 1)
    assert (await client.get("/v1/survey-rules", headers=manager)).json() == answer.json()
    await surveys.open()
    (event,) = await told(feedback_database, SurveyInvited)
    assert (event.expires_at - event.occurred_at).days == 3
    async with feedback_database.transaction() as tx:
        assert await tx.fetchval("SELECT count(*) FROM timer") == 0


async def test_of_two_who_change_the_rules_at_once_one_is_told_to_look_again(client: httpx.AsyncClient, manager: dict[str, str]) -> None:
    async def change() -> httpx.Response:
        return await client.put("/v1/survey-rules", json=rules(), headers={**manager, "If-Match": '"0"'})

    answers = await asyncio.gather(*(change() for _ in range(10)))

    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 9
    assert (await client.put("/v1/survey-rules", json=rules(), headers=manager)).status_code == 428


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"strata": [{"share": 1.5}]}, {"#/strata/0/share": "less_than_equal"}),
        ({"strata": [{"share": -0.1}]}, {"#/strata/0/share": "greater_than_equal"}),
        ({"strata": [{"share": "0.5"}]}, {"#/strata/0/share": "float_type"}),
        ({"strata": [{"share": 1, "channel": "pigeon"}]}, {"#/strata/0/channel": "enum"}),
        ({"strata": [{"share": 1, "agent": "agent-1"}]}, {"#/strata/0/agent": "extra_forbidden"}),
        ({"strata": [{"share": 1, "customer_id": str(uuid4())}]}, {"#/strata/0/customer_id": "extra_forbidden"}),
        ({"quiet": "P-1D"}, {"#/quiet": "time_delta_parsing"}),
        ({"quiet": "soon"}, {"#/quiet": "time_delta_parsing"}),
        ({"quiet": "P9999D"}, {"#/quiet": "less_than_equal"}),
        ({"lifetime": {"usual": "PT1S", "by_channel": {}}}, {"#/lifetime/usual": "greater_than_equal"}),
        ({"delay": {"usual": "PT0S", "by_channel": {"fax": "PT1H"}}}, {"#/delay/by_channel/fax/[key]": "enum"}),
        ({"delay": None}, {"#/delay": "object_type"}),
        ({"reminders": 2}, {"#/reminders": "extra_forbidden"}),
    ],
)
async def test_rules_that_cannot_hold_are_refused_with_their_places(
    client: httpx.AsyncClient, manager: dict[str, str], change: Json, expected: dict[str, str]
) -> None:
    answer = await client.put("/v1/survey-rules", json=rules() | change, headers={**manager, "If-Match": '"0"'})

    assert wrong(answer) == expected
    assert (await client.get("/v1/survey-rules", headers=manager)).json()["version"] == 0


async def test_every_channel_may_have_its_own_rules(client: httpx.AsyncClient, manager: dict[str, str]) -> None:
    every = {"usual": "P1D", "by_channel": dict.fromkeys(Channel, "PT1H")}

    answer = await client.put("/v1/survey-rules", json=rules() | {"lifetime": every}, headers={**manager, "If-Match": '"0"'})

    assert answer.status_code == 200


async def test_a_lead_writes_down_that_a_customer_wants_no_surveys(
    client: httpx.AsyncClient, surveys: Surveys, lead: dict[str, str], feedback_database: Database
) -> None:
    customer, number = uuid4(), new_number()
    await surveys.follow(CustomerRegistered(occurred_at=clock.now(), customer_id=customer, locale="en"), at=clock.now())
    path = f"/v1/survey-preferences/{customer}"

    out = await client.put(path, json={"opted_out": True}, headers=lead)
    again = await client.put(path, json={"opted_out": True}, headers=lead)
    await surveys.follow(resolved(ticket_number=number, customer_id=customer, occurred_at=clock.now()), at=clock.now())
    back = await client.put(path, json={"opted_out": False}, headers=lead)

    assert (out.status_code, out.json()["opted_out"], out.json()["opted_out_by"], out.json()["actor"]) == (200, True, "staff", "lead-1")
    assert again.json() == out.json()
    assert (back.json()["opted_out"], back.json()["wants_surveys"], back.json()["opted_out_at"]) == (False, True, None)
    assert [event.reason for event in await told(feedback_database, SurveyThrottled)] == ["opted_out"]
    assert [event.opted_out for event in await told(feedback_database, SurveyOptedOut)] == [True, False]


async def test_a_preference_shows_when_the_customer_was_last_asked(
    client: httpx.AsyncClient, surveys: Surveys, staff: dict[str, str]
) -> None:
    customer = uuid4()
    await surveys.open(customer_id=customer)

    held = (await client.get(f"/v1/survey-preferences/{customer}", headers=staff)).json()

    assert list(held["last_asked"]) == ["T1"]
    assert (held["consents"], held["opted_out"]) == (True, False)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, {"#/opted_out": "missing"}),
        ({"opted_out": "yes"}, {"#/opted_out": "bool_type"}),
        ({"opted_out": 1}, {"#/opted_out": "bool_type"}),
        ({"opted_out": True, "reason": "rude"}, {"#/reason": "extra_forbidden"}),
    ],
)
async def test_a_preference_that_says_nothing_is_refused(
    client: httpx.AsyncClient, surveys: Surveys, lead: dict[str, str], body: Json, expected: dict[str, str]
) -> None:
    customer = uuid4()
    await surveys.open(customer_id=customer)

    assert wrong(await client.put(f"/v1/survey-preferences/{customer}", json=body, headers=lead)) == expected


async def test_a_customer_of_whom_nothing_is_known_has_no_preference(client: httpx.AsyncClient, lead: dict[str, str]) -> None:
    path = f"/v1/survey-preferences/{uuid4()}"

    assert (await client.get(path, headers=lead)).status_code == 404
    assert (await client.put(path, json={"opted_out": True}, headers=lead)).status_code == 404
    assert (await client.get("/v1/survey-preferences/x", headers=lead)).status_code == 422
