"""Builds facts and rollups anew from the event log, beside those in use, and changes over when they are proved: blue and green.

From the moment that a new generation exists, `handlers.record` lets every batch count in both. What was logged before is read here in
chunks. A chunk and a batch may bring the same event: facts are merged, so it counts once. When all of it is read, the verifier compares
the new generation with the event log; only without a difference is it activated, in one transaction. The consumer may run all the time.

A release that counts by other definitions finds rows that it must not add to. It shows them as they are, logs what arrives, and
`keep_current` rebuilds by itself; whichever instance is first does it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from services.metrics import handlers
from services.metrics.store import generations, log
from services.metrics.store.generations import Generation
from services.metrics.store.log import START, Position
from shared import telemetry
from shared.backoff import pause
from shared.database import Database, is_transient

logger = telemetry.logger()

LOOK_EVERY: Final = 60.0
"""Seconds between two looks at what the figures in use were built by."""
CHUNK: Final = 2_000
"""Entries of one transaction: a consumer's batch waits at most for one."""

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
        await _clear_away(database)
        try:
            return await _build_and_activate(database, progress)
        finally:
            await _clear_away(database)


async def _build_and_activate(database: Database, progress: Progress) -> Rebuilt:
    generation, goal = await _begin(database)
    seen = await _replay(database, generation, goal, progress)
    _demand_all_of(goal, seen)
    await _demand_proof(database, generation)
    async with database.transaction() as tx:
        replaced = await generations.activate(tx, generation.version)
    return Rebuilt(generation.version, replaced, sum(entries for entries, _ in seen.values()))


async def _begin(database: Database) -> tuple[Generation, Vector]:
    """Open the new generation, and see what the log holds that was written without it."""
    async with database.transaction() as tx:
        generation = await generations.begin(tx, handlers.CURRENT)
    async with database.transaction() as tx:
        return generation, await log.vector(tx)


async def _replay(database: Database, generation: Generation, goal: Vector, progress: Progress) -> Vector:
    """Let the whole log count in the generation; what was seen of it."""
    counts: Counter[str] = Counter()
    highest: dict[str, int] = {}
    position, total = START, sum(entries for entries, _ in goal.values())
    while True:
        async with database.transaction() as tx:
            entries = await log.entries_after(tx, position, CHUNK)
            await handlers.project(tx, generation, entries)
        if not entries:
            return {name: (counts[name], highest[name]) for name in counts}
        for entry in entries:
            counts[f"{entry.topic}/{entry.part}"] += 1
            highest[f"{entry.topic}/{entry.part}"] = entry.seq
        position = Position(entries[-1].topic, entries[-1].part, entries[-1].seq)
        progress(counts.total(), max(total, counts.total()))


def _demand_all_of(goal: Vector, seen: Vector) -> None:
    """Nothing that the log held at the start may have been passed over; more may have come."""
    nothing = (0, 0)
    short = [name for name, held in goal.items() if any(had < has for had, has in zip(seen.get(name, nothing), held, strict=True))]
    if short:
        raise RebuildRefused(f"the event log was not read completely: {', '.join(short)}")


async def _demand_proof(database: Database, generation: Generation) -> None:
    async with log.snapshot(database) as tx:
        found = await handlers.differences(tx, generation.version)
    if found:
        raise RebuildRefused(f"projection {generation.version} differs from the event log in {len(found)} rows, first {found[0]}")


async def _clear_away(database: Database) -> None:
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
