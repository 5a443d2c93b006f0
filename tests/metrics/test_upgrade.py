"""A release that counts otherwise finds an older one's figures: they stay what they are until the new ones are proved."""

from __future__ import annotations

import asyncio
import random
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from services.metrics import rebuild as rebuilding
from services.metrics.handlers import CURRENT
from services.metrics.rebuild import keep_current
from services.metrics.store import generations, log
from shared import migrations
from shared.database import Database
from tests.databases import with_database
from tests.metrics.builders import in_batches, numbered, random_history
from tests.metrics.counting import Row
from tests.metrics.database import differences, recorded, rollups
from tests.metrics.test_projection_laws import rollups_of
from tests.servers import Servers
from tests.waiting import eventually

pytestmark = pytest.mark.postgres

MIGRATIONS = Path(__file__).parents[2] / "services/metrics/migrations"


async def _is_built_by_an_older_release(database: Database) -> None:
    async with database.transaction() as tx:
        await tx.execute("""UPDATE projection SET definitions = '{"requests": 1}'""")
        # facts of another form than this release's: whoever reads them fails
        await tx.execute("UPDATE fact SET facts = '[\"of another form\"]'")


async def _moved_to(database: Database, log_name: str, seq: int) -> None:
    async with database.transaction() as tx:
        await tx.execute("UPDATE consumer_part SET last_seq = $2 WHERE topic || '/' || part = $1", log_name, seq)


async def test_what_an_older_release_built_is_shown_as_of_its_end_and_not_added_to(metrics_database: Database) -> None:
    entries = sorted(numbered(random_history(1, 30)), key=lambda entry: (entry.topic, entry.part, entry.seq))
    first_log = [entry for entry in entries if (entry.topic, entry.part) == (entries[0].topic, entries[0].part)]
    name = f"{first_log[0].topic}/{first_log[0].part}"
    await recorded(metrics_database, [first_log[:2]])
    before = await rollups(metrics_database)
    await _is_built_by_an_older_release(metrics_database)
    await _moved_to(metrics_database, name, 4)

    await recorded(metrics_database, [first_log[2:4]])

    assert await rollups(metrics_database) == before
    async with log.snapshot(metrics_database) as tx:
        known = await log.as_of(tx, (await generations.active(tx)).as_of)
        logged = await log.vector(tx)
    assert (known.positions[name], logged[name]) == (2, (4, 4))


