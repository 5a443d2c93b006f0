"""Builds facts and rollups anew from the event log, beside those in use, and changes over when they are proved: blue and green.

From the moment that a new generation exists, `handlers.record` lets every batch count in both. What was logged before is read here, each
numbered log by its keys, so that what is known of a ticket is written once. A piece and a batch may bring the same event: facts are merged,
so it counts once. Cells and rollups are made at the end, day by day, from the parts that all pieces gave, and from what the consumer wrote
meanwhile. Then the verifier compares the new generation with the event log; only without a difference is it activated, in one transaction.
The consumer may run all the time.

jobs.py  what there is to do     workers.py  processes that do it     __main__.py  one of them

A release that counts by other definitions finds rows that it must not add to. It shows them as they are, logs what arrives, and
`keep_current` rebuilds by itself; whichever instance is first does it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

from services.metrics import handlers
from services.metrics.projection import DAY
from services.metrics.rebuild import jobs, workers
from services.metrics.rebuild.jobs import Heard, Job, Replay, RollUp
from services.metrics.rebuild.workers import WorkerFailed
from services.metrics.store import building, generations, log
from services.metrics.store.generations import Generation, GivenUp
from shared import telemetry
from shared.backoff import pause
from shared.database import Database, is_transient

logger = telemetry.logger()

LOOK_EVERY: Final = 60.0
"""Seconds between two looks at what the figures in use were built by."""
CHUNK: Final = 8_000
"""Entries, or cells, of one transaction: a consumer's batch waits at most for one."""
AT_ONCE: Final = 2
"""Logs that one process reads at once when it is alone: while the database works for one, the other is counted."""
FEW: Final = 50_000
"""Fewer entries are replayed by one process before two that have to start would be done."""

Vector = Mapping[str, tuple[int, int]]
"""Per log: how many entries, and the highest number among them."""
Progress = Callable[[int, int], None]
"""Called with the entries read so far and all that are to be read."""
Do = Callable[[Job, Heard], Awaitable[None]]
"""Has a job done."""


class RebuildRefused(Exception):
    """The new generation was given up; the old one stays in use."""


class AnotherRebuild(RebuildRefused):
    """Somebody else is at it."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild did."""

    version: int
    replaced: int
    entries: int


async def keep_current(database: Database, stop: asyncio.Event, processes: int = 1) -> None:
    """Whenever the figures in use were built by other definitions than this release's, rebuild them. Runs until told to stop."""
    while not stop.is_set():
        try:
            async with database.transaction() as tx:
                is_current = (await generations.active(tx)).definitions == handlers.CURRENT
            if not is_current:
                await _replace_outdated(database, processes)
        except Exception as error:
            if not is_transient(error):
                raise
            logger.warning("rebuild_postponed", error=type(error).__name__)
        await pause(stop, LOOK_EVERY)


async def _replace_outdated(database: Database, processes: int) -> None:
    logger.info("rebuild_started", reason="definitions_changed")
    try:
        rebuilt = await rebuild(database, lambda _read, _all: None, processes)
    except AnotherRebuild:
        logger.info("rebuild_left_to_another_instance")
    except RebuildRefused as refused:
        # an operator has to look; what was in use stays in use
        logger.error("rebuild_refused", reason=str(refused))
    else:
        logger.info("rebuild_finished", projection=rebuilt.version, replaced=rebuilt.replaced, entries=rebuilt.entries)


async def rebuild(database: Database, progress: Progress, processes: int = 1) -> Rebuilt:
    """Replace the active generation by one that is built from the event log. What an interrupted rebuild left is cleared away first.

    Args:
        processes: how many work at once; 1: this one alone.

    Raises:
        AnotherRebuild: one is running.
        RebuildRefused: the event log was not read completely, a worker failed, or the verifier found differences.
    """
    async with generations.sole_rebuild(database) as is_sole:
        if not is_sole:
            raise AnotherRebuild("another rebuild is running")
        await clear_away(database)
        try:
            generation, entries = await build(database, progress, processes)
            return Rebuilt(generation.version, await change_over(database, generation), entries)
        finally:
            await clear_away(database)


async def build(database: Database, progress: Progress, processes: int = 1) -> tuple[Generation, int]:
    """A new generation from the event log, and of how many entries it was built. Only the sole rebuild may do this.

    Raises:
        RebuildRefused: the event log was not read completely, or a worker failed.
    """
    generation, goal = await _begin(database)
    try:
        seen = await _replay(database, generation, goal, progress, processes)
    except (WorkerFailed, GivenUp) as failed:
        raise RebuildRefused(str(failed)) from failed
    _demand_all_of(goal, seen)
    return generation, sum(entries for entries, _ in seen.values())


