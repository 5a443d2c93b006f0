"""Processes that rebuild together end with what one ends with; one that dies fails the rebuild, and none outlives who asked for it."""

from __future__ import annotations

import asyncio
import random
import sys
from asyncio.subprocess import PIPE

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.metrics import handlers
from services.metrics.rebuild import RebuildRefused, jobs, rebuild, workers
from services.metrics.rebuild.jobs import Replay, RollUp
from services.metrics.store import generations
from services.metrics.store.generations import Generation, GivenUp
from shared.database import Database
from tests.metrics.builders import in_batches, numbered, random_history
from tests.metrics.database import differences, recorded, rollups
from tests.metrics.test_projection_laws import rollups_of
from tests.waiting import eventually

NUMBERS = st.integers(-(2**31), 2**31)


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.metrics.rebuild.CHUNK", 100)
    monkeypatch.setattr("services.metrics.rebuild.FEW", 0)


def _unheard(_read: int, _all: int) -> None:
    """Nobody watches."""


def _children() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if _is_worker(child)]


def _is_worker(child: psutil.Process) -> bool:
    try:
        return "services.metrics.rebuild" in child.cmdline()
    except psutil.NoSuchProcess:  # another test's, which has just ended
        return False


async def _begun(database: Database) -> Generation:
    async with database.transaction() as tx:
        return await generations.begin(tx, handlers.CURRENT)


async def _statuses(database: Database) -> list[str]:
    async with database.transaction() as tx:
        return [row["status"] for row in await tx.fetch("SELECT status FROM projection ORDER BY version")]


async def _parts(database: Database) -> int:
    async with database.transaction() as tx:
        return int(await tx.fetchval("SELECT count(*) FROM kpi_cell_part"))


@pytest.mark.pure
@given(st.builds(Replay, st.text(max_size=9), NUMBERS, NUMBERS) | st.builds(RollUp, NUMBERS, NUMBERS))
def test_a_worker_gets_the_job_that_was_sent(job: jobs.Job) -> None:
    line = workers.line_of(job)

    assert workers.job_of(line) == job
    assert line.index(b"\n") == len(line) - 1


@pytest.mark.pure
def test_as_many_work_as_were_asked_for_or_as_there_are_cores() -> None:
    assert workers.number(11) == 11
    assert 1 <= workers.number(None) <= workers.MOST


@pytest.mark.postgres
async def test_processes_end_with_what_one_ends_with_also_while_events_arrive(metrics_database: Database) -> None:
    entries = numbered(random_history(11, 160))
    half = len(entries) // 2
    await recorded(metrics_database, [entries[:half]])
    heard: list[tuple[int, int]] = []

    async with asyncio.TaskGroup() as running:
        running.create_task(recorded(metrics_database, in_batches(entries[half:], random.Random(11))))
        running.create_task(rebuild(metrics_database, lambda read, every: heard.append((read, every)), processes=2))

    assert await rollups(metrics_database) == rollups_of([entries])
    assert await differences(metrics_database) == []
    assert await _statuses(metrics_database) == ["active"]
    assert await _parts(metrics_database) == 0
    assert heard[-1][0] >= heard[-1][1] >= half


@pytest.mark.postgres
async def test_a_worker_that_is_killed_fails_the_rebuild_and_the_old_figures_stay(metrics_database: Database) -> None:
    entries = numbered(random_history(12, 120))
    await recorded(metrics_database, [entries])

    def kill_one(_read: int, _all: int) -> None:
        for child in _children()[:1]:  # the other one may tell of a piece after both have ended
            child.kill()

    with pytest.raises(RebuildRefused, match=r"worker process \d+ was ended by SIGKILL"):
        await rebuild(metrics_database, kill_one, processes=2)

    assert await _statuses(metrics_database) == ["active"]
    assert await _parts(metrics_database) == 0
    assert await rollups(metrics_database) == rollups_of([entries])
    assert _children() == []
    assert (await rebuild(metrics_database, _unheard, processes=2)).entries == len(entries)


@pytest.mark.postgres
async def test_what_fails_in_a_worker_is_told(metrics_database: Database) -> None:
    await recorded(metrics_database, [numbered(random_history(13, 20))])
    generation = await _begun(metrics_database)

    async with workers.hired(metrics_database, generation, 1) as (worker,):
        with pytest.raises(workers.WorkerFailed, match=r"worker process \d+: DataError: .*never"):
            await worker.do(RollUp("never", 96), _unheard)  # type: ignore[arg-type]


@pytest.mark.postgres
async def test_what_outlives_its_rebuild_writes_nothing(metrics_database: Database) -> None:
    entries = numbered(random_history(14, 20))
    await recorded(metrics_database, [entries])
    first = await _begun(metrics_database)
    async with metrics_database.transaction() as tx:
        await generations.retire_unfinished(tx)
        await generations.forget(tx, first.version)
    second = await _begun(metrics_database)
    assert second.version == first.version
    job = Replay(entries[0].topic, entries[0].part, 100)

    with pytest.raises(GivenUp, match="projection 2"):
        await jobs.do(metrics_database, first, job, _unheard)

    assert await _parts(metrics_database) == 0
    await jobs.do(metrics_database, second, job, _unheard)
    assert await _parts(metrics_database) > 0


PARENT = """
import asyncio, sys
from datetime import datetime
from services.metrics.rebuild import workers
from services.metrics.rebuild.jobs import Replay
from services.metrics.store.generations import Generation
from shared.database import Database

async def main(url, version, started_at, topic, part):
    database = Database(url, pool_size=2, application_name="tests")
    generation = Generation(int(version), False, {}, started_at=datetime.fromisoformat(started_at))
    async with workers.hired(database, generation, 1) as (worker,):
        print(worker.pid, flush=True)
        await worker.do(Replay(topic, int(part), 100), print)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.postgres
async def test_a_worker_ends_when_its_parent_is_killed_in_the_middle_of_a_job(metrics_database: Database) -> None:
    entries = numbered(random_history(15, 20))
    await recorded(metrics_database, [entries])
    generation = await _begun(metrics_database)
    url = metrics_database.url
    topic, part = entries[0].topic, entries[0].part
    assert generation.started_at is not None
    told = (url, str(generation.version), generation.started_at.isoformat(), topic, str(part))

    async with metrics_database.transaction() as tx:
        await tx.execute("SET LOCAL idle_in_transaction_session_timeout = 0")  # processes take their time to start
        await generations.own(tx, generation.version, {(topic, part)})  # the job waits for it
        parent = await asyncio.create_subprocess_exec(sys.executable, "-c", PARENT, *told, stdout=PIPE)
        assert parent.stdout is not None
        worker = int(await parent.stdout.readline())
        await eventually(lambda: _waits(metrics_database), timeout=120)
        parent.kill()
        await parent.communicate()

        await eventually(lambda: _is_gone(worker), timeout=120)


async def _waits(database: Database) -> bool:
    async with database.transaction() as tx:
        return bool(await tx.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)"))


async def _is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
