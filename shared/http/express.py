"""The short way to hot routes: past FastAPI and all middleware, which cost more than the routes do.

It takes what programs send: a call of a hot route's exact address with an API key, without a query, an Origin or a header that comes twice.
Everything else goes the ordinary way. Both ways give the same answers (but for `Vary: Origin`, which means nothing without an Origin),
figures and lines of the log, and that is a law of the tests.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple, Protocol

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from shared import errors, telemetry
from shared.http import admission, problems
from shared.http.body import BoundedRequest
from shared.http.door import CLIENT_GONE, RAW_HEADERS, Answer, Book, Outages, request_id_of, text_of
from shared.http.ready import Ready
from shared.http.routes import PUBLIC, Handler, HotRoute

WHOLE: Final = "aftercare.whole"
"""Extension of a scope: how a server hands a request over and takes its answer in one piece each."""

_SAFE_HEADERS: Final = b"".join(b"%b: %b\r\n" % pair for pair in RAW_HEADERS)


class Whole(Protocol):
    """What a server of ours has under `WHOLE`."""

    def body(self, receive: Receive) -> bytes | None:
        """The body, if all of it is there; None: ask ``receive``."""

    def answer(self, send: Send, status: int, headers: bytes, body: bytes) -> bool:
        """Send an answer whose body has the length that its headers say; False: nothing was sent, use ``send``."""


class Hot(NamedTuple):
    """A hot route, and what each call of it needs of it."""

    route: HotRoute
    endpoint: Handler
    demanded: str


class Call(NamedTuple):
    """A call that goes the short way, with its headers by their names in small letters."""

    hot: Hot
    headers: dict[bytes, bytes]


class Express:
    """The hot routes of an application."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._book: Book = app.state.book
        self._outages = Outages()
        self._routes = _hot_routes(app)

    def call_of(self, scope: Scope) -> Call | None:
        """The call, if it is one of a hot route; None: it goes the ordinary way."""
        hot = self._routes.get((scope["method"], scope["path"]))
        if hot is None or scope["query_string"]:
            return None
        headers = dict(scope["headers"])
        is_plain = len(headers) == len(scope["headers"]) and b"origin" not in headers and b"authorization" in headers
        return Call(hot, headers) if is_plain else None

    async def answer(self, call: Call, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a call of a hot route."""
        (route, endpoint, demanded), headers = call
        request_id = request_id_of(headers.get(b"x-request-id"))
        scope["app"], scope["route"] = self._app, route
        scope.setdefault("state", {})["request_id"] = request_id
        whole: Whole | None = scope.get("extensions", {}).get(WHOLE)
        status = 500
        came_at = self._book.came()
        with telemetry.trace(text_of(headers.get(b"traceparent"))):
            try:
                request = BoundedRequest(scope, receive, limit=route.body_limit)
                try:
                    await admission.admit_key(request, headers[b"authorization"].decode("latin-1"), demanded)
                    if whole is not None and (body := whole.body(receive)) is not None:
                        request.arrived(body)
                    await request.read_json()
                    response = await endpoint(request)
                except Exception as error:
                    response = self._refusal(request, error)
                status = response.status_code
                if whole is None or not isinstance(response, Ready) or not _send_whole(whole, send, response, scope, request_id):
                    await response(scope, receive, Answer(scope, send, request_id).send)
            except ClientDisconnect:
                status = CLIENT_GONE
            finally:
                self._book.went(scope, scope["method"], status, came_at)

    def _refusal(self, request: Request, error: Exception) -> Response:
        if isinstance(error, ClientDisconnect):
            raise error
        if not isinstance(error, errors.ServiceError):
            error = self._outages.problem_of(error, request_id=request.scope["state"]["request_id"])
        return problems.response(request, error)


def _send_whole(whole: Whole, send: Send, response: Ready, scope: Scope, request_id: str) -> bool:
    head = [b"%b: %b\r\n" % pair for pair in response.raw_headers]
    head.append(_SAFE_HEADERS)
    quota = scope["state"].get("quota")
    if quota is not None:
        head += [b"%b: %b\r\n" % pair for pair in quota.headers()]
    head.append(b"x-request-id: %b\r\n" % request_id.encode())
    return whole.answer(send, response.status_code, b"".join(head), bytes(response.body))


def _hot_routes(app: FastAPI) -> dict[tuple[str, str], Hot]:
    routes: dict[tuple[str, str], Hot] = {}
    for context in iter_route_contexts(app.routes):
        route: Any = context.original_route
        if isinstance(route, HotRoute) and "{" not in route.path and not isinstance(route.access, PUBLIC):
            hot = Hot(route, route.endpoint_handler(), str(route.access))
            routes |= {(method, route.path): hot for method in route.methods or ()}
    return routes
