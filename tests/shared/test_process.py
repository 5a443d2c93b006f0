"""One process: its loops come back when they fail, die when they must, and end in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from deploy.local.ports import free_port
from shared.database import Database
from shared.process import RESTARTS, GivenUp, Loop, Patience, Process, every
from shared.runtime import Runtime
from shared.server import PortTaken, listen
from tests.shared.sample import SampleSettings, sample_app, settings
from tests.waiting import eventually

pytestmark = pytest.mark.postgres

HURRY = Patience(balancer=0, requests=1, loops=0.3, pool=1)


@pytest.fixture
async def runtime(service_database: Database) -> Runtime[SampleSettings]:
    """A runtime that has a pool of its own, as the process closes it."""
    url = service_database.url
    return Runtime.start(settings(database_url=url, port=free_port(), local=True))


async def at_once() -> None:
    """Nothing has to be waited for."""


def process_of(runtime: Runtime[SampleSettings], loops: dict[str, Loop]) -> Process:
    return Process(runtime, sample_app(runtime), loops, starting=at_once, patience=HURRY, first_pause=0.001)


@asynccontextmanager
async def running(process: Process) -> AsyncIterator[asyncio.Task[int]]:
    task = asyncio.create_task(process.run())
    try:
        yield task
    finally:
        process.end()
        await task


async def status_of(runtime: Runtime[SampleSettings], path: str) -> int:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{runtime.settings.listen_port}") as client:
        try:
            return (await client.get(path)).status_code
        except httpx.TransportError:
            return 0


async def test_a_loop_that_fails_is_started_again(runtime: Runtime[SampleSettings]) -> None:
    starts = 0
    works = asyncio.Event()

    async def loop(stop: asyncio.Event) -> None:
        nonlocal starts
        starts += 1
        if starts <= RESTARTS:
            raise KeyError("a bug")
        works.set()
        await stop.wait()

    async with running(process_of(runtime, {"loop": loop})) as task:
        await works.wait()

        assert runtime.health.is_alive
        assert runtime.health.loops()["loop"].observed == RESTARTS
    assert await task == 0


@pytest.mark.parametrize("failure", [KeyError("a bug"), None, ExceptionGroup("several", [KeyError("one")])])
async def test_a_loop_that_does_not_come_back_ends_the_process(runtime: Runtime[SampleSettings], failure: Exception | None) -> None:
    starts = 0

    async def loop(_stop: asyncio.Event) -> None:
        nonlocal starts
        starts += 1
        if failure is not None:
            raise failure

    assert await process_of(runtime, {"loop": loop}).run() == 1

    assert starts == RESTARTS + 1
    assert not runtime.health.is_alive


async def test_a_loop_that_is_cancelled_though_nobody_cancelled_it_is_started_again(runtime: Runtime[SampleSettings]) -> None:
    starts = 0
    works = asyncio.Event()

    async def loop(stop: asyncio.Event) -> None:
        nonlocal starts
        starts += 1
        if starts == 1:
            # as a time-out does that leaves its cancellation behind
            stray = asyncio.get_running_loop().create_future()
            stray.cancel()
            await stray
        works.set()
        await stop.wait()

    async with running(process_of(runtime, {"loop": loop})) as task:
        async with asyncio.timeout(10):
            await works.wait()

        assert runtime.health.loops()["loop"].observed == 1
    assert await task == 0


async def test_a_loop_that_gave_up_is_not_started_again(runtime: Runtime[SampleSettings]) -> None:
    starts = 0

    async def loop(_stop: asyncio.Event) -> None:
        nonlocal starts
        starts += 1
        raise GivenUp

    assert await process_of(runtime, {"loop": loop}).run() == 1
    assert starts == 1


async def test_other_loops_go_on_while_one_comes_back(runtime: Runtime[SampleSettings]) -> None:
    beats = 0
    failed = asyncio.Event()

    async def steady(stop: asyncio.Event) -> None:
        nonlocal beats
        beats += 1
        await stop.wait()

    async def shaky(stop: asyncio.Event) -> None:
        if not failed.is_set():
            failed.set()
            raise KeyError("a bug")
        await stop.wait()

    async with running(process_of(runtime, {"steady": steady, "shaky": shaky})):
        await eventually(lambda: status_of(runtime, "/readyz"), lambda status: status == 200)
        await failed.wait()

    assert beats == 1


async def test_the_loops_end_after_the_last_answer_and_before_the_pool(runtime: Runtime[SampleSettings]) -> None:
    order: list[str] = []

    async def loop(stop: asyncio.Event) -> None:
        await stop.wait()
        order.append(f"loop, door {await status_of(runtime, '/livez')}")
        async with runtime.database.transaction() as tx:
            await tx.execute("SELECT 1")
        order.append("last batch written")

    async with running(process_of(runtime, {"loop": loop})):
        await eventually(lambda: status_of(runtime, "/readyz"), lambda status: status == 200)

    assert order == ["loop, door 0", "last batch written"]


async def test_a_loop_that_does_not_listen_is_cut_off(runtime: Runtime[SampleSettings]) -> None:
    cut_off = False

    async def deaf(_stop: asyncio.Event) -> None:
        nonlocal cut_off
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cut_off = True
            raise

    process = process_of(runtime, {"deaf": deaf})
    async with running(process) as task:
        await eventually(lambda: status_of(runtime, "/readyz"), lambda status: status == 200)
        process.end()
        async with asyncio.timeout(HURRY.loops + HURRY.requests + HURRY.pool):
            assert await task == 0
    assert cut_off


@pytest.mark.parametrize("failure", [KeyError("a bug"), asyncio.CancelledError()])
async def test_a_start_that_fails_ends_the_process(runtime: Runtime[SampleSettings], failure: BaseException) -> None:
    async def broken() -> None:
        raise failure

    assert await Process(runtime, sample_app(runtime), {}, starting=broken, patience=HURRY).run() == 1


async def test_a_process_that_still_waits_for_its_start_can_be_ended(runtime: Runtime[SampleSettings]) -> None:
    async def forever() -> None:
        await asyncio.Event().wait()

    process = Process(runtime, sample_app(runtime), {}, starting=forever, patience=HURRY)
    async with running(process) as task:
        await eventually(lambda: status_of(runtime, "/livez"), lambda status: status == 200)
        assert await status_of(runtime, "/startupz") == 503
        process.end()
        assert await task == 0


async def test_a_port_that_somebody_has_is_told_before_anything_starts(runtime: Runtime[SampleSettings]) -> None:
    with listen("127.0.0.1", runtime.settings.listen_port), pytest.raises(PortTaken, match=str(runtime.settings.listen_port)):
        await process_of(runtime, {}).run()
    await runtime.close()


async def test_work_that_recurs_survives_what_passes_and_shows_a_bug() -> None:
    stop = asyncio.Event()
    done = 0

    async def work() -> None:
        nonlocal done
        done += 1
        if done == 1:
            raise ConnectionRefusedError
        if done == 3:
            raise KeyError("a bug")

    with pytest.raises(KeyError):
        await every(0.001, work, is_transient=lambda error: isinstance(error, OSError))(stop)
    assert done == 3
