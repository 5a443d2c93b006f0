"""What a check is, and what it looks at."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import asyncpg

from tests.chaos.eyes import Eyes
from tests.chaos.ledger import Ledger
from tests.chaos.platform import Platform

SHOWN: Final = 5
"""Differences of a check that people are shown."""


@dataclass(frozen=True)
class Check:
    """An invariant by its name, and everything that contradicts it."""

    name: str
    differences: list[str]
    looked_at: int = 0
    """How many things were compared: a check that looked at nothing has shown nothing."""


@dataclass
class World:
    """The platform at rest, and what was promised to the world outside."""

    platform: Platform
    eyes: Eyes
    ledger: Ledger
    rested_at: datetime
    """When the timers were stopped: until then they had to do what was due."""
    _read: dict[str, list[asyncpg.Record]] = field(default_factory=dict)

    async def rows(self, service: str, sql: str, *arguments: Any) -> list[asyncpg.Record]:
        """Rows of a service's database; read once, for nothing changes any more."""
        name = f"{service} {sql} {arguments}"
        if name not in self._read:
            self._read[name] = await self.eyes.fetch(service, sql, *arguments)
        return self._read[name]


Compare = Callable[[World], Awaitable[tuple[int, Iterable[str]]]]
"""How many things were looked at, and what differs."""
