"""The HTTP server: how much of a request's head it reads."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence

import orjson
import pytest
from fastapi import FastAPI

from shared.server import MAX_HEAD, listen, new_server

pytestmark = [pytest.mark.postgres, pytest.mark.api]

LINE = b"GET /livez HTTP/1.1\r\nHost: service.test\r\n"


@pytest.fixture
async def port(sample: FastAPI) -> AsyncIterator[int]:
    """Where the sample service listens."""
    listening: socket.socket = listen("127.0.0.1", 0)
    server = new_server(sample, patience=1)
    task = asyncio.create_task(server.serve([listening]))
    yield int(listening.getsockname()[1])
    server.should_exit = True
    await task


async def asked(port: int, pieces: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Head and body of the answer to a request that arrives in pieces."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(10):
        try:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            answer = await reader.read(100_000)
        except ConnectionError:
            # refused while we were still sending
            answer = await reader.read(100_000)
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    return head, body


@pytest.mark.parametrize(
    "pieces",
    [
        [LINE + b"X-Long: " + b"x" * MAX_HEAD + b"\r\n\r\n"],
        [LINE, *[b"X-%d: %s\r\n" % (number, b"x" * 1000) for number in range(40)], b"\r\n"],
        [b"GET /livez?" + b"x" * MAX_HEAD + b" HTTP/1.1\r\nHost: service.test\r\n\r\n"],
        # never ends
        [LINE, b"X-Endless: ", *[b"x" * 4096] * 20],
    ],
    ids=["one long header", "many headers", "a long address", "a header without end"],
)
async def test_a_head_that_is_too_large_is_refused(port: int, pieces: list[bytes]) -> None:
    head, body = await asked(port, pieces)

    assert head.startswith(b"HTTP/1.1 431 ")
    assert b"application/problem+json" in head
    assert orjson.loads(body)["code"] == "headers_too_large"


async def test_a_head_of_a_usual_size_is_read_however_it_arrives(port: int) -> None:
    request = LINE + b"".join(b"X-%d: %s\r\n" % (number, b"x" * 500) for number in range(40)) + b"Connection: close\r\n\r\n"

    for size in (len(request), 100):
        head, _ = await asked(port, [request[at : at + size] for at in range(0, len(request), size)])
        assert head.startswith(b"HTTP/1.1 200 ")


async def test_a_long_body_is_no_head(port: int) -> None:
    body = b"key=" + b"x" * 100_000
    request = b"POST /login HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    length = b"Content-Length: %d\r\n\r\n" % len(body)

    head, _ = await asked(port, [request + length, *[body[at : at + 5000] for at in range(0, len(body), 5000)]])

    assert head.startswith(b"HTTP/1.1 422 ")


async def test_the_next_request_of_a_connection_is_measured_by_itself(port: int) -> None:
    filler = b"X-Filler: " + b"x" * 20_000 + b"\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(10):
        for _ in range(4):
            writer.write(LINE + filler[:8000])
            await writer.drain()
            writer.write(filler[8000:] + b"\r\n")
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
            await reader.readuntil(b"}")
    writer.close()


async def test_what_is_not_http_is_refused(port: int) -> None:
    head, _ = await asked(port, [b"\x16\x03\x01 hello\r\n\r\n"])

    assert head.startswith(b"HTTP/1.1 400 ")
