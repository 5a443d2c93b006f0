"""Reading calls: HEAD says what GET would, and a version that the caller has is not sent again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import REGISTRY
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from shared import http
from shared.database import Database
from shared.runtime import Runtime
from tests.shared.callers import caller
from tests.shared.sample import sample_app, settings

pytestmark = [pytest.mark.postgres, pytest.mark.api]


@pytest.fixture
async def reader(service_database: Database) -> AsyncIterator[httpx.AsyncClient]:
    app = sample_app(Runtime.for_tests(service_database, settings()))
    app.include_router(_shelf())
    async with caller(app) as client:
        yield client


def _shelf() -> http.Router:
    router = http.Router()
    public = http.PUBLIC("a test")

    @router.get("/shelf", scope=public)
    async def shelf() -> Response:
        return Response(b"a book", headers={"ETag": http.etag(7), "Cache-Control": "no-cache", "Content-Language": "en"})

    @router.post("/shelf", scope=public)
    async def put() -> Response:
        return Response(b"put", headers={"ETag": http.etag(8)})

    @router.get("/endless", scope=public)
    async def endless(request: Request) -> StreamingResponse:
        async def lines() -> AsyncIterator[bytes]:
            while True:
                yield b"line\n"
                await asyncio.sleep(0)

        return StreamingResponse(lines(), media_type="text/plain")

    return router


@pytest.mark.parametrize("path", ["/shelf", "/livez", "/openapi.json", "/docs", "/login", "/v1/things/1", "/nowhere"])
async def test_head_says_what_get_would_without_the_body(reader: httpx.AsyncClient, path: str) -> None:
    full, head = await reader.get(path), await reader.head(path)

    assert head.status_code == full.status_code
    assert head.content == b""
    varying = {"x-request-id"}
    assert {name: value for name, value in head.headers.items() if name not in varying} == {
        name: value for name, value in full.headers.items() if name not in varying
    }


async def test_head_of_what_only_takes_changes_is_refused(reader: httpx.AsyncClient) -> None:
    answer = await reader.head("/v1/hot")

    assert (answer.status_code, answer.headers["Allow"], answer.content) == (405, "POST", b"")


async def test_head_of_a_stream_without_end_ends(reader: httpx.AsyncClient) -> None:
    async with asyncio.timeout(5):
        answer = await reader.head("/endless")

    assert (answer.status_code, answer.content) == (200, b"")


async def test_a_head_is_counted_as_one(reader: httpx.AsyncClient) -> None:
    labels = {"service": "tickets", "route": "/shelf", "method": "HEAD", "status_class": "2xx"}
    before = REGISTRY.get_sample_value("http_requests_total", labels) or 0.0

    await reader.head("/shelf")

    assert REGISTRY.get_sample_value("http_requests_total", labels) == before + 1


@pytest.mark.parametrize("known", ['"7"', 'W/"7"', '"1", "7"', ' "1" ,W/"7"', "*"])
async def test_a_version_that_the_caller_has_is_not_sent_again(reader: httpx.AsyncClient, known: str) -> None:
    for answer in (
        await reader.get("/shelf", headers={"If-None-Match": known}),
        await reader.head("/shelf", headers={"If-None-Match": known}),
    ):
        assert (answer.status_code, answer.content) == (304, b"")
        assert (answer.headers["ETag"], answer.headers["Cache-Control"]) == ('"7"', "no-cache")
        assert "Content-Length" not in answer.headers
        assert "Content-Language" not in answer.headers
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("known", ['"6"', "7", '"77"', "", '"', "\xe9"])
async def test_another_version_is_sent(reader: httpx.AsyncClient, known: str) -> None:
    answer = await reader.get("/shelf", headers={"If-None-Match": known.encode("latin-1")})

    assert (answer.status_code, answer.content) == (200, b"a book")


async def test_what_has_no_version_and_what_changes_something_is_always_answered(reader: httpx.AsyncClient) -> None:
    assert (await reader.get("/livez", headers={"If-None-Match": "*"})).status_code == 200
    assert (await reader.post("/shelf", headers={"If-None-Match": '"8"'})).content == b"put"
    assert (await reader.get("/nowhere", headers={"If-None-Match": "*"})).status_code == 404


async def test_a_file_of_a_page_is_sent_once(sample: FastAPI) -> None:
    async with caller(sample) as browser:
        page = (await browser.get("/docs")).text
        [script] = [part for part in page.split('"') if part.endswith("swagger-ui-bundle.js")]
        first = await browser.get(f"/{script}")
        second = await browser.get(f"/{script}", headers={"If-None-Match": first.headers["ETag"]})
        plain = await browser.get(f"/{script}", headers={"Accept-Encoding": "identity"})

    assert first.headers["Content-Encoding"] == "gzip"
    assert int(first.headers["Content-Length"]) < len(first.content) / 2
    assert second.status_code == 304
    assert plain.content == first.content
    assert plain.headers["ETag"] != first.headers["ETag"]


async def test_an_old_address_of_a_file_still_answers_but_nobody_may_keep_it(sample: FastAPI) -> None:
    async with caller(sample) as browser:
        old = await browser.get("/login/assets/0123456789abcdef/house.css")
        unknown = await browser.get("/login/assets/0123456789abcdef/passwd")

    assert (old.status_code, old.headers["Cache-Control"]) == (200, "no-cache")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "file_unknown")
