"""What a check is, and what it looks at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import asyncpg
import orjson

from tests.chaos.eyes import Eyes
from tests.chaos.ledger import Ledger
from tests.chaos.platform import Platform

SHOWN: Final = 5
"""Differences of a check that people are shown."""

EVENTS: Final = "SELECT type, key, payload FROM outbox WHERE type = ANY($1) ORDER BY topic, part, seq"

Event = tuple[str, dict[str, Any]]
"""Its type and what it says."""


@dataclass(frozen=True)
class Check:
    """An invariant by its name, and everything that contradicts it."""

    name: str
    differences: list[str]
    looked_at: int = 0
    """How many things were compared: a check that looked at nothing has shown nothing."""
    optional: bool = False
    """There are runs, also long ones, in which there is nothing to look at."""

    @property
    def is_vacuous(self) -> bool:
        """Whether nothing was shown, where there should have been something to look at."""
        return not (self.looked_at or self.differences or self.optional)


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

    async def events(self, service: str, *types: str) -> list[Event]:
        """What a service told, of these types, in the order of each log."""
        return [(row["type"], orjson.loads(row["payload"])) for row in await self.rows(service, EVENTS, list(types))]


Found = tuple[int, Iterable[str]]
"""How many things were looked at, and what differs."""

Compare = Callable[[World], Awaitable[Found]]


def other_than_once(times: Counter[str], of: Collection[str]) -> Iterator[tuple[str, int]]:
    """What is there more or less than once, with how often that is; and what is there although it is none ``of`` these."""
    return ((each, times[each]) for each in sorted({*times, *of}) if times[each] != (each in of))
