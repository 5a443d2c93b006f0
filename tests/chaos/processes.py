"""The services' processes, one per role, and the keeper that starts again what dies, as a cluster would.

The kernel ends a child together with the *thread* that started it, so children are started by the threads of a pool that lives as long as
the run; the load goes on meanwhile.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
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
KILL_TIME: Final = 30.0
"""Seconds within which the kernel ends what got a kill -9, also on a machine whose disk is busy."""

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
    """A process of one service with one role, over all its lives; the keeper starts it again."""

    name: str
    """`tickets.consume-1`"""
    service: str
    role: str
    ordinal: int
    port: int
    """Where it answers the probes; for `api` also everything else."""
    process: local.Child
    wanted: bool = True
    """Whether the keeper starts it again."""
    in_hand: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by the fault that works on it: what another one did to it meanwhile would undo that."""

    @property
    def alive(self) -> bool:
        return self.process.alive

    async def kill(self) -> None:
        """kill -9, at once; returns when it is gone.

        Raises:
            ChildFailed: it is not gone after KILL_TIME.
        """
        life, deadline = self.process, monotonic() + KILL_TIME
        if life.alive:
            os.kill(life.pid, signal.SIGKILL)
        while life.alive:
            if monotonic() > deadline:
                raise local.ChildFailed(self.name, f"was not gone {KILL_TIME:.0f} s after kill -9", life.last_lines())
            await asyncio.sleep(0.01)

    def pause(self) -> None:
        """SIGSTOP."""
        self.process.pause()

    def resume(self) -> None:
        """SIGCONT."""
        self.process.resume()

    async def start(self) -> None:
        """Begin a new life with the program of the last one."""
        life = local.Child(self.process.program)
        await in_starter(life.start)
        self.process = life

    async def stop(self) -> None:
        """End it cleanly; it is not started again."""
        self.wanted = False
        self.resume()
        await in_starter(self.process.stop)

    async def lives(self) -> None:
        """Wait until its keeper has started it, if it is dead."""
        while True:
            if self.alive:
                return
            await asyncio.sleep(LOOK)

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
        await child.start()
        self._began[child.name] = monotonic()
        self._again.pop(child.name, None)
