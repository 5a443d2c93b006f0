"""The HTTP server of a process: uvicorn, run inside our own event loop and ended by us.

uvicorn would handle signals itself and exit; here it is one of several parts that end in a fixed order.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from typing import Any, Final

import uvicorn
from fastapi import FastAPI
from starlette.types import Receive, Send
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from shared.http.express import WHOLE

CONCURRENCY: Final = 2_000
"""Connections and requests beyond which uvicorn itself says 503: the outer wall, behind the services' own."""
BACKLOG: Final = 2_048
MAX_HEAD: Final = 32 * 1024
"""Bytes of a request's first line and headers; browsers and API clients send a few hundred, a proxy with tokens a few thousand."""

_TOO_LARGE: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/problem+json\r\nconnection: close\r\n"
    b"x-content-type-options: nosniff\r\ncache-control: no-store\r\ncontent-length: %d\r\n\r\n%s"
)
_PROBLEM: Final = (
    b'{"type":"about:blank","title":"The headers are too large","status":431,"code":"headers_too_large",'
    b'"detail":"The first line and the headers of a request may have %d bytes at most."}' % MAX_HEAD
)


class PortTaken(Exception):
    """Somebody else listens there."""


class HeadTooLarge(Exception):
    """The first line and the headers of a request have more bytes than we read."""


class InOnePiece:
    """A request and its answer in one piece each; what uvicorn does with the messages of ASGI, without looking at each header again."""

    def body(self, receive: Receive) -> bytes | None:
        """The body, if all of it is there."""
        cycle = _cycle_of(receive)
        if cycle is None or cycle.more_body or cycle.waiting_for_100_continue or cycle.disconnected or cycle.response_started:
            return None
        return bytes(cycle.body)

    def answer(self, send: Send, status: int, headers: bytes, body: bytes) -> bool:
        """Send an answer; False where it has to wait, or there is nobody to send it to."""
        cycle = _cycle_of(send)
        if cycle is None or cycle.flow.write_paused or cycle.disconnected or cycle.response_started:
            return False
        cycle.response_started = cycle.response_complete = True
        always = b"".join([b"%b: %b\r\n" % pair for pair in cycle.default_headers])
        close = b"" if cycle.keep_alive else b"connection: close\r\n"
        cycle.transport.write(b"".join([STATUS_LINE[status], always, headers, close, b"\r\n", body]))
        cycle.message_event.set()
        if not cycle.keep_alive:
            cycle.transport.close()
        cycle.on_response()
        return True


def _cycle_of(method: Receive | Send) -> RequestResponseCycle | None:
    """Whose method it is; None where somebody has wrapped it."""
    cycle = getattr(method, "__self__", None)
    return cycle if isinstance(cycle, RequestResponseCycle) else None


_EXTENSIONS: Final[dict[str, Any]] = {WHOLE: InOnePiece()}
"""Of every request the same: one that held its request would be a circle, which only the garbage collector clears away."""


class BoundedHeads(HttpToolsProtocol):
    """uvicorn's fast protocol, which by itself keeps any number of headers of any length in memory before anybody is asked."""

    _is_in_head = False
    _is_refused = False
    _head_bytes = 0
    _piece = 0

    def data_received(self, data: bytes) -> None:
        """Read on, unless the head of a request has become too large."""
        was_in_head = self._is_in_head
        self._piece = len(data)
        super().data_received(data)
        # the parser tells us of a header when it is complete, and this one may never be: so the bytes themselves are counted, but for those
        # that came together with the end of an earlier request
        if self._is_in_head and (was_in_head or self.cycle is None):
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD:
                self._refuse()

    def on_message_begin(self) -> None:
        """A request begins."""
        self._is_in_head = True
        self._head_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """All headers are there; a large head may have come in one piece.

        Raises:
            HeadTooLarge: ends the parser's work on this connection.
        """
        self._is_in_head = False
        # what has not that many bytes with all around it need not be counted
        if self._head_bytes + self._piece > MAX_HEAD and self._has_too_large_head():
            self._is_refused = True
            raise HeadTooLarge
        super().on_headers_complete()

    def _has_too_large_head(self) -> bool:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > MAX_HEAD

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        cycle.scope["extensions"] = _EXTENSIONS
        super()._start_asgi_task(cycle, app)

    def send_400_response(self, msg: str) -> None:
        """What is answered once the parser has given up."""
        if self._is_refused:
            self._refuse()
        else:
            super().send_400_response(msg)

    def _refuse(self) -> None:
        self.transport.write(_TOO_LARGE % (len(_PROBLEM), _PROBLEM))
        self.transport.close()


class Server(uvicorn.Server):
    """uvicorn without signal handlers."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the process's business."""
        yield


def new_server(app: FastAPI, *, patience: int) -> Server:
    """A server; asked to end, it gives the requests in hand `patience` seconds."""
    return Server(
        uvicorn.Config(
            app,
            http=BoundedHeads,
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            # what a client says about forwarding is not believed, and nothing here depends on its address
            proxy_headers=False,
            timeout_keep_alive=15,
            timeout_graceful_shutdown=patience,
            limit_concurrency=CONCURRENCY,
        )
    )


def listen(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        PortTaken: somebody else listens there, or the address is not one of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise PortTaken(f"Cannot listen on {host}:{port}: {error.strerror}. Another process may use the port.") from error
    listening.setblocking(False)
    return listening
