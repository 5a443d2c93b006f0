"""The load generator: `python -m benchmarks.generator <folder>`, started by `load.run`.

It shares the machine with what it loads, so it does as little as it can: requests are ready-made bytes, answers are read as far as status
and length, by a protocol of its own directly on the event loop. See `load.py` for what is sent and what is measured.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import random
import sys
from array import array
from collections import Counter, deque
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import urlsplit

import uvloop

from benchmarks.load import NUMBER, Load
from shared.clock import monotonic

TICK: Final = 0.001
"""Seconds between two looks at what is due in an open loop; the event loop's timers are no finer."""

AFTER_REFUSAL: Final = 1.0
"""Seconds that a caller of a closed loop waits after a refusal, as Retry-After asks."""

RECONNECT: Final = 0.05
"""Seconds before a broken connection is opened again."""


def main(folder: Path) -> None:
    """Send the load of `load.json`; leave `measured.json`, `latencies` and `answers`."""
    load = Load(**json.loads((folder / "load.json").read_text()))
    gc.freeze()
    generator = Generator(load)
    uvloop.run(generator.run())
    (folder / "measured.json").write_text(json.dumps(generator.found()))
    with (folder / "latencies").open("wb") as file:
        array("d", sorted(generator.latencies)).tofile(file)
    with (folder / "answers").open("w") as lines:
        lines.writelines(json.dumps(answer) + "\n" for answer in generator.answers)


class Generator:
    """One load on its way."""

    def __init__(self, load: Load) -> None:
        self._load = load
        address = urlsplit(load.url)
        self._host, self._port = address.hostname or "127.0.0.1", address.port or 80
        self._parts = [text.encode().split(NUMBER.encode()) for text in load.requests]
        self._accepted = {str(status).encode() for status in load.accepted}
        self._connections: set[Connection] = set()
        self._idle: list[Connection] = []
        self._backlog: deque[float] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._next = load.first_number
        self._measure_from = self._end = 0.0
        self._cpu_before = self._cpu_after = 0.0
        self._over: asyncio.Event = asyncio.Event()
        self.latencies: list[float] = []
        self.answers: list[tuple[int, float, float, int, str]] = []
        self._statuses: Counter[bytes] = Counter()
        self._accepted_in_all = self._done = self._broken = self._unanswered = 0

    async def run(self) -> None:
        """Connect, warm up, measure, wait for the last answers."""
        for _ in range(self._load.connections):
            await self._connect()
        began_at = monotonic()
        self._measure_from = began_at + self._load.warm_up
        self._end = self._measure_from + self._load.seconds
        loop = asyncio.get_running_loop()
        loop.call_later(self._load.warm_up, self._begin_to_measure)
        loop.call_later(self._load.warm_up + self._load.seconds, self._stop_measuring)
        if self._load.rate is None:
            for connection in list(self._connections):
                self._send(connection, began_at)
        else:
            await self._open_loop(began_at, self._load.rate)
        await self._await_answers()

    def found(self) -> dict[str, Any]:
        """The numbers of `load.Measured`."""
        return {
            "seconds": self._load.seconds,
            "done": self._done,
            "statuses": {"accepted": self._accepted_in_all, **{status.decode(): n for status, n in self._refused()}},
            "broken": self._broken,
            "unanswered": self._unanswered,
            "sent": self._next - self._load.first_number,
            "cpu": self._cpu_after - self._cpu_before,
        }

    def _refused(self) -> list[tuple[bytes, int]]:
        return [(status, n) for status, n in self._statuses.items() if status not in self._accepted]

    # ------------------------------------------------------------------ sending

    async def _open_loop(self, began_at: float, rate: float) -> None:
        """Requests become due at random intervals; all that is due is sent at each tick."""
        chance = random.Random(self._load.seed)
        due = began_at + chance.expovariate(rate)
        while due < self._end and not self._all_sent:
            now = monotonic()
            while due <= now and due < self._end and not self._all_sent:
                self._become_due(due)
                due += chance.expovariate(rate)
            await asyncio.sleep(TICK)

    def _become_due(self, due: float) -> None:
        if self._idle:
            self._send(self._idle.pop(), due)
        else:
            self._backlog.append(due)

    def _send(self, connection: Connection, intended_at: float) -> None:
        number = self._next
        self._next = number + 1
        parts = self._parts[number % len(self._parts)]
        connection.send((b"%010d" % number).join(parts), number, intended_at)

    @property
    def _all_sent(self) -> bool:
        return self._next - self._load.first_number >= self._load.most

    # ------------------------------------------------------------------ answers

    def answered(self, connection: Connection, status: bytes, body: bytes) -> None:
        """Note an answer; the connection takes the next request."""
        now = monotonic()
        self._statuses[status] += 1
        if self._load.keep_answers:
            self.answers.append((connection.number, connection.intended_at, now, int(status), body.decode()))
        if status in self._accepted:
            self._note(connection.intended_at, now)
            self._go_on(connection, now)
        else:
            self._charge(connection.intended_at)
            pause = AFTER_REFUSAL if self._load.rate is None else 0.0
            asyncio.get_running_loop().call_later(pause, lambda: self._go_on(connection, monotonic()))

    def _note(self, intended_at: float, now: float) -> None:
        self._accepted_in_all += 1
        if self._measure_from <= now < self._end:
            self._done += 1
        if self._measure_from <= intended_at < self._end:
            self.latencies.append((now - intended_at) * 1000)

    def _charge(self, intended_at: float) -> None:
        """Whoever is not served counts as having waited for the whole grace."""
        if self._measure_from <= intended_at < self._end:
            self.latencies.append(self._load.grace * 1000)

    def _go_on(self, connection: Connection, now: float) -> None:
        if connection not in self._connections:  # it ended meanwhile
            return
        if self._backlog:
            self._send(connection, self._backlog.popleft())
        elif self._load.rate is None and now < self._end and not self._all_sent:
            self._send(connection, now)
        else:
            self._idle.append(connection)
            if len(self._idle) == len(self._connections):
                self._over.set()

    async def _await_answers(self) -> None:
        """Until every request has its answer, or the grace is over; what then waits is unanswered."""
        loop = asyncio.get_running_loop()
        last = loop.call_later(max(0.0, self._end - monotonic()) + self._load.grace, self._over.set)
        while not self._is_quiet and monotonic() < self._end + self._load.grace:
            self._over.clear()
            await self._over.wait()
        last.cancel()
        waited = [connection.intended_at for connection in self._connections if connection.is_busy]
        for intended_at in (*waited, *self._backlog):
            self._unanswered += 1
            if self._measure_from <= intended_at < self._end:
                self.latencies.append((monotonic() - intended_at) * 1000)
        if monotonic() < self._end:  # all requests were sent before the time was over
            self._stop_measuring()

    @property
    def _is_quiet(self) -> bool:
        return not self._backlog and all(not connection.is_busy for connection in self._connections)

    # ------------------------------------------------------------------ connections

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(lambda: Connection(self), self._host, self._port)
        self._connections.add(connection)
        if self._load.rate is not None or self._measure_from:
            self._idle.append(connection)

    def lost(self, connection: Connection) -> None:
        """A connection ended; another one takes its place while the load goes on."""
        self._connections.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        if connection.is_busy:
            self._broken += 1
            self._charge(connection.intended_at)
        if not self._measure_from or monotonic() < self._end:
            task = asyncio.get_running_loop().create_task(self._replace())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _replace(self) -> None:
        while monotonic() < self._end:
            try:
                await self._connect()
            except OSError:
                await asyncio.sleep(RECONNECT)
            else:
                self._go_on(self._idle.pop(), monotonic())
                return

    # ------------------------------------------------------------------ own cost

    def _begin_to_measure(self) -> None:
        self._cpu_before = _cpu()

    def _stop_measuring(self) -> None:
        self._cpu_after = _cpu()
        self._over.set()


