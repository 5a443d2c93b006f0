"""HTTP/1.1 over a few keep-alive connections, by hand: the load generator shares two cores with everything that it loads."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from shared.clock import monotonic

PAUSE: Final = 0.15
"""Seconds before a call that got no answer is made again."""
BUSY: Final = frozenset({429, 502, 503, 504})
"""Try again later. 500 is not among them: whatever is taken away from it, the platform must know what to say."""
TIMEOUT: Final = 12.0


class NoAnswer(Exception):
    """The connection failed or was cut; whether the call had its effect is not known."""


class GaveUp(Exception):
    """The time for trying again is over."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, parsed."""
        return orjson.loads(self.body)

    @property
    def reason(self) -> str:
        """Status and code of a refusal, without what is only this one's."""
        try:
            return f"{self.status} {self.json().get('code', '')}".rstrip()
        except (ValueError, AttributeError):
            return str(self.status)


@dataclass
class Patience:
    """Until when callers try again: as long as faults strike, and some time longer."""

    until: float = inf
    """Monotonic; infinite as long as nobody can say."""

    @property
    def is_over(self) -> bool:
        return monotonic() > self.until


class Wire:
    """Connections to one address."""

    def __init__(self, url: str, connections: int) -> None:
        parts = urlsplit(url)
        self._host, self._port = str(parts.hostname), int(parts.port or 80)
        self._idle: list[_Connection] = []
        self._slots = asyncio.Semaphore(connections)

    async def call(self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> Answer:
        """One call.

        Raises:
            NoAnswer: see there.
        """
        async with self._slots:
            connection = self._idle.pop() if self._idle else _Connection(self._host, self._port)
            try:
                async with asyncio.timeout(TIMEOUT):
                    answer = await connection.call(method, path, headers, body)
            except (OSError, EOFError, TimeoutError, ValueError) as error:
                connection.close()
                raise NoAnswer(type(error).__name__) from error
            except BaseException:
                connection.close()
                raise
            self._idle.append(connection)
            return answer

    def close(self) -> None:
        """Close what is idle."""
        for connection in self._idle:
            connection.close()


class _Connection:
    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def call(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        if self._reader is None or self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self._host}", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self._writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        found = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        content = await self._reader.readexactly(int(found.get("content-length", "0")))
        if found.get("connection", "").lower() == "close":
            self.close()
        return Answer(int(head[0].split()[1]), found, content)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None


class Caller:
    """Somebody with a key who calls one service and tries again as long as he has patience."""

    def __init__(self, wire: Wire, key: str, patience: Patience) -> None:
        self._wire = wire
        self._authorization = {"Authorization": f"Bearer {key}"} if key else {}
        self.patience = patience

    async def get(self, path: str) -> Answer:
        """Read."""
        return await self._patiently("GET", path, {}, b"")

    async def send(self, method: str, path: str, body: object, *, key: str = "", match: str = "") -> Answer:
        """Write, once, however often it has to be sent: with the same Idempotency-Key."""
        headers = {"Content-Type": "application/json"}
        headers |= {"Idempotency-Key": key} if key else {}
        headers |= {"If-Match": match} if match else {}
        return await self._patiently(method, path, headers, orjson.dumps(body))

    async def once(self, method: str, path: str, body: object, *, key: str) -> Answer:
        """Send a single time. Raises NoAnswer."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": key, **self._authorization}
        return await self._wire.call(method, path, headers, orjson.dumps(body))

    async def _patiently(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        while True:
            try:
                answer = await self._wire.call(method, path, {**headers, **self._authorization}, body)
                if answer.status not in BUSY:
                    return answer
                reason = f"{answer.status} {answer.body[:200]!r}"
            except NoAnswer as error:
                reason = str(error)
            if self.patience.is_over:
                raise GaveUp(f"{method} {path}: {reason}")
            await asyncio.sleep(PAUSE)
