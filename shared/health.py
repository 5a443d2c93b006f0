"""Whether a process lives, is ready, has started. Other programs act on these answers, so each looks at as little as it may.

livez      no background loop has died for good; never the database or Kafka: restarting us would not mend them
readyz     started, not draining, the database answered within the last 5 s, and every check that the service added passes
startupz   the database's schema is the one that this release knows
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from shared import clock
from shared.database import Database

PING_INTERVAL: Final = 1.0
"""Seconds for which an answer of the database is believed."""
PATIENCE: Final = 5.0
"""Seconds for which the database may stay silent before we call ourselves not ready."""
CHECK_TIMEOUT: Final = 2.0
"""Seconds that one check may take."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check saw. `observed` is for operators: a number or a short word."""

    passes: bool
    observed: Any = None
    unit: str | None = None


Check = Callable[[], Awaitable[Finding]]


class Health:
    """The state of one process."""

    def __init__(self, database: Database) -> None:
        self.is_started = False
        self.is_draining = False
        self._dead: dict[str, str] = {}
        self._restarts: dict[str, int] = {}
        self._checks: dict[str, Check] = {"postgres": DatabaseCheck(database)}

    def add_check(self, name: str, check: Check) -> None:
        """Make readiness depend on something more: a queue that is nearly full, say."""
        self._checks[name] = check

    def loop_restarted(self, name: str) -> None:
        """A background loop failed and was started again."""
        self._restarts[name] = self._restarts.get(name, 0) + 1

    def loop_died(self, name: str, reason: str) -> None:
        """A background loop will not come back: the process must be restarted."""
        self._dead[name] = reason

    @property
    def is_alive(self) -> bool:
        """Whether restarting this process would be a mistake."""
        return not self._dead

    async def findings(self) -> dict[str, Finding]:
        """What all checks say now."""
        names = list(self._checks)
        return dict(zip(names, await asyncio.gather(*(_run(self._checks[name]) for name in names)), strict=True))

    async def is_ready(self) -> bool:
        """Whether requests should be sent here."""
        if not self.is_started or self.is_draining:
            return False
        return all(finding.passes for finding in (await self.findings()).values())

    def loops(self) -> dict[str, Finding]:
        """Background loops that failed at least once."""
        restarted = {name: Finding(name not in self._dead, count, "restarts") for name, count in self._restarts.items()}
        return restarted | {name: Finding(passes=False, observed=reason) for name, reason in self._dead.items()}


async def _run(check: Check) -> Finding:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT):
            return await check()
    except Exception as error:
        # a check that fails is what it reports: not ready; the reason's class is all that an operator's page may show
        return Finding(passes=False, observed=type(error).__name__)


class DatabaseCheck:
    """Asks the database at most once a second, and forgives it 5 seconds of silence: a failover is no reason to drop every instance."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = asyncio.Lock()
        self._asked_at = float("-inf")
        self._answered_at = float("-inf")
        self._took = 0.0

    async def __call__(self) -> Finding:
        """Passes while the last answer is young enough; observes the milliseconds that it took."""
        async with self._lock:
            if clock.monotonic() - self._asked_at >= PING_INTERVAL:
                await self._ask()
        passes = clock.monotonic() - self._answered_at <= PATIENCE
        return Finding(passes, round(self._took * 1000, 1), "ms")

    async def _ask(self) -> None:
        started = clock.monotonic()
        try:
            async with asyncio.timeout(PING_INTERVAL):
                await self._database.ping()
        except Exception:
            # silence is measured, not reported: see PATIENCE
            self._asked_at = clock.monotonic()
            return
        self._asked_at = self._answered_at = clock.monotonic()
        self._took = self._asked_at - started
