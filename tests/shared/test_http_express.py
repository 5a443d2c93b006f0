"""The short way to hot routes gives the same answers as the ordinary one, by messages and in one piece."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import orjson
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from starlette.types import Message, Receive, Scope, Send

from shared import http, telemetry
from shared.auth import Role
from shared.database import Database
from shared.http.express import WHOLE
from shared.http.quotas import Quotas
from shared.runtime import Runtime
from shared.server import listen, new_server
from tests.shared.callers import new_key
from tests.shared.sample import sample_app
from tests.shared.sample import settings as sample_settings

pytestmark = [pytest.mark.postgres, pytest.mark.api]

Way = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = Sequence[tuple[bytes, bytes]]

PATH = "/v1/hot"
ID = (b"x-request-id", b"law-of-both-ways")
JSON = (b"content-type", b"application/json")
UNSAID = [(b"vary", b"Origin")]
"""The short way knows no origins; and what nobody may store cannot be mistaken for another one's."""
GOOD = b'{"text": "A kettle"}'


class Answered(NamedTuple):
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


@pytest.fixture(scope="module")
def app_of_run(service_pool: Database) -> FastAPI:
    """The sample with routes that answer in one piece, and badly."""
    app = sample_app(Runtime.for_tests(service_pool, sample_settings()))
    app.include_router(_ready())
    return app


@pytest.fixture
def app(app_of_run: FastAPI, service_database: Database) -> FastAPI:
    """The same with an empty database."""
    app_of_run.state.runtime.keys.forget()
    return app_of_run


def _ready() -> http.Router:
    router = http.Router()

    @router.hot_post("/v1/ready", scope="request:create", body=http.RequestModel, operation_id="ready")
    async def ready(request: Any) -> http.Ready:
        return http.Ready(orjson.dumps(await request.json()), status_code=202, headers=[(b"idempotent-replayed", b"true")])

    @router.hot_post("/v1/bug", scope="request:create", body=http.RequestModel, operation_id="bug")
    async def bug(_request: Any) -> http.Ready:
        raise ValueError("Zhang San, 13800138000")

    @router.hot_post("/v1/outage", scope="request:create", body=http.RequestModel, operation_id="outage")
    async def outage(_request: Any) -> http.Ready:
        raise ConnectionRefusedError("postgresql://user:secret@db/aftercare")

    return router


def ordinary(app: FastAPI) -> Way:
    """The application without its short way."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        await FastAPI.__call__(app, scope, receive, send)

    return call


async def asked(way: Way, headers: Headers, pieces: Sequence[bytes], *, path: str = PATH, **extensions: Any) -> Answered:
    """What a call is answered, its body arriving in pieces."""
    scope = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b"", "headers": list(headers)}
    scope |= {"http_version": "1.1", "scheme": "http", "root_path": "", "extensions": extensions}
    waiting = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    waiting.append({"type": "http.request", "body": b"", "more_body": False})
    sent: list[Message] = []

    async def receive() -> Message:
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await way(scope, receive, send)
    start, *rest = sent
    headers = [pair for pair in start["headers"] if pair not in UNSAID]
    return Answered(start["status"], headers, b"".join(part.get("body", b"") for part in rest))


class InOnePiece:
    """A server that takes answers in one piece."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.answers: list[Answered] = []

    def body(self, _receive: Receive) -> bytes:
        return self._body

    def answer(self, _send: Send, status: int, headers: bytes, body: bytes) -> bool:
        pairs = [line.split(b": ", 1) for line in headers.split(b"\r\n")[:-1]]
        self.answers.append(Answered(status, [(name, value) for name, value in pairs], body))
        return True


async def asked_whole(app: FastAPI, headers: Headers, body: bytes, *, path: str) -> Answered:
    """What a call is answered by a server that hands it over and takes the answer in one piece."""
    server = InOnePiece(body)
    try:
        return await asked(app, headers, [body], path=path, **{WHOLE: server})
    except ValueError:  # no message was sent
        [answer] = server.answers
        return answer


