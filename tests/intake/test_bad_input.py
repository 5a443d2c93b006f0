"""Bad input to intake: each has a clear answer that names the field, and nothing of it stays in the tables."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from httpx import AsyncClient

from shared import clock
from shared.auth import Role
from shared.database import Database
from tests.intake.builders import NOTHING, counts
from tests.intake.conftest import client

pytestmark = [pytest.mark.api, pytest.mark.postgres]

REQUEST: dict[str, Any] = {"channel": "web", "customer": {"phone": "13800138000"}, "text": "洗衣机不转了"}
JSON = {"Content-Type": "application/json"}


def without(field: str) -> dict[str, Any]:
    return {name: value for name, value in REQUEST.items() if name != field}


def customer(**fields: Any) -> dict[str, Any]:
    return REQUEST | {"customer": fields}


def product(**fields: Any) -> dict[str, Any]:
    return REQUEST | {"product": fields}


FIELDS: dict[str, tuple[Any, str]] = {
    "no text": (without("text"), "#/text"),
    "empty text": (REQUEST | {"text": ""}, "#/text"),
    "blank text": (REQUEST | {"text": " \n\t "}, "#/text"),
    "text that is a number": (REQUEST | {"text": 7}, "#/text"),
    "text over 20,000 characters": (REQUEST | {"text": "长" * 20_001}, "#/text"),
    "NUL in the text": (REQUEST | {"text": "a\0b"}, "#/text"),
    "NUL in a name of metadata": (REQUEST | {"metadata": {"a\0": 1}}, "#/metadata"),
    "line break in the subject": (REQUEST | {"subject": "a\nBcc: b@example.com"}, "#/subject"),
    "subject too long": (REQUEST | {"subject": "a" * 1_000}, "#/subject"),
    "no channel": (without("channel"), "#/channel"),
    "unknown channel": (REQUEST | {"channel": "fax"}, "#/channel"),
    "channel null": (REQUEST | {"channel": None}, "#/channel"),
    "unknown type": (REQUEST | {"type": "miracle"}, "#/type"),
    "unknown field": (REQUEST | {"priority": "high"}, "#/priority"),
    "unknown field of the customer": (customer(passport="x"), "#/customer/passport"),
    "no customer": (without("customer"), "#/customer"),
    "customer a list": (REQUEST | {"customer": []}, "#/customer"),
    "phone that is none": (customer(phone="12345"), "#/customer/phone"),
    "phone in words": (customer(phone="call me"), "#/customer/phone"),
    "phone a number": (customer(phone=13800138000), "#/customer/phone"),
    "e-mail that is none": (customer(email="wang@"), "#/customer/email"),
    "e-mail with a header": (customer(email="w@example.com\r\nBcc: x@example.com"), "#/customer/email"),
    "unknown locale": (customer(locale="fr"), "#/customer/locale"),
    "account of one space": (customer(app_user_id=" "), "#/customer/app_user_id"),
    "time without zone": (REQUEST | {"occurred_at": "2026-11-25T10:00:00"}, "#/occurred_at"),
    "time as a number": (REQUEST | {"occurred_at": 1764000000}, "#/occurred_at"),
    "time as digits": (REQUEST | {"occurred_at": "1764000000"}, "#/occurred_at"),
    "time in year 0001": (REQUEST | {"occurred_at": "0001-01-01T00:00:00+08:00"}, "#/occurred_at"),
    "time in year 9999": (REQUEST | {"occurred_at": "9999-12-31T23:59:59-08:00"}, "#/occurred_at"),
    "wish in year 9999": (REQUEST | {"expected_resolution_at": "9999-12-31T23:59:59-08:00"}, "#/expected_resolution_at"),
    "wish without zone": (REQUEST | {"expected_resolution_at": "2026-12-01T10:00:00"}, "#/expected_resolution_at"),
    "30 February": (REQUEST | {"occurred_at": "2026-02-30T10:00:00Z"}, "#/occurred_at"),
    "hour 25": (REQUEST | {"occurred_at": "2026-02-20T25:00:00Z"}, "#/occurred_at"),
    "bought in year 0001": (product(purchase_date="0001-01-01"), "#/product/purchase_date"),
    "bought at a time": (product(purchase_date="2026-01-01T00:00:00Z"), "#/product/purchase_date"),
    "bought in years to come": (product(purchase_date="2199-01-01"), "#/product/purchase_date"),
    "model a list": (product(model=["WM"]), "#/product/model"),
    "reply to nothing known": (REQUEST | {"in_reply_to": "AS-20261125EEA182H"}, "#/in_reply_to"),
    "reply to a mistyped reference": (REQUEST | {"in_reply_to": "AS-20261125EEA182X"}, "#/in_reply_to"),
    "reply to words": (REQUEST | {"in_reply_to": "my last one"}, "#/in_reply_to"),
    "eleven attachments": (REQUEST | {"attachments": [{"name": "a", "url": "https://example.com/a"}] * 11}, "#/attachments"),
    "attachment of no address": (REQUEST | {"attachments": [{"name": "a", "url": "javascript:alert(1)"}]}, "#/attachments/0/url"),
    "attachment of negative size": (
        REQUEST | {"attachments": [{"name": "a", "url": "https://example.com/a", "size": -1}]},
        "#/attachments/0/size",
    ),
    "metadata with a list": (REQUEST | {"metadata": {"a": [1]}}, "#/metadata/a"),
    "metadata with a huge number": (REQUEST | {"metadata": {"a": 2**63}}, "#/metadata/a"),
    "fifty-one entries of metadata": (REQUEST | {"metadata": {str(n): n for n in range(51)}}, "#/metadata"),
    "a list": ([REQUEST], "#"),
    "a text": ("hello", "#"),
}


@pytest.mark.parametrize("case", FIELDS)
async def test_a_wrong_field_is_named(api: AsyncClient, intake_database: Database, case: str) -> None:
    body, pointer = FIELDS[case]

    answer = await api.post("/v1/requests", json=body)

    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert [wrong["pointer"] for wrong in problem["errors"]] == [pointer]
    assert problem["errors"][0]["detail"]
    assert await counts(intake_database) == NOTHING


async def test_several_wrong_fields_are_named_together(api: AsyncClient) -> None:
    wrong = (await api.post("/v1/requests", json=REQUEST | {"channel": "fax", "type": "x", "text": ""})).json()["errors"]

    assert {error["pointer"] for error in wrong} == {"#/channel", "#/type", "#/text"}


async def test_values_that_do_not_hold_are_named_together(api: AsyncClient) -> None:
    body = customer(phone="1", email="x") | {"occurred_at": (clock.now() + timedelta(hours=1)).isoformat(), "in_reply_to": "?"}

    wrong = (await api.post("/v1/requests", json=body)).json()["errors"]

    assert {error["pointer"] for error in wrong} == {"#/customer/phone", "#/customer/email", "#/occurred_at", "#/in_reply_to"}


async def test_a_time_more_than_five_minutes_ahead_is_refused(api: AsyncClient, intake_database: Database) -> None:
    ahead = (clock.now() + timedelta(minutes=6)).isoformat()

    answer = await api.post("/v1/requests", json=REQUEST | {"occurred_at": ahead})

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "in_the_future")
    assert await counts(intake_database) == NOTHING


BODIES: dict[str, tuple[bytes, int, str]] = {
    "no JSON": (b"hello", 400, "malformed_body"),
    "half a JSON": (b'{"channel": "web"', 400, "malformed_body"),
    "invalid UTF-8": (b'{"channel": "web", "customer": {}, "text": "\xff\xfe"}', 400, "malformed_body"),
    "half a surrogate pair": (rb'{"channel": "web", "customer": {}, "text": "\ud800"}', 400, "malformed_body"),
    "NaN": (b'{"channel": "web", "customer": {}, "text": "a", "metadata": {"a": NaN}}', 400, "malformed_body"),
    "50,000 levels": (b"[" * 50_000 + b"]" * 50_000, 400, "nested_too_deep"),
    "50,000 levels inside a field": (
        b'{"channel": "web", "customer": {}, "text": "a", "metadata": ' + b'{"a":' * 50_000 + b"1" + b"}" * 50_001,
        413,
        "body_too_large",
    ),
    "more than 256 KiB": (b'{"text": "' + b"a" * 256 * 1024 + b'"}', 413, "body_too_large"),
    "nothing": (b"", 422, "invalid"),
}


@pytest.mark.parametrize("case", BODIES)
async def test_a_body_that_is_no_json_is_refused(api: AsyncClient, intake_database: Database, case: str) -> None:
    content, status, code = BODIES[case]

    answer = await api.post("/v1/requests", content=content, headers=JSON)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert await counts(intake_database) == NOTHING


async def test_a_body_of_another_media_type_is_refused(api: AsyncClient, intake_database: Database) -> None:
    answer = await api.post("/v1/requests", content=b"text=hello", headers={"Content-Type": "application/x-www-form-urlencoded"})

    assert answer.status_code == 415
    assert await counts(intake_database) == NOTHING


async def test_the_same_key_with_another_body_is_refused(api: AsyncClient, intake_database: Database) -> None:
    await api.post("/v1/requests", json=REQUEST, headers={"Idempotency-Key": "k"})
    before = await counts(intake_database)

    answer = await api.post("/v1/requests", json=REQUEST | {"text": "other"}, headers={"Idempotency-Key": "k"})

    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert answer.json()["errors"][0]["pointer"] == "Idempotency-Key"
    assert await counts(intake_database) == before


@pytest.mark.parametrize("key", ["", "k" * 256, "schlüssel".encode()])
async def test_a_key_that_is_none_is_refused(api: AsyncClient, intake_database: Database, key: str | bytes) -> None:
    answer = await api.post("/v1/requests", json=REQUEST, headers={"Idempotency-Key": key})

    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "Idempotency-Key")
    assert await counts(intake_database) == NOTHING


# --- batches -------------------------------------------------------------------------------------------------------------------------

BATCHES: dict[str, tuple[Any, str]] = {
    "no requests": ({}, "#/requests"),
    "empty": ({"requests": []}, "#/requests"),
    "501 items": ({"requests": [REQUEST] * 501}, "#/requests"),
    "requests an object": ({"requests": REQUEST}, "#/requests"),
    "unknown field": ({"requests": [REQUEST], "dry_run": True}, "#/dry_run"),
    "NUL somewhere": ({"requests": [REQUEST, REQUEST | {"text": "\0"}]}, "#/requests/1/text"),
    "one request": (REQUEST, "#/requests"),
}


@pytest.mark.parametrize("case", BATCHES)
async def test_a_batch_that_is_none_is_refused_as_a_whole(api: AsyncClient, intake_database: Database, case: str) -> None:
    body, pointer = BATCHES[case]

    answer = await api.post("/v1/requests/batch", json=body)

    assert answer.status_code == 422
    assert pointer in {wrong["pointer"] for wrong in answer.json()["errors"]}
    assert await counts(intake_database) == NOTHING


async def test_a_batch_over_four_mebibytes_is_refused(api: AsyncClient, intake_database: Database) -> None:
    answer = await api.post("/v1/requests/batch", json={"requests": [REQUEST | {"text": "a" * 15_000}] * 300})

    assert answer.status_code == 413
    assert await counts(intake_database) == NOTHING


async def test_every_wrong_item_is_named_and_the_good_one_among_them_is_stored(api: AsyncClient, intake_database: Database) -> None:
    cases = {case: sent for case, sent in FIELDS.items() if not case.startswith("NUL")}
    good = REQUEST | {"text": "good"}

    answer = await api.post("/v1/requests/batch", json={"requests": [*(body for body, _ in cases.values()), good]})

    *wrong, right = answer.json()["results"]
    found = {case: (result["status"], result["problem"]["errors"][0]["pointer"]) for case, result in zip(cases, wrong, strict=True)}
    assert found == {case: (422, pointer) for case, (_, pointer) in cases.items()}
    assert right["status"] == 202
    assert (await counts(intake_database))["request"] == 1


# --- who may -------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("authorization", [None, "", "Basic dTpw", "Bearer", "Bearer nonsense", "Bearer ak_local_abcdefghijkm_" + "x" * 43])
async def test_without_a_key_nothing_is_taken_or_shown(
    app: FastAPI, api: AsyncClient, intake_database: Database, authorization: str
) -> None:
    reference = (await api.post("/v1/requests", json=REQUEST)).json()["reference"]
    before = await counts(intake_database)
    api.headers.pop("Authorization")
    headers = {} if authorization is None else {"Authorization": authorization}

    answers = [
        await api.post("/v1/requests", json=REQUEST, headers=headers),
        await api.post("/v1/requests/batch", json={"requests": [REQUEST]}, headers=headers),
        await api.get(f"/v1/requests/{reference}", headers=headers),
    ]

    assert [answer.status_code for answer in answers] == [401, 401, 401]
    assert await counts(intake_database) == before


async def test_a_role_without_the_scope_is_refused(app: FastAPI, intake_database: Database) -> None:
    async with client(app, intake_database, Role.AUDITOR, "auditor") as auditor:
        answers = [
            await auditor.post("/v1/requests", json=REQUEST),
            await auditor.post("/v1/requests/batch", json={"requests": [REQUEST]}),
            await auditor.get("/v1/requests/AS-20261125EEA182H"),
        ]

    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert answers[0].json()["scope"] == "request:create"
    assert await counts(intake_database) == NOTHING
