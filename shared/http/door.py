"""What happens to every request, whatever it asks for: it gets an id and a trace, is counted and timed, and its answer gets safe headers.

Errors that no handler knows end here: a database that is away is 503, everything else is a fault of ours, logged in full and answered
without a word about it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final

from prometheus_client import Counter, Histogram
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared import clock, errors, telemetry
from shared.database import is_transient
from shared.http import problems
from shared.http.quotas import Quota
from shared.ids import random_digits
from shared.telemetry.quiet import Quiet

log = telemetry.logger()

REQUEST_ID: Final = "X-Request-Id"
_ACCEPTED_ID: Final = re.compile(r"[A-Za-z0-9._-]{8,64}", re.ASCII)

HEADERS: Final[Mapping[str, str]] = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
"""On every answer that does not set them itself: pages allow their own styles, static files may be kept."""

RAW_HEADERS: Final = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
"""The same as they go out."""
_OURS: Final = frozenset({b"x-request-id", b"traceparent"})

UNLOGGED: Final = frozenset({"/livez", "/readyz", "/startupz", "/metrics"})
"""Asked every few seconds by machines."""

CLIENT_GONE: Final = 499
"""Status in log and figures of a request whose caller hung up before he had sent it all."""

LINES_PER_SECOND: Final = 200
"""Of the access log, for each class of statuses: a flood of equal lines costs more than the requests, and the figures count them all."""
OUTAGES_PER_SECOND: Final = 10


class Book:
    """The figures and the access log of one application."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._in_flight = telemetry.HTTP_IN_FLIGHT.labels(service)
        self._figures: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._budgets = defaultdict[int, Quiet](lambda: Quiet(burst=LINES_PER_SECOND, period=1.0))

    def came(self) -> float:
        """A request came; the moment, for `went`."""
        self._in_flight.inc()
        return clock.monotonic()

    def went(self, scope: Scope, method: str, status: int, came_at: float) -> None:
        """It was answered, or its caller is gone."""
        self._in_flight.dec()
        seconds = clock.monotonic() - came_at
        route = getattr(scope.get("route"), "path", "unknown")
        requests, durations = self._figures_of(route, method, status // 100)
        requests.inc()
        durations.observe(seconds)
        if scope["path"] in UNLOGGED:
            return
        suppressed = self._budgets[status // 100].admits()
        if suppressed is None:
            return
        principal = scope["state"].get("principal")
        log.info(
            "request_handled",
            method=method,
            route=route,
            status=status,
            duration_ms=round(seconds * 1000, 2),
            request_id=scope["state"]["request_id"],
            role=None if principal is None else principal.role,
            **({"suppressed": suppressed} if suppressed else {}),
        )

    def _figures_of(self, route: str, method: str, status_class: int) -> tuple[Counter, Histogram]:
        """Looked up once: finding a figure by its labels costs more than adding to it."""
        key = (route, method, status_class)
        if key not in self._figures:
            requests = telemetry.HTTP_REQUESTS.labels(self._service, route, method, f"{status_class}xx")
            self._figures[key] = (requests, telemetry.HTTP_REQUEST_SECONDS.labels(self._service, route, method))
        return self._figures[key]


class Door:
    """The outermost middleware; it writes into the application's book."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = {name: value for name, value in scope["headers"] if name in _OURS}
        request_id = request_id_of(given.get(b"x-request-id"))
        scope.setdefault("state", {})["request_id"] = request_id
        book: Book = scope["app"].state.book
        answer = Answer(scope, send, request_id)
        # what it was when it came: a HEAD is handed on as a GET
        method = scope["method"] if scope["method"] in _METHODS else "other"
        came_at = book.came()
        with telemetry.trace(text_of(given.get(b"traceparent"))):
            try:
                await self._app(scope, receive, answer.send)
            except ClientDisconnect:
                answer.status = CLIENT_GONE
            finally:
                book.went(scope, method, answer.status, came_at)


_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Answer:
    """Passes an answer on: with our headers, and as a problem where a library said no in plain text."""

    def __init__(self, scope: Scope, send: Send, request_id: str) -> None:
        self.status = 500
        self._scope = scope
        self._send = send
        self._request_id = request_id
        self._is_replaced = False

    async def send(self, message: Message) -> None:
        """The next part of the answer."""
        if message["type"] == "http.response.start":
            await self._start(message)
        elif not self._is_replaced:
            await self._send(message)

    async def _start(self, message: Message) -> None:
        self.status = message["status"]
        if self.status >= 400:
            headers = MutableHeaders(scope=message)
            if headers.get("content-type", "text/plain").startswith("text/plain"):
                await self._replace(headers)
                return
        await self._send_start(message)

    async def _replace(self, original: MutableHeaders) -> None:
        error = problems.kind_of_status(self.status)("The request was refused.")
        kept = {name: value for name, value in original.items() if name not in {"content-type", "content-length"}}
        self._is_replaced = True
        replacement = problems.response(Request(self._scope), error, status=self.status, headers=kept)
        await replacement(self._scope, _nothing, self._send_start)

    async def _send_start(self, message: Message) -> None:
        """Pass a part on; to the first part our headers are added."""
        if message["type"] == "http.response.start":
            present = {name.lower() for name, _ in message["headers"]}
            ours = [pair for pair in RAW_HEADERS if pair[0] not in present]
            quota: Quota | None = self._scope["state"].get("quota")
            standing = [] if quota is None else quota.headers()
            message["headers"] = [*message["headers"], *ours, *standing, (b"x-request-id", self._request_id.encode())]
        await self._send(message)


class Outages:
    """What is told and logged of an error that no handler knows."""

    def __init__(self) -> None:
        self._outages = Quiet(burst=OUTAGES_PER_SECOND, period=1.0)

    def problem_of(self, error: Exception, *, request_id: str | None) -> errors.ServiceError:
        """What the caller is told; the error itself goes to the log."""
        if is_transient(error):
            if (suppressed := self._outages.admits()) is not None:
                log.warning("database_unavailable", request_id=request_id, suppressed=suppressed, exc_info=error)
            return errors.Unavailable("We cannot do this now, and nothing was done. Try again in a moment.")
        log.error("request_failed", request_id=request_id, exc_info=error)
        return problems.Internal("Something went wrong on our side. Name the request id when you ask about it.")


class Faults:
    """The innermost middleware, so that a page of another origin may read these answers too: errors that no handler knows."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._outages = Outages()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever happens."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_begun = False

        async def noticed(message: Message) -> None:
            nonlocal is_begun
            is_begun = True
            await send(message)

        try:
            await self._app(scope, receive, noticed)
        except ClientDisconnect:
            raise
        except Exception as error:
            problem = self._outages.problem_of(error, request_id=scope.get("state", {}).get("request_id"))
            if is_begun:
                # the status is out: all that is left is to break the connection off, so that nobody takes the part for the whole
                raise
            await problems.response(Request(scope), problem)(scope, receive, send)


def request_id_of(header: bytes | None) -> str:
    """The caller's id of the request where it can be written into logs and headers; else one of ours."""
    given = text_of(header)
    return given if given and _ACCEPTED_ID.fullmatch(given) else random_digits(24)


def text_of(header: bytes | None) -> str | None:
    """A header's value as text."""
    return None if header is None else header.decode("latin-1")


async def _nothing() -> dict[str, Any]:
    return {"type": "http.disconnect"}