bodies = st.one_of(
    st.just(GOOD),
    st.sampled_from(
        [b"", b"null", b"{", b"[1]", b'{"text": ""}', b'{"text": "a\\u0000"}', b'{"text": "a", "more": 1}', b"[" * 40 + b"]" * 40]
    ),
    st.sampled_from([b'{"text": "' + b"x" * size + b'"}' for size in (19_000, 21_000, http.BODY_LIMIT)]),
    st.binary(max_size=40),
)
odd_headers = st.lists(
    st.sampled_from(
        [
            (b"content-type", b"text/plain"),
            (b"content-length", b"999999"),
            (b"idempotency-key", b"k-1"),
            (b"idempotency-key", b"\xff"),
            (b"origin", b"http://evil.example"),
            (b"cookie", b"aftercare_session=x"),
            (b"traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
            (b"x-request-id", b"another-id"),
            (b"authorization", b"Bearer nonsense"),
        ]
    ),
    max_size=3,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from([PATH, "/v1/ready", "/v1/bug", "/v1/outage"]),
    role=st.sampled_from([Role.ADMIN, Role.OPS, None]),
    odd=odd_headers,
    body=bodies,
    cut=st.integers(0, 30),
    limit=st.sampled_from([0, 1, 1000]),
)
async def test_both_ways_give_the_same_answer(
    app: FastAPI, keys: dict[Role, str], path: str, role: Role | None, odd: Headers, body: bytes, cut: int, limit: int
) -> None:
    credential = [] if role is None else [(b"authorization", f"Bearer {keys[role]}".encode())]
    headers = [ID, JSON, *credential, *odd]

    def fresh() -> None:
        app.state.quotas = Quotas(limit)

    fresh()
    plain = await asked(ordinary(app), headers, [body[:cut], body[cut:]], path=path)
    fresh()
    short = await asked(app, headers, [body[:cut], body[cut:]], path=path)

    assert short == plain
    if plain.status == 202 and path == "/v1/ready":
        fresh()
        assert await asked_whole(app, headers, body, path=path) == plain


@pytest.fixture
async def keys(app: FastAPI, service_database: Database) -> dict[Role, str]:
    """A key of each of two roles."""
    return {role: await new_key(service_database, role) for role in (Role.ADMIN, Role.OPS)}


async def test_both_ways_are_counted_and_logged_alike(app: FastAPI, keys: dict[Role, str]) -> None:
    def handled(status_class: str) -> float:
        labels = {"service": "tickets", "route": PATH, "method": "POST", "status_class": status_class}
        return REGISTRY.get_sample_value("http_requests_total", labels) or 0.0

    headers = [ID, JSON, (b"authorization", f"Bearer {keys[Role.ADMIN]}".encode())]
    written = []
    for way in (ordinary(app), app):
        before = handled("2xx"), handled("4xx")
        stream = io.StringIO()
        with telemetry.lines_to(stream):
            await asked(way, headers, [GOOD])
            await asked(way, headers, [b"{"])
        assert (handled("2xx"), handled("4xx")) == (before[0] + 1, before[1] + 1)
        lines = [orjson.loads(line) for line in stream.getvalue().splitlines()]
        written.append([{name: line[name] for name in ("event", "route", "method", "status", "request_id", "role")} for line in lines])

    assert written[0] == written[1]
    assert [line["status"] for line in written[0]] == [202, 400]


async def test_a_caller_who_hangs_up_is_counted_as_gone(app: FastAPI, keys: dict[Role, str]) -> None:
    headers = [JSON, (b"authorization", f"Bearer {keys[Role.ADMIN]}".encode())]
    stream = io.StringIO()
    with telemetry.lines_to(stream):
        scope = {"type": "http", "method": "POST", "path": PATH, "query_string": b"", "headers": headers}

        async def receive() -> Message:
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            raise AssertionError("nobody is there")

        await app(scope, receive, send)

    [line] = [orjson.loads(line) for line in stream.getvalue().splitlines()]
    assert line["status"] == 499


# --- over a connection ----------------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def served(way: Any) -> AsyncIterator[int]:
    listening = listen("127.0.0.1", 0)
    server = new_server(way, patience=1)
    task = asyncio.create_task(server.serve([listening]))
    try:
        yield int(listening.getsockname()[1])
    finally:
        server.should_exit = True
        await task


async def said(port: int, pieces: Sequence[bytes]) -> list[bytes]:
    """The lines of all that a server answers, without the date and what only the ordinary way says."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(10):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.01)
        answer = await reader.read(-1)
    writer.close()
    return [line for line in answer.split(b"\r\n") if not line.startswith((b"date: ", b"vary: "))]


async def test_a_server_says_the_same_both_ways(app: FastAPI, keys: dict[Role, str]) -> None:
    app.state.quotas = Quotas(0)
    head = (
        b"POST /v1/ready HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nX-Request-Id: law-of-both-ways\r\n"
        b"Authorization: Bearer %b\r\nContent-Length: %d\r\n" % (keys[Role.ADMIN].encode(), len(GOOD))
    )
    last = head + b"Connection: close\r\n\r\n" + GOOD
    chunked = last.replace(b"Content-Length: %d" % len(GOOD), b"Transfer-Encoding: chunked").replace(
        GOOD, b"%x\r\n%b\r\n0\r\n\r\n" % (len(GOOD), GOOD)
    )
    wrong = last.replace(GOOD, b"x" * len(GOOD))
    alone = [[last], [last[:60], last[60:-7], last[-7:]], [chunked], [wrong], [last.replace(b"HTTP/1.1", b"HTTP/1.0")]]
    several = [[head + b"\r\n" + GOOD, last], [head + b"\r\n" + GOOD + last], [head + b"\r\n" + GOOD + wrong]]
    continued = [[head + b"Connection: close\r\nExpect: 100-continue\r\n\r\n", GOOD]]

    async with served(app) as short, served(ordinary(app)) as plain:
        for pieces in (*alone, *several, *continued):
            answer = await said(short, pieces)
            assert answer[0].startswith(b"HTTP/1.1 ")
            assert answer == await said(plain, pieces)
