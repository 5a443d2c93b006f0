"""One process of a service from start to end: its HTTP server and its background loops in one task group, and the order in which they stop.

A loop survives the absence of the database and of Kafka by itself. One that fails nevertheless is started again, a few times; then it is
dead: `/livez` fails and the process ends with code 1, so that whoever supervises it starts a fresh one. SIGTERM ends in this order:
`/readyz` says no and the load balancer gets a moment, no more connections, requests in hand are answered, the loops finish their batch, the
pool closes. Killed at any point, nothing is lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from fastapi import FastAPI

from shared import clock, telemetry
from shared.backoff import pause
from shared.runtime import AnyRuntime
from shared.server import Server, listen, new_server

log = telemetry.logger()

Loop = Callable[[asyncio.Event], Awaitable[None]]
"""Runs until the event is set."""
Starting = Callable[[], Awaitable[None]]
"""Returns when the process may be called started; waits for what it needs."""

RESTARTS: Final = 5
HEALTHY_AFTER: Final = 60.0
"""A loop that ran so many seconds before it failed has its restarts back."""
FIRST_PAUSE: Final = 0.5
"""Seconds before the first restart of a loop; doubled each time."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds that each step of an orderly end may take."""

    balancer: float
    requests: int
    loops: float
    pool: float


LOCAL: Final = Patience(balancer=0, requests=2, loops=3, pool=0.5)
DEPLOYED: Final = Patience(balancer=3, requests=20, loops=5, pool=2)


class GivenUp(Exception):
    """A loop that raises it has tried again often enough: it is dead at once."""


class StrayCancellation(Exception):
    """A loop was cancelled that nobody had cancelled.

    Before Python 3.13 a time-out that expires in the very moment in which something else fails leaves a cancellation behind, and the next
    wait of the task gets it (https://docs.python.org/3/library/asyncio-task.html#asyncio.Task.uncancel). A task group takes that for an
    orderly end, and nobody would hear of it.
    """


class Process:
    """Runs an application and loops until `end` is called, or until a loop has died."""

    def __init__(
        self,
        runtime: AnyRuntime,
        app: FastAPI,
        loops: Mapping[str, Loop],
        *,
        starting: Starting,
        patience: Patience | None = None,
        first_pause: float = FIRST_PAUSE,
    ) -> None:
        self._runtime = runtime
        self._app = app
        self._loops = loops
        self._starting = starting
        self._patience = patience or (LOCAL if runtime.settings.local else DEPLOYED)
        self._first_pause = first_pause
        self._ending = asyncio.Event()
        self._stop = asyncio.Event()
        self._exit_code = 0

    def end(self, exit_code: int = 0) -> None:
        """Begin the orderly end; the first reason counts."""
        if not self._ending.is_set():
            self._exit_code = exit_code
            self._ending.set()

    async def run(self) -> int:
        """The exit code.

        Raises:
            PortTaken: before anything was started.
        """
        settings = self._runtime.settings
        listening = listen(settings.host, settings.listen_port)
        server = new_server(self._app, patience=self._patience.requests)
        log.info("process_started", port=settings.listen_port, loops=sorted(self._loops))
        try:
            async with asyncio.TaskGroup() as group:
                serving = group.create_task(server.serve(sockets=[listening]), name="http")
                serving.add_done_callback(lambda _task: self.end(1))
                loops = group.create_task(self._start_loops(), name="loops")
                await self._ending.wait()
                await self._end_in_order(server, serving, loops)
        finally:
            listening.close()
            await self._close_pool()
        log.info("process_ended", exit_code=self._exit_code)
        return self._exit_code

    async def _start_loops(self) -> None:
        try:
            await self._starting()
        except (Exception, asyncio.CancelledError) as error:
            if _is_cancelled():
                raise
            log.critical("start_failed", exc_info=error)
            self.end(1)
            return
        self._runtime.health.is_started = True
        log.info("process_ready")
        async with asyncio.TaskGroup() as group:
            for name, loop in self._loops.items():
                group.create_task(self._supervise(name, loop), name=name)

    async def _supervise(self, name: str, loop: Loop) -> None:
        restarts = 0
        while not self._stop.is_set():
            started = clock.monotonic()
            failure = await self._run_once(name, loop)
            if self._stop.is_set():
                return
            if clock.monotonic() - started >= HEALTHY_AFTER:
                restarts = 0
            if restarts == RESTARTS or isinstance(failure, GivenUp):
                self._bury(name, failure)
                return
            restarts += 1
            self._runtime.health.loop_restarted(name)
            await pause(self._stop, self._first_pause * 2 ** (restarts - 1))

    async def _run_once(self, name: str, loop: Loop) -> Exception | None:
        try:
            await loop(self._stop)
        except asyncio.CancelledError as error:
            if _is_cancelled():
                raise
            log.error("loop_failed", loop=name, exc_info=error)
            return StrayCancellation()
        except Exception as error:
            log.error("loop_failed", loop=name, exc_info=error)
            return error
        return None

    def _bury(self, name: str, failure: Exception | None) -> None:
        reason = "ended by itself" if failure is None else type(failure).__name__
        log.critical("loop_died", loop=name, error=reason)
        self._runtime.health.loop_died(name, reason)
        self.end(1)

    async def _end_in_order(self, server: Server, serving: asyncio.Task[None], loops: asyncio.Task[None]) -> None:
        log.info("process_ending", exit_code=self._exit_code)
        self._runtime.health.is_draining = True
        if not serving.done() and self._exit_code == 0:
            await asyncio.sleep(self._patience.balancer)
        server.should_exit = True
        await asyncio.wait([serving])
        self._stop.set()
        if not self._runtime.health.is_started:
            loops.cancel()
        _, late = await asyncio.wait([loops], timeout=self._patience.loops)
        if late:
            log.warning("loops_cut_off", loops=[task.get_name() for task in asyncio.all_tasks() if task.get_name() in self._loops])
            loops.cancel()

    async def _close_pool(self) -> None:
        try:
            async with asyncio.timeout(self._patience.pool):
                await self._runtime.close()
        except TimeoutError:
            log.warning("pool_not_closed")


def _is_cancelled() -> bool:
    """Whether somebody has asked the present task to end."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def every(seconds: float, work: Callable[[], Awaitable[object]], *, is_transient: Callable[[BaseException], bool]) -> Loop:
    """A loop that does the work at once and then again and again; what is transient is tried again next time."""

    async def loop(stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await work()
            except Exception as error:
                if not is_transient(error):
                    raise
                log.warning("work_postponed", error=type(error).__name__)
            await pause(stop, seconds)

    return loop
