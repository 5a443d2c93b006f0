"""Processes that do the jobs of a rebuild, one job after the other each.

A worker is `python -m services.metrics.rebuild`: it reads lines of JSON from its input (first where the database is and what is being
built, then jobs) and answers each job with lines that say how far it is. It ends when its input does, which the kernel closes when
whoever opened it dies, however that happens. It has a session of its own, so that Ctrl-C in a terminal reaches who asked for the rebuild
alone. The address of the database holds a password: neither the command line nor the environment shows it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from typing import Any, Final

from services.metrics.rebuild.jobs import Heard, Job, Replay, RollUp
from services.metrics.store.generations import Generation
from shared.database import Database, from_json, to_json

MOST: Final = 8
"""Processes that are started unless more are asked for: each has two connections, and one database serves them all."""
LONGEST_REASON: Final = 2_000
"""Characters of a failure that a worker tells; a line of its answers must not be longer than a reader takes."""


class WorkerFailed(Exception):
    """A worker could not do its job, or is gone."""


def number(asked: int | None) -> int:
    """How many processes work at once when so many were asked for; by default as many as this process may use cores."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return asked or min(cores, MOST)


@asynccontextmanager
async def hired(database: Database, generation: Generation, count: int) -> AsyncIterator[list[Worker]]:
    """So many workers for one generation; they are gone afterwards, whatever they were doing."""
    workers: list[Worker] = []
    opening = Opening.of(database, generation)
    try:
        for _ in range(count):
            workers.append(await Worker.start(opening))
        yield workers
    finally:
        for worker in workers:
            worker.kill()
        for worker in workers:
            await worker.gone()


@dataclass(frozen=True, slots=True)
class Opening:
    """What a worker is told first."""

    database: str
    generation: Generation

    @classmethod
    def of(cls, database: Database, generation: Generation) -> Opening:
        """For workers on the same database."""
        return cls(database.url, generation)

    def line(self) -> bytes:
        """As it is sent."""
        return _line({"database": self.database, "generation": asdict(self.generation)})


class Worker:
    """One process, as who started it sees it."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, opening: Opening) -> Worker:
        """Start it; it need not be ready yet."""
        command = (sys.executable, "-m", "services.metrics.rebuild")
        worker = cls(await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, start_new_session=True))
        await worker._send(opening.line())
        return worker

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def do(self, job: Job, heard: Heard) -> None:
        """Have a job done.

        Raises:
            WorkerFailed: the job failed, or the process is gone.
            ConnectionError: the worker's database is away or busy: the same may work later.
        """
        await self._send(line_of(job))
        while (told := await self._told()) != DONE:
            if "failed" in told:
                raise (ConnectionError if told["is_transient"] else WorkerFailed)(f"worker process {self.pid}: {told['failed']}")
            heard(told["entries"], told["highest"])

    async def _told(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line.endswith(b"\n"):
            raise WorkerFailed(f"worker process {self.pid} {_ending(await self._process.wait())}")
        told: dict[str, Any] = from_json(line)
        return told

    async def _send(self, line: bytes) -> None:
        input = self._process.stdin
        assert input is not None
        # that it is gone is seen at the end of its answers
        with suppress(BrokenPipeError, ConnectionResetError):
            if not input.is_closing():
                input.write(line)
                await input.drain()

    def kill(self) -> None:
        """End it at once: what it had not committed is undone."""
        with suppress(ProcessLookupError):
            self._process.kill()

    async def gone(self) -> None:
        """Wait for its end."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        await self._process.communicate()


def _ending(code: int) -> str:
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


# ------------------------------------------------------------------ lines

DONE: Final[dict[str, Any]] = {"done": True}


def line_of(job: Job) -> bytes:
    """A job as it is sent."""
    return _line({"replay" if isinstance(job, Replay) else "roll_up": asdict(job)})


def job_of(line: bytes) -> Job:
    """The job that a line asks for."""
    told = from_json(line)
    return Replay(**told["replay"]) if "replay" in told else RollUp(**told["roll_up"])


def done() -> bytes:
    """Said when a job is done."""
    return _line(DONE)


def progress(entries: int, highest: int) -> bytes:
    """Said after each piece of a log."""
    return _line({"entries": entries, "highest": highest})


def failure(error: BaseException, *, is_transient: bool) -> bytes:
    """Said when a job cannot be done."""
    return _line({"failed": f"{type(error).__name__}: {error}"[:LONGEST_REASON], "is_transient": is_transient})


def _line(value: object) -> bytes:
    return to_json(value).encode() + b"\n"
