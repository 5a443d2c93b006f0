"""The platform on which the demo plays: where it is, who may call it, and its business clock."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import httpx

from deploy.local.home import Home
from deploy.local.services import DEFAULT_PORTS
from shared import clock
from shared.clock import BusinessClock, monotonic

READY_TIME: Final = 60.0
"""Seconds that the services may take to be back with another clock."""


class NoPlatform(Exception):
    """No platform runs in this home."""


@dataclass(frozen=True)
class Stage:
    """A running local platform."""

    home: Home
    environment: Mapping[str, str]
    supervisor: int
    """Its process id."""

    @classmethod
    def of(cls, home: Home) -> Stage:
        """The platform of a home.

        Raises:
            NoPlatform: none runs there.
        """
        file, lock = home.path / "environment", home.path / "lock"
        if not file.exists() or not home.is_locked():
            raise NoPlatform(f"No platform runs in {home.path}. Start it in another terminal with: make run")
        lines = (shlex.split(line)[0].partition("=") for line in file.read_text().splitlines())
        return cls(home, {name: value for name, _, value in lines}, int(lock.read_text()))

    @property
    def urls(self) -> dict[str, str]:
        """`{service: address}`."""
        return {service: f"http://127.0.0.1:{self.environment[f'{service.upper()}_PORT']}" for service in DEFAULT_PORTS}

    def key(self, role: str) -> str:
        """The API key of a role."""
        keys: dict[str, str] = json.loads(self.home.keys.read_text())
        return keys[role]

    def tell(self) -> None:
        """Let this process's commands speak to the platform."""
        os.environ.update(self.environment)

    @asynccontextmanager
    async def fast_clock(self, span: timedelta, real: timedelta) -> AsyncIterator[BusinessClock]:
        """Within, ``span`` of business time passes in ``real`` time, and the end of it is about the present; then real time again."""
        begin = clock.real_now() + timedelta(seconds=8)  # the services are back by then
        rate = span / real
        fast = BusinessClock(rate, begin, begin - real * (rate - 1))
        self.home.set_business_clock(f"{rate!r}@{fast.real_start.isoformat()}/{fast.business_start.isoformat()}")
        try:
            await self._restart()
            yield fast
        finally:
            self.home.set_business_clock(None)
            await self._restart()

    async def _restart(self) -> None:
        async with httpx.AsyncClient(timeout=2) as client:
            before = await self._started(client)
            os.kill(self.supervisor, signal.SIGUSR1)
            deadline = monotonic() + READY_TIME
            while any(started is None or started == before[service] for service, started in (await self._started(client)).items()):
                if monotonic() > deadline:
                    raise NoPlatform(f"The services were not back after {READY_TIME:.0f} s; see {self.home.logs}")
                await asyncio.sleep(0.1)

    async def _started(self, client: httpx.AsyncClient) -> dict[str, str | None]:
        """When each service's process began, as its metrics say; None while it is not ready."""
        return {service: await _start_time(client, url) for service, url in self.urls.items()}


async def _start_time(client: httpx.AsyncClient, url: str) -> str | None:
    try:
        if (await client.get(f"{url}/readyz")).status_code != 200:
            return None
        lines = (await client.get(f"{url}/metrics")).text.splitlines()
    except httpx.TransportError:
        return None
    return next((line for line in lines if line.startswith("process_start_time_seconds")), None)
