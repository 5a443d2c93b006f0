"""REST as a patient caller uses it: tries again while a service is away, with the same Idempotency-Key, so that nothing happens twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final
from uuid import uuid4

import httpx

from shared.clock import monotonic

PATIENCE: Final = 60.0
"""Seconds after which a service that does not come back ends the demo."""
PAUSE: Final = 0.25
BUSY: Final = frozenset({429, 500, 502, 503, 504})


class Away(Exception):
    """A service did not come back in time."""


class Api:
    """One caller with one key, of all four services."""

    def __init__(self, client: httpx.AsyncClient, urls: Mapping[str, str], key: str, waits: Counter[str]) -> None:
        self._client = client
        self._urls = urls
        self._key = key
        self._waits = waits

    async def get(self, service: str, path: str, **params: Any) -> httpx.Response:
        """Read; any answer but a busy one is an answer."""
        return await self._send("GET", service, path, {}, params={name: value for name, value in params.items() if value is not None})

    async def post(self, service: str, path: str, body: object, *, match: str | None = None) -> httpx.Response:
        """Create or act, once, however often it has to be sent."""
        return await self.send("POST", service, path, body, match=match)

    async def send(self, method: str, service: str, path: str, body: object, *, match: str | None = None) -> httpx.Response:
        """Write with any method."""
        headers = {"Idempotency-Key": str(uuid4())} | ({} if match is None else {"If-Match": match})
        return await self._send(method, service, path, headers, json=body)

    async def _send(self, method: str, service: str, path: str, headers: Mapping[str, str], **options: Any) -> httpx.Response:
        deadline = monotonic() + PATIENCE
        headers = {**headers, "Authorization": f"Bearer {self._key}"} if self._key else headers
        while True:
            try:
                answer = await self._client.request(method, f"{self._urls[service]}{path}", headers=headers, **options)
            except httpx.TransportError:
                pass
            else:
                if answer.status_code not in BUSY:
                    return answer
            self._waits[service] += 1
            if monotonic() > deadline:
                raise Away(f"{service} did not answer {method} {path} for {PATIENCE:.0f} s")
            await asyncio.sleep(PAUSE)
