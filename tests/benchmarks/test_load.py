"""The load generator says what callers would have felt: it counts from the time at which a call was meant to be made."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from benchmarks import load
from benchmarks.load import NUMBER, Load, Measured, request
from shared.clock import monotonic

STALL = 1.0
"""Seconds for which the server answers nobody."""


class Handler:
    """A server of the fewest lines: answers every request at once, except while it stalls."""

    def __init__(
        self,
        status: Callable[[int], int] = lambda number: 200,
        *,
        stalls_at: int = 0,
        hangs_up: Callable[[int], bool] = lambda number: False,
    ) -> None:
        self.seen: list[bytes] = []
        self._hangs_up = hangs_up
        self._stalls_at = stalls_at
        self._stalled_until = 0.0
        self._status = status

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"Content-Length: (\d+)", head)
                self.seen.append(await reader.readexactly(int(length[1]) if length else 0))
                if len(self.seen) == self._stalls_at:
                    self._stalled_until = monotonic() + STALL
                await asyncio.sleep(max(0.0, self._stalled_until - monotonic()))
                if self._hangs_up(len(self.seen)):
                    writer.close()
                    return
                status = self._status(len(self.seen))
                writer.write(b"HTTP/1.1 %d X\r\ncontent-length: 2\r\n\r\nok" % status)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


@asynccontextmanager
async def listening(handler: Handler) -> AsyncIterator[str]:
    server = await asyncio.start_server(handler.serve, "127.0.0.1")
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def measure(handler: Handler, *, seconds: float = 1.0, rate: float | None = None, connections: int = 4) -> Measured:
    async with listening(handler) as url:
        calls = [request("POST", url, body={"number": NUMBER})]
        return await load.run(Load(url, calls, seconds, rate=rate, connections=connections, warm_up=0.2))


async def test_every_request_is_another_one() -> None:
    handler = Handler()

    measured = await measure(handler)

    measured.require_clean()
    assert len(set(handler.seen)) == len(handler.seen) == measured.sent


async def test_an_open_loop_keeps_its_rate() -> None:
    handler = Handler()

    measured = await measure(handler, rate=200, seconds=2)

    assert 300 < len(measured.latencies) < 500


async def test_whoever_would_have_called_during_a_stall_is_charged_with_it() -> None:
    handler = Handler(stalls_at=50)

    # four connections: a closed loop would call four times during the stall
    measured = await measure(handler, rate=100, seconds=3, connections=4)

    charged = sum(latency > STALL * 500 for latency in measured.latencies)
    assert charged > 25


async def test_a_refused_request_counts_as_one_that_waited_for_ever() -> None:
    handler = Handler(lambda number: 503 if number % 10 == 0 else 200)

    measured = await measure(handler, rate=200, connections=20)

    assert measured.failures["503"] == measured.failed > 5
    assert measured.percentile(1.0) >= 15_000
    with pytest.raises(load.LoadFailed, match="503: "):
        measured.require_clean()


async def test_a_request_whose_connection_broke_counts_as_one_that_waited_for_ever() -> None:
    handler = Handler(hangs_up=lambda number: number % 10 == 0)

    measured = await measure(handler, rate=200, connections=20)

    charged = sum(latency >= 15_000 for latency in measured.latencies)
    assert measured.failures == {"broken": measured.broken}
    # those of the warm-up are told, and not in the latencies
    assert 5 < charged <= measured.broken
    assert measured.percentile(0.99) >= 15_000
    with pytest.raises(load.LoadFailed, match="broken: "):
        measured.require_clean()


async def test_every_request_of_the_measured_time_has_a_latency() -> None:
    handler = Handler(lambda number: 503 if number % 7 == 0 else 200, hangs_up=lambda number: number % 10 == 0)
    async with listening(handler) as url:
        calls = [request("POST", url, body={"number": NUMBER})]
        measured = await load.run(Load(url, calls, seconds=1.0, rate=200, connections=20, warm_up=0.0))

    assert len(measured.latencies) == measured.sent == measured.accepted + measured.failed
