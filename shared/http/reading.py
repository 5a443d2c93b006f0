"""What HTTP promises about every reading call: HEAD is answered as GET would be, without the body, and who has read a version already
(If-None-Match) is told 304 instead of being sent it again.

Nothing here costs a request that uses neither.
"""

from __future__ import annotations

import re
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_TAG: Final = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')
_OF_NOT_MODIFIED: Final = frozenset({"etag", "cache-control", "content-location", "expires", "vary", "date"})
"""Headers that a 304 repeats (RFC 9110, 15.4.5); those about the body stay away with it. Headers that the door and CORS add come later."""


class Reading:
    """A middleware around the routes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["method"] not in {"GET", "HEAD"}:
            await self._app(scope, receive, send)
            return
        known = Headers(scope=scope).get("if-none-match")
        is_head = scope["method"] == "HEAD"
        if known is None and not is_head:
            await self._app(scope, receive, send)
            return
        scope["method"] = "GET"
        answer = _Bodiless(send, known=known, is_head=is_head)
        try:
            await self._app(scope, receive, answer.send)
        except ClientDisconnect:
            # how a stream ends that nobody is sent; a caller who did hang up is told on
            if not answer.is_ended:
                raise


class _Bodiless:
    """Passes an answer on, without its body where that is not wanted."""

    def __init__(self, send: Send, *, known: str | None, is_head: bool) -> None:
        self._send = send
        self._known = known
        self._is_head = is_head
        self._drops_body = is_head
        self.is_ended = False

    async def send(self, message: Message) -> None:
        """The next part of the answer."""
        if message["type"] == "http.response.start":
            await self._send(self._begun(message))
        elif not self._drops_body:
            await self._send(message)
        else:
            await self._end(message)

    def _begun(self, message: Message) -> Message:
        headers = MutableHeaders(scope=message)
        if message["status"] == 200 and _matches(self._known, headers.get("etag")):
            self._drops_body = True
            kept = [(name, value) for name, value in message["headers"] if name.decode("latin-1").lower() in _OF_NOT_MODIFIED]
            return {**message, "status": 304, "headers": kept}
        return message

    async def _end(self, message: Message) -> None:
        if not self.is_ended:
            self.is_ended = True
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        if message.get("more_body", False):
            # a stream may have no end; this is how a server tells an application that there is nobody to send to
            raise ClientDisconnect


def _matches(known: str | None, etag: str | None) -> bool:
    """Whether the caller has this version (weak comparison: a compressed body is the same version)."""
    if known is None or etag is None:
        return False
    return known.strip() == "*" or etag.removeprefix("W/") in {tag.removeprefix("W/") for tag in _TAG.findall(known)}