async def change_over(database: Database, generation: Generation) -> int:
    """Use a generation from now on, once it is proved; returns the one that it replaces.

    Raises:
        RebuildRefused: the verifier found differences.
    """
    await _demand_proof(database, generation)
    async with database.transaction() as tx:
        return await generations.activate(tx, generation.version)


async def _begin(database: Database) -> tuple[Generation, Vector]:
    """Open the new generation, and see what the log holds that was written without it."""
    async with database.transaction() as tx:
        generation = await generations.begin(tx, handlers.CURRENT)
    async with database.transaction() as tx:
        return generation, await log.vector(tx)


async def _replay(database: Database, generation: Generation, goal: Vector, progress: Progress, processes: int) -> Vector:
    """Let the whole log count in the generation; what was seen of it. First facts and parts of cells, log by log, then the days."""
    seen: dict[str, tuple[int, int]] = {}
    total = sum(entries for entries, _ in goal.values())

    def heard(name: str, more: int, highest: int) -> None:
        entries, before = seen.get(name, (0, 0))
        seen[name] = entries + more, max(before, highest)
        progress(sum(count for count, _ in seen.values()), total)

    async with _doers(database, generation, 1 if total < FEW else min(processes, len(goal))) as doers:
        # the longest first, so that nobody is left alone with one at the end
        logs = sorted(goal, key=lambda name: goal[name])
        await _share(doers, [(_replay_of(name), partial(heard, name)) for name in logs])
        await _share(doers, [(job, _unheard) for job in await _days(database, generation)])
    return seen


def _replay_of(name: str) -> Replay:
    topic, _, part = name.rpartition("/")
    return Replay(topic, int(part), CHUNK)


def _unheard(_entries: int, _highest: int) -> None:
    """Days are not told of one by one."""


@asynccontextmanager
async def _doers(database: Database, generation: Generation, processes: int) -> AsyncIterator[Sequence[Do]]:
    """Who does the jobs: processes, or tasks of this one."""
    if processes > 1:
        async with workers.hired(database, generation, processes) as hired:
            yield [worker.do for worker in hired]
    else:
        yield [partial(jobs.do, database, generation)] * AT_ONCE


async def _share(doers: Sequence[Do], waiting: list[tuple[Job, Heard]]) -> None:
    """Have all jobs done, from the end of the list; the first failure ends it."""

    async def work(do: Do) -> None:
        while waiting:
            await do(*waiting.pop())

    try:
        async with asyncio.TaskGroup() as running:
            for do in doers:
                running.create_task(work(do))
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from failed


async def _days(database: Database, generation: Generation) -> list[Job]:
    """Days with about so many cells at once."""
    async with database.transaction() as tx:
        days = await building.days(tx, generation.version)
    found: list[Job] = []
    cells, first = 0, None
    for number, (day, in_day) in enumerate(days):
        first = day if first is None else first
        cells += in_day
        if cells >= CHUNK or number == len(days) - 1:
            found.append(RollUp(first, day + DAY))
            cells, first = 0, None
    return found


def _demand_all_of(goal: Vector, seen: Vector) -> None:
    """Nothing that the log held at the start may have been passed over; more may have come."""
    nothing = (0, 0)
    short = [name for name, held in goal.items() if any(had < has for had, has in zip(seen.get(name, nothing), held, strict=True))]
    if short:
        raise RebuildRefused(f"the event log was not read completely: {', '.join(short)}")


async def _demand_proof(database: Database, generation: Generation) -> None:
    async with log.snapshot(database, scratch=True) as tx:
        found = await handlers.differences(tx, generation.version)
    if found:
        raise RebuildRefused(f"projection {generation.version} differs from the event log in {len(found)} rows, first {found[0]}")


async def clear_away(database: Database) -> None:
    """Delete what is not in use: a generation that was not finished, and the one that was replaced."""
    async with database.transaction() as tx:
        await generations.retire_unfinished(tx)
        versions = await generations.retired(tx)
    for version in versions:
        deleted = True
        while deleted:
            async with database.transaction() as tx:
                deleted = await generations.delete_some(tx, version) > 0
        async with database.transaction() as tx:
            await generations.forget(tx, version)