class Connection(asyncio.Protocol):
    """One kept-alive HTTP/1.1 connection with at most one request on it."""

    def __init__(self, generator: Generator) -> None:
        self._generator = generator
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self.number = 0
        self.intended_at = 0.0
        self.is_busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are none by inheritance

    def connection_lost(self, exc: Exception | None) -> None:
        self._generator.lost(self)

    def send(self, data: bytes, number: int, intended_at: float) -> None:
        """Send a request."""
        assert self._transport is not None
        self.number = number
        self.intended_at = intended_at
        self.is_busy = True
        self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        if self._received:
            data = self._received + data
        head_end = data.find(b"\r\n\r\n")
        if head_end < 0:
            self._received = data
            return
        body_at = head_end + 4
        if len(data) < body_at + _content_length(data, head_end):
            self._received = data
            return
        self._received = b""
        self.is_busy = False
        self._generator.answered(self, data[9:12], data[body_at:])


def _content_length(data: bytes, head_end: int) -> int:
    at = data.find(b"content-length: ", 0, head_end)
    if at < 0:
        at = data[:head_end].lower().find(b"content-length: ")
    if at < 0:
        raise ValueError(f"an answer without length: {data[:head_end]!r}")
    return int(data[at + 16 : data.find(b"\r", at)])


def _cpu() -> float:
    times = os.times()
    return times.user + times.system


if __name__ == "__main__":
    main(Path(sys.argv[1]))
