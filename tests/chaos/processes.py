"""The services' processes, one per role, and the keeper that starts again what dies, as a cluster would.

The kernel ends a child together with the *thread* that started it, so children are started by the threads of a pool that lives as long as
the run; the load goes on meanwhile.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, TypeVar

import httpx

from deploy.local import child as local
from shared.clock import monotonic

STARTERS: Final = ThreadPoolExecutor(max_workers=32, thread_name_prefix="chaos-starter")
"""Its threads end with the process."""

FIRST_PAUSE: Final = 0.3
"""Seconds before a process that died is started again; doubled with each death in a row."""
LONGEST_PAUSE: Final = 3.0
LONG_ENOUGH: Final = 15.0
"""Seconds of life after which an earlier death no longer counts."""
LOOK: Final = 0.1
READY_TIME: Final = 240.0
STOP_TIME: Final = 8.0

Result = TypeVar("Result")


async def in_starter(work: Callable[[], Result]) -> Result:
    """Do blocking work, such as starting a child, in a thread that lives as long as the run."""
    return await asyncio.get_running_loop().run_in_executor(STARTERS, work)


@dataclass(frozen=True)
class Death:
    """One end of one process."""

    name: str
    at: float
    """Monotonic."""
    how: str
    by_itself: bool
    """Not killed: it ended because it wanted to."""


@dataclass
class Child:
    """A process of one service with one role, over all its lives. `kill` and `pause` act at once; the keeper starts it again."""

    name: str
    """`tickets.consume-1`"""
    service: str
    role: str
    ordinal: int
    port: int
    """Where it answers the probes; for `api` also everything else."""
    process: local.Child
    extra: dict[str, str] = field(default_factory=dict)
    """Variables over those of the platform, from the next start on: another clock, for instance."""
    wanted: bool = True
    """Whether the keeper starts it again."""
    paused: bool = False

    @property
    def alive(self) -> bool:
        return self.process.alive

    @property
    def pid(self) -> int:
        """Of its present life."""
        return self.process.pid

    @property
    def log(self) -> Path:
        return self.process.program.log

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()

    def pause(self) -> None:
        """SIGSTOP."""
        self.paused = True
        self.process.pause()

    def resume(self) -> None:
        """SIGCONT."""
        self.paused = False
        self.process.resume()

    async def start(self) -> None:
        """Start it with what `extra` says now."""
        program = self.process.program
        changed = replace(program, env={**(program.env or {}), **self.extra})
        life = local.Child(changed)
        await in_starter(life.start)
        self.process.program, life.program = program, program
        self.process = life

    async def stop(self) -> None:
        """End it cleanly; it is not started again."""
        self.wanted = False
        self.resume()
        await in_starter(self.process.stop)

    async def ready(self, timeout: float = READY_TIME) -> None:
        """Wait until it says so."""
        deadline = monotonic() + timeout
        async with httpx.AsyncClient(timeout=2) as client:
            while not await _is_ready(client, self.port):
                if (self.process.exit_code or 0) > 1:  # not a crash: it cannot start like this
                    raise local.ChildFailed(self.name, self.process.how_it_ended(), self.process.last_lines())
                if monotonic() > deadline:
                    raise local.ChildFailed(self.name, f"was not ready after {timeout:.0f} s", self.process.last_lines())
                await asyncio.sleep(0.1)


async def _is_ready(client: httpx.AsyncClient, port: int) -> bool:
    try:
        return (await client.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200
    except httpx.TransportError:
        return False


def program(service: str, role: str, log: Path, env: Mapping[str, str], wrapper: Sequence[str]) -> local.Program:
    """What runs: `python [wrapper] -m services.<service> <role>`."""
    argv = [sys.executable, *wrapper, "-m", f"services.{service}", role]
    return local.Program(name=log.stem, argv=argv, log=log, env=dict(env), stop_time=STOP_TIME)


@dataclass
class Keeper:
    """Looks after children until cancelled."""

    children: dict[str, Child]
    deaths: list[Death] = field(default_factory=list)
    _in_a_row: dict[str, int] = field(default_factory=dict)
    _began: dict[str, float] = field(default_factory=dict)
    _again: dict[str, float] = field(default_factory=dict)

    async def run(self) -> None:
        """Start again what died."""
        while True:
            due = [child for child in list(self.children.values()) if self._is_due(child)]
            await asyncio.gather(*(self._start(child) for child in due))
            await asyncio.sleep(LOOK)

    async def begin(self, children: Sequence[Child]) -> None:
        """Start children that are looked after from now on."""
        await asyncio.gather(*(self._start(child) for child in children))
        self.children.update({child.name: child for child in children})

    def deaths_by_themselves(self) -> Iterator[Death]:
        """Those that nobody caused by a signal."""
        return (death for death in self.deaths if death.by_itself)

    def _is_due(self, child: Child) -> bool:
        if not child.wanted or child.alive:
            return False
        now = monotonic()
        if child.name not in self._again:
            self._note(child, now)
        return now >= self._again[child.name]

    def _note(self, child: Child, now: float) -> None:
        code = child.process.exit_code
        self.deaths.append(Death(child.name, now, child.process.how_it_ended(), by_itself=code is not None and code >= 0))
        lived = now - self._began.get(child.name, now)
        row = 1 if lived > LONG_ENOUGH else self._in_a_row.get(child.name, 0) + 1
        self._in_a_row[child.name] = row
        self._again[child.name] = now + min(FIRST_PAUSE * 2.0 ** (row - 1), LONGEST_PAUSE)

    async def _start(self, child: Child) -> None:
        child.paused = False
        await child.start()
        self._began[child.name] = monotonic()
        self._again.pop(child.name, None)
