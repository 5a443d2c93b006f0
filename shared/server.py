"""The HTTP server of a process: uvicorn, run inside our own event loop and ended by us.

uvicorn would handle signals itself and exit; here it is one of several parts that end in a fixed order.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from typing import Final

import uvicorn
from fastapi import FastAPI

CONCURRENCY: Final = 2_000
"""Connections and requests beyond which uvicorn itself says 503: the outer wall, behind the services' own."""
BACKLOG: Final = 2_048


class PortTaken(Exception):
    """Somebody else listens there."""


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
            http="httptools",
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
