"""What a rebuild consists of: jobs that whoever is free does, in any order within their kind. First logs are replayed, then days made."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from services.metrics import handlers
from services.metrics.store import building, generations, log
from services.metrics.store.generations import Generation
from shared.database import Database, Transaction


@dataclass(frozen=True, slots=True)
class Replay:
    """Let one numbered log count in facts, states and parts of cells."""

    topic: str
    part: int
    at_once: int
    """Entries of one transaction, about."""


@dataclass(frozen=True, slots=True)
class RollUp:
    """Make cells and rollups of the days from one quarter hour until before another."""

    first: int
    until: int


Job = Replay | RollUp
Heard = Callable[[int, int], None]
"""Called after each piece with its entries and the highest number among them."""


async def do(database: Database, generation: Generation, job: Job, heard: Heard) -> None:
    """Do a job.

    Raises:
        GivenUp: the generation is not being built any more.
    """
    match job:
        case Replay():
            await _replay(database, generation, job, heard)
        case RollUp():
            async with _piece(database, generation) as tx:
                await building.roll_up(tx, generation.version, job.first, job.until)


async def _replay(database: Database, generation: Generation, job: Replay, heard: Heard) -> None:
    async with log.snapshot(database) as reading:
        async for piece in log.entries_of(reading, job.topic, job.part, job.at_once):
            async with _piece(database, generation) as tx:
                await building.add_parts(tx, generation.version, await handlers.learn(tx, generation, piece))
            heard(len(piece), max(entry.seq for entry in piece))


@asynccontextmanager
async def _piece(database: Database, generation: Generation) -> AsyncIterator[Transaction]:
    """A transaction of a rebuild. PostgreSQL does not give it up while Python counts, however little of a busy machine it gets; and it need
    not be on the disk when it ends: a server that loses it has thrown out the rebuild as well, and the change-over writes all before it."""
    async with database.transaction() as tx:
        await tx.execute("SET LOCAL idle_in_transaction_session_timeout = '10min'")
        await tx.execute("SET LOCAL synchronous_commit = off")
        await generations.join(tx, generation)
        yield tx
