"""A rebuild ends with the same figures, also while events arrive; what cannot be proved is not activated."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import asyncpg
import pytest

from services.metrics import handlers
from services.metrics.projection import rules
from services.metrics.rebuild import RebuildRefused, rebuild
from services.metrics.reduction import Entry
from services.metrics.store import generations, log
from shared.database import Database, Transaction
from tests.metrics.builders import in_batches, numbered, random_history
from tests.metrics.database import differences, recorded, rollups, tamper
from tests.metrics.test_projection_laws import rollups_of

pytestmark = pytest.mark.postgres


def _unheard(_read: int, _all: int) -> None:
    """Nobody watches."""


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.metrics.rebuild.CHUNK", 100)


async def _generations(database: Database) -> list[tuple[int, str]]:
    async with database.transaction() as tx:
        return [tuple(row) for row in await tx.fetch("SELECT version, status FROM projection ORDER BY version")]


async def _versions_with_rows(database: Database) -> set[int]:
    async with database.transaction() as tx:
        rows = await tx.fetch("SELECT projection_version FROM fact UNION SELECT projection_version FROM kpi_rollup")
    return {row["projection_version"] for row in rows}


async def test_a_rebuild_ends_with_the_same_rows_and_leaves_nothing_of_the_old_ones(metrics_database: Database) -> None:
    entries = numbered(random_history(3, 80))
    await recorded(metrics_database, [entries])
    before = await rollups(metrics_database)
    heard: list[tuple[int, int]] = []

    rebuilt = await rebuild(metrics_database, lambda read, every: heard.append((read, every)))

    assert (rebuilt.version, rebuilt.replaced, rebuilt.entries) == (2, 1, len(entries))
    assert await rollups(metrics_database) == before
    assert await differences(metrics_database) == []
    assert await _generations(metrics_database) == [(2, "active")]
    assert await _versions_with_rows(metrics_database) == {2}
    assert heard[-1] == (len(entries), len(entries))


async def test_a_rebuild_repairs_rows_that_somebody_changed(metrics_database: Database) -> None:
    await recorded(metrics_database, [numbered(random_history(4, 20))])
    before = await rollups(metrics_database)
    async with metrics_database.transaction() as tx:
        await tamper(tx, "requests", "count", 999)
        await tx.execute("DELETE FROM fact WHERE kind = 'ticket'")

    await rebuild(metrics_database, _unheard)

    assert await rollups(metrics_database) == before


async def test_events_that_arrive_during_a_rebuild_count_in_the_new_generation(metrics_database: Database) -> None:
    entries = numbered(random_history(5, 200))
    half = len(entries) // 2
    await recorded(metrics_database, [entries[:half]])

    async with asyncio.TaskGroup() as running:
        running.create_task(recorded(metrics_database, in_batches(entries[half:], random.Random(5))))
        running.create_task(rebuild(metrics_database, _unheard))

    assert await rollups(metrics_database) == rollups_of([entries])
    assert await differences(metrics_database) == []
    assert await _generations(metrics_database) == [(2, "active")]


async def test_an_event_that_was_parked_and_comes_behind_the_rebuild_counts(
    metrics_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its number is lower than what the rebuild has read already: only whoever brings it can count it."""
    entries = sorted(numbered(random_history(6, 60)), key=lambda entry: (entry.topic, entry.part, entry.seq))
    parked, others = entries[:7], entries[7:]
    assert {(entry.topic, entry.part) for entry in parked} <= {(entry.topic, entry.part) for entry in others}
    await recorded(metrics_database, [others])
    read = log.entries_of

    async def replayed_behind(tx: Transaction, topic: str, part: int, at_once: int) -> AsyncIterator[list[Entry]]:
        async for piece in read(tx, topic, part, at_once):
            yield piece
            if parked and (parked[0].topic, parked[0].part) == (topic, part):
                await recorded(metrics_database, [[parked.pop() for _ in range(len(parked))]])

    monkeypatch.setattr(log, "entries_of", replayed_behind)
    await rebuild(metrics_database, _unheard)

    assert not parked
    assert await rollups(metrics_database) == rollups_of([entries])


async def test_two_rebuilds_do_not_run_at_once(metrics_database: Database) -> None:
    async with generations.sole_rebuild(metrics_database):
        with pytest.raises(RebuildRefused, match="another rebuild"):
            await rebuild(metrics_database, _unheard)

    assert (await rebuild(metrics_database, _unheard)).version == 2


async def test_what_an_interrupted_rebuild_left_is_cleared_away(metrics_database: Database) -> None:
    entries = numbered(random_history(7, 30))
    async with metrics_database.transaction() as tx:
        await generations.begin(tx, handlers.CURRENT)  # and then its process was killed
    await recorded(metrics_database, [entries])
    assert await _versions_with_rows(metrics_database) == {1, 2}

    await rebuild(metrics_database, _unheard)

    assert len(await _generations(metrics_database)) == 1
    assert len(await _versions_with_rows(metrics_database)) == 1
    assert await rollups(metrics_database) == rollups_of([entries])


async def test_a_generation_that_cannot_be_proved_is_not_activated(metrics_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = numbered(random_history(8, 80))
    await recorded(metrics_database, [entries])

    monkeypatch.setattr(rules, "WITHDRAWN", frozenset({"merged"}))
    with pytest.raises(RebuildRefused, match="differs from the event log"):
        await rebuild(metrics_database, _unheard)

    assert await _generations(metrics_database) == [(1, "active")]
    assert await _versions_with_rows(metrics_database) == {1}
    assert await differences(metrics_database) == []


async def test_the_event_log_takes_inserts_alone(metrics_database: Database) -> None:
    await recorded(metrics_database, [numbered(random_history(9, 2))])

    for change in ("UPDATE event_log SET key = 'x'", "DELETE FROM event_log", "TRUNCATE event_log"):
        with pytest.raises(asyncpg.RaiseError, match="append-only"):
            async with metrics_database.transaction() as tx:
                await tx.execute(change)
