"""Routes: who is admitted, in which order a request is judged, and that none exists without a scope."""

from __future__ import annotations

import httpx
import pytest
from fastapi import APIRouter, FastAPI

from shared import http
from shared.auth import GRANTS, Role
from shared.database import Database
from tests.shared.callers import caller, new_key

pytestmark = [pytest.mark.postgres, pytest.mark.api]

JSON = {"Content-Type": "application/json"}


def test_a_route_without_a_scope_cannot_be_registered(sample: FastAPI) -> None:
    with pytest.raises(TypeError, match="scope"):
        http.Router().get("/v1/open")  # type: ignore[call-arg]


def test_a_route_registered_past_the_router_is_refused(sample: FastAPI) -> None:
    with pytest.raises(http.UnprotectedRoute, match="/v1/open"):
        sample.get("/v1/open")(lambda: None)


def test_a_scope_that_no_role_knows_is_refused() -> None:
    with pytest.raises(http.UnprotectedRoute, match="tickets:read"):
        http.Router().get("/v1/open", scope="tickets:read")


def test_an_ordinary_router_is_not_a_way_around(sample: FastAPI) -> None:
    router = APIRouter()
    router.get("/v1/open")(lambda: None)

    with pytest.raises(http.UnprotectedRoute, match="/v1/open"):
        sample.include_router(router)


async def test_who_sends_no_key_is_asked_for_one(nobody: httpx.AsyncClient) -> None:
    answer = await nobody.get("/v1/things/1")

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="aftercare"'
    assert answer.json()["code"] == "credential_missing"


@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer nonsense",
        "Bearer ak_local_abcdef_" + "x" * 43,
        "Bearer ak_local_abcdef_short",
        "Basic YTpi",
        "Bearer",
        "bearer  ",
        "Bearer \xe9",
    ],
)
async def test_a_key_that_does_not_hold_is_refused_without_a_reason(nobody: httpx.AsyncClient, authorization: str) -> None:
    answer = await nobody.get("/v1/things/1", headers={"Authorization": authorization.encode("latin-1")})

    assert answer.status_code == 401
    assert answer.json()["code"] in {"credential_invalid", "credential_missing"}
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert "nonsense" not in answer.text


@pytest.mark.parametrize("role", list(Role))
async def test_each_role_passes_exactly_the_routes_whose_scope_it_holds(sample: FastAPI, service_database: Database, role: Role) -> None:
    routes = {"request:create": ("POST", "/v1/things"), "ticket:read": ("GET", "/v1/things/1"), "ticket:act": ("PATCH", "/v1/things/1")}

    async with caller(sample, await new_key(service_database, role)) as client:
        answers = {scope: await client.request(method, path) for scope, (method, path) in routes.items()}

    for scope, answer in answers.items():
        assert (answer.status_code == 403) == (scope not in GRANTS[role]), f"{role} at {scope}"
        if answer.status_code == 403:
            assert answer.json()["scope"] == scope


async def test_a_key_with_fewer_scopes_than_its_role_passes_only_those(sample: FastAPI, service_database: Database) -> None:
    key = await new_key(service_database, Role.AGENT, scopes=["ticket:read"])

    async with caller(sample, key) as client:
        assert (await client.get("/v1/things/1")).status_code == 200
        assert (await client.patch("/v1/things/1")).status_code == 403


async def test_without_a_key_nobody_learns_what_is_wrong_with_his_body(nobody: httpx.AsyncClient) -> None:
    for body in (b"{", b"[" * 50_000, b'{"unknown": 1}', b"x" * 300_000):
        answer = await nobody.post("/v1/things", content=body, headers=JSON)
        assert answer.status_code == 401


async def test_an_unknown_query_parameter_is_named(admin: httpx.AsyncClient) -> None:
    answer = await admin.get("/v1/things/1?exapnd=true")

    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {"pointer": "?exapnd", "code": "extra_forbidden", "detail": "This query parameter is not known here."}
    ]


async def test_nothing_is_named_with_a_nul_character(admin: httpx.AsyncClient) -> None:
    assert (await admin.get("/v1/things/a%00b")).status_code == 404


async def test_a_query_with_a_nul_character_is_refused(admin: httpx.AsyncClient) -> None:
    answer = await admin.get("/v1/things/1?expand=%00")

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "?expand"


async def test_a_public_route_takes_parameters_that_others_add_to_links(nobody: httpx.AsyncClient) -> None:
    assert (await nobody.get("/faults/busy?utm_source=mail")).status_code == 429


async def test_an_address_that_is_not_there_is_a_problem(nobody: httpx.AsyncClient) -> None:
    answer = await nobody.get("/v2/things")

    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"


async def test_a_wrong_method_names_all_right_ones(nobody: httpx.AsyncClient) -> None:
    answer = await nobody.delete("/v1/things/1")

    assert answer.status_code == 405
    assert answer.headers["Allow"] == "GET, PATCH"
    assert answer.json()["allowed"] == ["GET", "PATCH"]


async def test_a_slash_too_many_is_not_forgiven_by_a_redirect(admin: httpx.AsyncClient) -> None:
    assert (await admin.get("/v1/things/1/")).status_code == 404


async def test_a_hot_route_is_judged_like_any_other(admin: httpx.AsyncClient, nobody: httpx.AsyncClient) -> None:
    good = await admin.post("/v1/hot", json={"text": " hello "}, headers={"Idempotency-Key": '"k-1"'})
    bad = await admin.post("/v1/hot", json={"text": "", "parts": [{"at": "now"}], "extra": 1})
    unsound = await admin.post("/v1/hot", content=b"{", headers=JSON)
    unknown = await nobody.post("/v1/hot", json={"text": "hello"})

    assert (good.status_code, good.json()) == (202, {"id": "k-1", "text": "hello", "by": "admin"})
    assert (bad.status_code, unsound.status_code, unknown.status_code) == (422, 400, 401)
    assert {error["pointer"] for error in bad.json()["errors"]} == {"#/text", "#/parts/0/at", "#/extra"}


async def test_a_page_of_ours_may_call_a_hot_route(admin: httpx.AsyncClient) -> None:
    origin = "http://127.0.0.1:8001"

    answer = await admin.post("/v1/hot", json={"text": "hello"}, headers={"Origin": origin})
    refused = await admin.post("/v1/hot", json={"text": ""}, headers={"Origin": origin})

    assert (answer.status_code, refused.status_code) == (202, 422)
    assert {response.headers["Access-Control-Allow-Origin"] for response in (answer, refused)} == {origin}


async def test_a_hot_route_that_fails_is_a_problem_like_any_other(
    sample: FastAPI, admin: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> object:
        raise ConnectionRefusedError

    sample.state.runtime.keys.forget()
    monkeypatch.setattr(sample.state.runtime.database, "transaction", away)

    answer = await admin.post("/v1/hot", json={"text": "hello"})

    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert "X-Request-Id" in answer.headers


async def test_another_method_at_a_hot_route_is_refused(admin: httpx.AsyncClient) -> None:
    assert (await admin.get("/v1/hot")).headers["Allow"] == "POST"
