"""Requests through the REST door."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI
from httpx import AsyncClient

from services.intake.reference import parse
from services.intake.schemas.answers import BatchAnswer, RequestAccepted
from services.intake.schemas.requests import RequestIn
from services.intake.settings import IntakeSettings
from services.intake.store.tickets import TicketCopy, save, save_aliases
from shared import clock
from shared.auth import Role
from shared.database import Database
from tests.intake.builders import counts, events, rows
from tests.intake.conftest import client

pytestmark = [pytest.mark.api, pytest.mark.postgres]

REQUEST: dict[str, Any] = {"channel": "web", "customer": {"phone": "13800138000"}, "text": "洗衣机不转了"}


async def hand_in(api: AsyncClient, key: str | None = None, **fields: Any) -> dict[str, Any]:
    answer = await api.post("/v1/requests", json=REQUEST | fields, headers={} if key is None else {"Idempotency-Key": key})
    assert answer.status_code == 202, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_a_request_is_accepted_with_a_number_to_keep(api: AsyncClient, settings: IntakeSettings) -> None:
    answer = await api.post("/v1/requests", json=REQUEST)

    assert answer.status_code == 202
    body = RequestAccepted.model_validate(answer.json())
    assert str(parse(body.reference)) == body.reference
    assert body.missing_fields == ("customer.name", "type")
    assert body.links.self == f"{settings.intake_public_url}/v1/requests/{body.reference}"
    assert body.links.track == f"{settings.tickets_public_url}/v1/track/{body.reference}"
    assert answer.headers["X-Request-Id"]


async def test_the_documented_example_is_accepted(api: AsyncClient) -> None:
    extra: Any = RequestIn.model_config["json_schema_extra"]

    assert (await hand_in(api, **extra["example"]))["completeness"] > 0.8


async def test_every_field_reaches_the_view(api: AsyncClient) -> None:
    sent = {
        "channel": "email",
        "external_id": "<m1@example.com>",
        "customer": {"name": "王伟", "phone": "13800138000", "email": "w@example.com", "app_user_id": "u-1", "locale": "zh-TW"},
        "type": "repair",
        "subject": "洗衣机",
        "text": "第一行\n第二行",
        "product": {"model": "WM-900", "serial_number": "SN1", "purchase_date": "2026-03-01", "order_number": "O-1"},
        "expected_resolution_at": "2026-12-01T10:00:00+08:00",
        "occurred_at": "2026-11-20T10:00:00+08:00",
        "attachments": [{"name": "a.png", "url": "https://files.example.com/a.png", "content_type": "image/png", "size": 10}],
        "metadata": {"campaign": "双十一", "score": 1.5, "vip": True, "n": 3, "none": None},
    }

    reference = (await hand_in(api, **sent))["reference"]

    view = (await api.get(f"/v1/requests/{reference}")).json()
    assert {name: view[name] for name in ("channel", "external_id", "type", "subject", "text", "product")} == {
        name: sent[name] for name in ("channel", "external_id", "type", "subject", "text", "product")
    }
    assert view["expected_resolution_at"] == "2026-12-01T02:00:00Z"
    assert view["occurred_at"] == "2026-11-20T02:00:00Z"
    assert view["missing_fields"] == []
    assert view["ticket"] is None


# --- exactly once --------------------------------------------------------------------------------------------------------------------


async def test_fifty_identical_posts_at_once_with_one_key_are_one_request(api: AsyncClient, intake_database: Database) -> None:
    answers = await asyncio.gather(*(hand_in(api, key="k") for _ in range(50)))

    assert len({answer["reference"] for answer in answers}) == 1
    assert (await counts(intake_database))["request"] == 1


async def test_fifty_identical_posts_at_once_of_one_message_are_one_request(api: AsyncClient, intake_database: Database) -> None:
    answers = await asyncio.gather(*(hand_in(api, external_id="m1") for _ in range(50)))

    assert len({answer["reference"] for answer in answers}) == 1
    assert (await counts(intake_database))["request"] == 1


async def test_a_repeated_call_gets_the_first_answer_marked_as_replayed(api: AsyncClient) -> None:
    first = await api.post("/v1/requests", json=REQUEST, headers={"Idempotency-Key": "k"})
    again = await api.post("/v1/requests", json=dict(reversed(REQUEST.items())), headers={"Idempotency-Key": '"k"'})

    assert again.content == first.content
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"


async def test_keys_of_two_callers_do_not_meet(app: FastAPI, api: AsyncClient, intake_database: Database) -> None:
    first = await hand_in(api, key="k")

    async with client(app, intake_database, Role.BOT, "bot") as other:
        second = await hand_in(other, key="k")

    assert second["reference"] != first["reference"]


async def test_two_requests_at_once_of_one_new_customer_register_him_once(api: AsyncClient, intake_database: Database) -> None:
    await asyncio.gather(hand_in(api, text="a"), hand_in(api, text="b"))

    assert (await counts(intake_database))["customer"] == 1
    assert len(await events(intake_database, "customer.registered.v1")) == 1


# --- batches -------------------------------------------------------------------------------------------------------------------------


async def test_each_item_of_a_batch_has_a_result_of_its_own(api: AsyncClient, intake_database: Database) -> None:
    items = [REQUEST, REQUEST | {"channel": "fax"}, REQUEST | {"text": ""}, REQUEST | {"in_reply_to": "AS-20261125EEA182H"}, REQUEST, 7]

    answer = await api.post("/v1/requests/batch", json={"requests": items})

    assert answer.status_code == 207
    results = BatchAnswer.model_validate(answer.json()).results
    assert [result.status for result in results] == [202, 422, 422, 422, 202, 422]
    pointers = [None if r.problem is None else r.problem["errors"][0]["pointer"] for r in results]
    assert pointers == [None, "#/channel", "#/text", "#/in_reply_to", None, "#"]
    assert (await counts(intake_database))["request"] == 2


async def test_a_batch_of_five_hundred_is_stored(api: AsyncClient, intake_database: Database) -> None:
    items = [REQUEST | {"text": f"text {n}", "external_id": f"m{n}"} for n in range(500)]

    answer = await api.post("/v1/requests/batch", json={"requests": items})

    results = answer.json()["results"]
    assert {result["status"] for result in results} == {202}
    assert len({result["body"]["reference"] for result in results}) == 500
    assert (await counts(intake_database))["request"] == 500


async def test_a_repeated_batch_takes_effect_once(api: AsyncClient, intake_database: Database) -> None:
    batch = {"requests": [REQUEST, REQUEST | {"text": "b"}]}
    first = await api.post("/v1/requests/batch", json=batch, headers={"Idempotency-Key": "k"})

    again = await api.post("/v1/requests/batch", json=batch, headers={"Idempotency-Key": "k"})

    assert again.json() == first.json()
    assert (await counts(intake_database))["request"] == 2


# --- the view ------------------------------------------------------------------------------------------------------------------------


async def test_the_view_shows_the_ticket_that_the_request_opened_or_joined(api: AsyncClient, intake_database: Database) -> None:
    opened, joined = (await hand_in(api))["reference"], (await hand_in(api))["reference"]
    async with intake_database.transaction() as tx:
        await save(tx, [TicketCopy(opened, uuid4(), "in_progress", 3)])
        await save_aliases(tx, [(joined, opened)])

    for reference in (opened, joined):
        view = (await api.get(f"/v1/requests/{reference}")).json()
        assert view["ticket"] == {"number": opened, "status": "in_progress"}


async def test_a_request_whose_ticket_was_merged_stands_as_the_ticket_that_goes_on(api: AsyncClient, intake_database: Database) -> None:
    merged, joined, root = [(await hand_in(api))["reference"] for _ in range(3)]
    async with intake_database.transaction() as tx:
        await save_aliases(tx, [(joined, merged)])
        await save(tx, [TicketCopy(merged, uuid4(), "merged", 4, "AS-MIDDLE"), TicketCopy("AS-MIDDLE", uuid4(), "merged", 2, root)])
        await save(tx, [TicketCopy(root, uuid4(), "in_progress", 3)])

    for reference in (merged, joined):
        view = (await api.get(f"/v1/requests/{reference}")).json()
        assert (view["ticket"], view["status"]["code"], view["joined"]) == ({"number": root, "status": "in_progress"}, "in_progress", True)


async def test_a_request_whose_ticket_was_merged_into_one_not_yet_told_of_says_so(api: AsyncClient, intake_database: Database) -> None:
    merged = (await hand_in(api))["reference"]
    async with intake_database.transaction() as tx:
        await save(tx, [TicketCopy(merged, uuid4(), "merged", 4, "AS-UNKNOWN")])

    assert (await api.get(f"/v1/requests/{merged}")).json()["ticket"] == {"number": merged, "status": "merged"}


async def test_a_reference_is_read_tolerantly(api: AsyncClient) -> None:
    reference = (await hand_in(api))["reference"]

    answer = await api.get(f"/v1/requests/as-{reference[3:11].replace('0', 'o')}-{reference[11:].lower()}")

    assert answer.json()["reference"] == reference


@pytest.mark.parametrize("reference", ["AS-20261125EEA182H", "AS-20261125EEA182X", "nonsense", "AS-20261125EEA182H-2", "0"])
async def test_an_unknown_reference_is_not_found(api: AsyncClient, reference: str) -> None:
    answer = await api.get(f"/v1/requests/{reference}")

    assert (answer.status_code, answer.json()["code"]) == (404, "request_not_found")


async def test_a_customer_sees_his_own_requests_only(app: FastAPI, api: AsyncClient, intake_database: Database) -> None:
    foreign = (await hand_in(api))["reference"]
    wang = uuid4()

    async with client(app, intake_database, Role.CUSTOMER, str(wang)) as own:
        mine = (await hand_in(own, customer={}))["reference"]
        views = [await own.get(f"/v1/requests/{reference}") for reference in (mine, foreign)]

    assert [view.status_code for view in views] == [200, 404]
    assert UUID(views[0].json()["customer_id"]) == wang


async def test_a_customer_cannot_claim_another_customer_s_affairs(app: FastAPI, api: AsyncClient, intake_database: Database) -> None:
    foreign = (await hand_in(api))["reference"]

    async with client(app, intake_database, Role.CUSTOMER, str(uuid4())) as own:
        answer = await own.post("/v1/requests", json=REQUEST | {"in_reply_to": foreign})

    assert (answer.status_code, answer.json()["code"]) == (422, "in_reply_to_unknown")


async def test_a_customer_s_key_must_name_a_customer(app: FastAPI, intake_database: Database) -> None:
    async with client(app, intake_database, Role.CUSTOMER, "somebody") as own:
        answer = await own.post("/v1/requests", json=REQUEST)

    assert (answer.status_code, answer.json()["code"]) == (403, "key_without_customer")


# --- time ----------------------------------------------------------------------------------------------------------------------------


async def test_a_source_clock_slightly_ahead_is_set_to_ours_and_flagged(api: AsyncClient) -> None:
    ahead = (clock.now() + timedelta(minutes=4)).isoformat()

    view = (await api.get(f"/v1/requests/{(await hand_in(api, occurred_at=ahead))['reference']}")).json()

    assert view["occurred_at_clamped"] is True
    assert view["occurred_at"] == view["received_at"]


async def test_the_largest_legal_request_is_accepted_whole(api: AsyncClient, intake_database: Database) -> None:
    text = "长" * 20_000

    await hand_in(api, text=text)

    assert [row["text"] for row in await rows(intake_database, "request")] == [text]


# --- under load ----------------------------------------------------------------------------------------------------------------------


async def test_requests_that_arrive_together_share_transactions(api: AsyncClient, intake_database: Database) -> None:
    await asyncio.gather(*(hand_in(api, text=f"text {n}") for n in range(100)))

    async with intake_database.transaction() as tx:
        transactions = await tx.fetchval("SELECT count(DISTINCT xmin::text) FROM request")
    assert transactions < 50


async def test_the_openapi_document_describes_the_hot_routes(api: AsyncClient) -> None:
    paths = (await api.get("/openapi.json")).json()["paths"]

    assert paths["/v1/requests"]["post"]["requestBody"]["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/RequestIn"
    }
    assert {"202", "400", "401", "403", "413", "415", "422", "503"} <= set(paths["/v1/requests"]["post"]["responses"])
    assert "207" in paths["/v1/requests/batch"]["post"]["responses"]