async def test_the_figures_of_an_older_release_are_rebuilt_while_events_arrive(metrics_database: Database) -> None:
    entries = numbered(random_history(2, 80))
    await recorded(metrics_database, [entries[: len(entries) // 2]])
    await _is_built_by_an_older_release(metrics_database)

    async with asyncio.TaskGroup() as running:
        running.create_task(_kept_current(metrics_database))
        running.create_task(recorded(metrics_database, in_batches(entries[len(entries) // 2 :], random.Random(2))))

    assert await differences(metrics_database) == []
    assert await rollups(metrics_database) == rollups_of([entries])


async def test_figures_that_are_current_are_left_alone(metrics_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    await recorded(metrics_database, [numbered(random_history(3, 5))])
    stop = asyncio.Event()

    async def looked_once(*_: object) -> None:
        stop.set()

    monkeypatch.setattr(rebuilding, "pause", looked_once)
    await keep_current(metrics_database, stop)

    async with metrics_database.transaction() as tx:
        assert (await generations.active(tx)).version == 1


@pytest.fixture
def later() -> tuple[str, ...]:
    """The revisions that came after the release before."""
    return ("0002*", "0003*", "0004*", "0005*", "0006*")


@pytest.fixture
async def installed_before(servers: Servers, worker: str, tmp_path: Path, later: tuple[str, ...]) -> AsyncIterator[str]:
    """Address of a database as the release before left it, with an event log and rows of its own making."""
    shutil.copytree(MIGRATIONS, tmp_path / "migrations", ignore=shutil.ignore_patterns(*later, "__pycache__"))
    name = f"{worker}_installed_before"
    admin = await asyncpg.connect(servers.postgres())
    await admin.execute(f'CREATE DATABASE "{name}"')
    url = with_database(servers.postgres(), name)
    await asyncio.to_thread(migrations.upgrade, "metrics", url, location=tmp_path / "migrations")
    yield url
    await admin.execute(f'DROP DATABASE "{name}"')
    await admin.close()


async def test_an_installation_of_the_release_before_goes_on_and_is_rebuilt(installed_before: str) -> None:
    entries = numbered(random_history(4, 40))
    database = Database(installed_before, pool_size=5, application_name="tests")
    async with database.transaction() as tx:
        await log.append(tx, entries)
        await tx.execute("INSERT INTO fact VALUES (1, 'answer', 'x', '{}')")
        await tx.execute(
            "INSERT INTO kpi_rollup VALUES (1, 'requests', 'total', 101, '', 'count', 3), (1, 'requests', 'total', 102, '', 'count', 4)"
        )
        await tx.execute("UPDATE consumer_part SET last_seq = 7 WHERE topic = 'aftercare.intake' AND part = 0")

    await asyncio.to_thread(migrations.upgrade, "metrics", installed_before)

    async with log.snapshot(database) as tx:
        before = await generations.active(tx)
        known = await log.as_of(tx, before.as_of)
    assert (before.version, len(before.definitions), known.positions) == (1, 8, {"aftercare.intake/0": 7})
    assert await rollups(database) == {
        Row("requests", "total", "", span, bucket, "count"): n
        for span, bucket, n in ((1, 101, 3), (1, 102, 4), (4, 100, 7), (32, 96, 7), (96, 96, 7))
    }

    await _kept_current(database)

    assert await rollups(database) == rollups_of([entries])
    assert await differences(database) == []
    await database.close()


async def test_where_nothing_was_logged_there_is_nothing_to_rebuild(installed_before: str) -> None:
    await asyncio.to_thread(migrations.upgrade, "metrics", installed_before)

    database = Database(installed_before, pool_size=5, application_name="tests")
    async with database.transaction() as tx:
        generation = await generations.active(tx)
    await database.close()
    assert (generation.version, generation.definitions, generation.as_of) == (1, CURRENT, None)


@pytest.mark.parametrize("later", [("0004*", "0005*", "0006*")])
async def test_rows_with_one_document_are_taken_over_and_need_no_rebuild(installed_before: str) -> None:
    database = Database(installed_before, pool_size=5, application_name="tests")
    async with database.transaction() as tx:
        for bucket, ms in ((96, 5), (124, 7), (128, 11)):
            counts = f'{{"requests": {{"count": 2}}, "first_response_time": {{"business_ms": {ms}}}}}'
            await tx.execute(f"INSERT INTO kpi_rollup VALUES (1, 'total', 4, {bucket}, '', '{counts}')")

    await asyncio.to_thread(migrations.upgrade, "metrics", installed_before)

    async with database.transaction() as tx:
        rows = await tx.fetch("SELECT span, bucket, counts::jsonb::text, durations::jsonb::text FROM kpi_rollup ORDER BY 1, 2")
        assert (await generations.active(tx)).definitions == CURRENT
    await database.close()
    assert [tuple(row) for row in rows] == [
        (span, bucket, f'{{"requests": {{"count": {n}}}}}', f'{{"first_response_time": {{"business_ms": {ms}}}}}')
        for span, bucket, n, ms in ((4, 96, 2, 5), (4, 124, 2, 7), (4, 128, 2, 11), (32, 96, 4, 12), (32, 128, 2, 11))
    ]


@pytest.mark.parametrize("later", [("0006*",)])
async def test_complaints_that_share_a_file_and_a_topic_are_marked_without_a_rebuild(installed_before: str) -> None:
    database = Database(installed_before, pool_size=5, application_name="tests")
    async with database.transaction() as tx:
        for ticket, customer, topic in (("A", "1", "leak"), ("B", "1", "leak"), ("C", "1", "noise"), ("D", "2", "leak")):
            dimensions = "'chat', 'complaint', 'normal', '', '', ''"
            await tx.execute(f"INSERT INTO complaint VALUES (1, '{ticket}', '{customer}', '{topic}', 0, 1, {dimensions})")

    await asyncio.to_thread(migrations.upgrade, "metrics", installed_before)

    async with database.transaction() as tx:
        rows = await tx.fetch("SELECT ticket, is_shared FROM complaint ORDER BY ticket")
        assert (await generations.active(tx)).definitions == CURRENT
    await database.close()
    assert [tuple(row) for row in rows] == [("A", True), ("B", True), ("C", False), ("D", False)]


async def _kept_current(database: Database) -> None:
    """Until the figures in use are this release's."""
    stop = asyncio.Event()

    async def is_current() -> bool:
        async with database.transaction() as tx:
            return (await generations.active(tx)).definitions == CURRENT

    async with asyncio.TaskGroup() as running:
        running.create_task(keep_current(database, stop))
        await eventually(is_current)
        stop.set()
