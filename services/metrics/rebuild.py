"""Builds facts and rollups anew from the event log, beside those in use, and changes over when they are proved: blue and green.

From the moment that a new generation exists, `handlers.record` lets every batch count in both. What was logged before is read here, each
numbered log by its keys, so that what is known of a ticket is written once. A piece and a batch may bring the same event: facts are merged,
so it counts once. Rollups are made at the end, day by day, from all cells, also from those that the consumer wrote meanwhile. Then the
verifier compares the new generation with the event log; only without a difference is it activated, in one transaction. The consumer may run
all the time.

A release that counts by other definitions finds rows that it must not add to. It shows them as they are, logs what arrives, and
`keep_current` rebuilds by itself; whichever instance is first does it.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Final

from services.metrics import handlers
from services.metrics.projection import DAY
from services.metrics.reduction import Entry
from services.metrics.store import generations, log, rollups
from services.metrics.store.generations import Generation
from shared import telemetry
from shared.backoff import pause
from shared.database import Database, Transaction, is_transient

logger = telemetry.logger()

LOOK_EVERY: Final = 60.0
"""Seconds between two looks at what the figures in use were built by."""
CHUNK: Final = 8_000
"""Entries, or cells, of one transaction: a consumer's batch waits at most for one."""
AT_ONCE: Final = 2
"""Logs that are read at once: while the database works for one, the other is counted."""

Vector = Mapping[str, tuple[int, int]]
"""Per log: how many entries, and the highest number among them."""
Progress = Callable[[int, int], None]
"""Called with the entries read so far and all that are to be read."""


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


async def keep_current(database: Database, stop: asyncio.Event) -> None:
    """Whenever the figures in use were built by other definitions than this release's, rebuild them. Runs until told to stop."""
    while not stop.is_set():
        try:
            async with database.transaction() as tx:
                is_current = (await generations.active(tx)).definitions == handlers.CURRENT
            if not is_current:
                await _replace_outdated(database)
        except Exception as error:
            if not is_transient(error):
                raise
            logger.warning("rebuild_postponed", error=type(error).__name__)
        await pause(stop, LOOK_EVERY)


async def _replace_outdated(database: Database) -> None:
    logger.info("rebuild_started", reason="definitions_changed")
    try:
        rebuilt = await rebuild(database, lambda _read, _all: None)
    except AnotherRebuild:
        logger.info("rebuild_left_to_another_instance")
    except RebuildRefused as refused:
        # an operator has to look; what was in use stays in use
        logger.error("rebuild_refused", reason=str(refused))
    else:
        logger.info("rebuild_finished", projection=rebuilt.version, replaced=rebuilt.replaced, entries=rebuilt.entries)


async def rebuild(database: Database, progress: Progress) -> Rebuilt:
    """Replace the active generation by one that is built from the event log. What an interrupted rebuild left is cleared away first.

    Raises:
        AnotherRebuild: one is running.
        RebuildRefused: the event log was not read completely, or the verifier found differences.
    """
    async with generations.sole_rebuild(database) as is_sole:
        if not is_sole:
            raise AnotherRebuild("another rebuild is running")
        await clear_away(database)
        try:
            generation, entries = await build(database, progress)
            return Rebuilt(generation.version, await change_over(database, generation), entries)
        finally:
            await clear_away(database)


async def build(database: Database, progress: Progress) -> tuple[Generation, int]:
    """A new generation from the event log, and of how many entries it was built. Only the sole rebuild may do this.

    Raises:
        RebuildRefused: the event log was not read completely.
    """
    generation, goal = await _begin(database)
    with _collecting_seldom():
        seen = await _replay(database, generation, goal, progress)
    _demand_all_of(goal, seen)
    return generation, sum(entries for entries, _ in seen.values())


@contextmanager
def _collecting_seldom() -> Iterator[None]:
    """As services do: a piece is tens of thousands of values that all live until its transaction ends, and looking through them for garbage
    again and again takes longer than counting them."""
    before = gc.get_threshold()
    gc.set_threshold(100_000, 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*before)


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


async def _replay(database: Database, generation: Generation, goal: Vector, progress: Progress) -> Vector:
    """Let the whole log count in the generation; what was seen of it. First facts and cells, log by log, then the rollups, day by day."""
    seen: dict[str, tuple[int, int]] = {}
    total = sum(entries for entries, _ in goal.values())
    waiting = sorted(goal, reverse=True)

    async def replay_logs() -> None:
        while waiting:
            name = waiting.pop()
            topic, _, part = name.rpartition("/")
            async for piece in _replayed(database, generation, topic, int(part)):
                entries, highest = seen.get(name, (0, 0))
                seen[name] = entries + len(piece), max(highest, *(entry.seq for entry in piece))
                progress(sum(count for count, _ in seen.values()), total)

    async with asyncio.TaskGroup() as running:
        for _ in range(AT_ONCE):
            running.create_task(replay_logs())
    await _roll_up(database, generation)
    return seen


async def _replayed(database: Database, generation: Generation, topic: str, part: int) -> AsyncIterator[Sequence[Entry]]:
    """One numbered log, in pieces that count."""
    async with log.snapshot(database) as reading:
        async for piece in log.entries_of(reading, topic, part, CHUNK):
            async with _patient(database) as tx:
                await handlers.learn(tx, generation, piece)
            yield piece


@asynccontextmanager
async def _patient(database: Database) -> AsyncIterator[Transaction]:
    """A transaction that PostgreSQL does not give up while this process counts, however little of a busy machine it gets."""
    async with database.transaction() as tx:
        await tx.execute("SET LOCAL idle_in_transaction_session_timeout = '10min'")
        yield tx


async def _roll_up(database: Database, generation: Generation) -> None:
    async with database.transaction() as tx:
        days = await rollups.days(tx, generation.version)
    cells, first = 0, None
    for number, (day, in_day) in enumerate(days):
        first = day if first is None else first
        cells += in_day
        if cells >= CHUNK or number == len(days) - 1:
            async with _patient(database) as tx:
                await rollups.roll_up(tx, generation.version, first, day + DAY)
            cells, first = 0, None


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
