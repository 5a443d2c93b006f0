"""Probes: what each of them looks at, and what it does not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from shared import health
from shared.database import Database
from shared.health import Finding
from shared.runtime import Runtime
from tests.shared.callers import caller, new_key
from tests.shared.sample import SampleSettings, sample_app, settings

pytestmark = pytest.mark.postgres


@pytest.fixture
def runtime(service_database: Database) -> Runtime[SampleSettings]:
    return Runtime.for_tests(service_database, settings())


@pytest.fixture
async def probe(runtime: Runtime[SampleSettings]) -> AsyncIterator[httpx.AsyncClient]:
    async with caller(sample_app(runtime)) as client:
        yield client


@pytest.fixture
async def without_database() -> AsyncIterator[Runtime[SampleSettings]]:
    """A started process whose database is away."""
    away = Database("postgresql://nobody@127.0.0.1:1/nothing", pool_size=2, application_name="tests")
    yield Runtime.for_tests(away, settings())
    await away.close()


async def passing(client: httpx.AsyncClient) -> dict[str, bool]:
    return {path: (await client.get(path)).status_code == 200 for path in ("/livez", "/readyz", "/startupz")}


async def test_a_started_process_passes_all(probe: httpx.AsyncClient) -> None:
    assert await passing(probe) == {"/livez": True, "/readyz": True, "/startupz": True}


async def test_a_probe_shows_the_status_and_nothing_more(probe: httpx.AsyncClient) -> None:
    answer = await probe.get("/readyz")

    assert answer.json() == {"status": "pass"}
    assert answer.headers["Content-Type"] == "application/health+json"
    assert answer.headers["Cache-Control"] == "no-store"


async def test_a_process_that_has_not_started_is_alive_and_not_ready(runtime: Runtime[SampleSettings], probe: httpx.AsyncClient) -> None:
    runtime.health.is_started = False

    assert await passing(probe) == {"/livez": True, "/readyz": False, "/startupz": False}


async def test_a_process_that_is_ending_is_not_ready(runtime: Runtime[SampleSettings], probe: httpx.AsyncClient) -> None:
    runtime.health.is_draining = True

    assert await passing(probe) == {"/livez": True, "/readyz": False, "/startupz": True}


async def test_a_process_whose_database_is_away_is_alive_and_not_ready(without_database: Runtime[SampleSettings]) -> None:
    async with caller(sample_app(without_database)) as probe:
        assert await passing(probe) == {"/livez": True, "/readyz": False, "/startupz": True}


async def test_a_process_with_a_dead_loop_is_not_alive(runtime: Runtime[SampleSettings], probe: httpx.AsyncClient) -> None:
    runtime.health.loop_died("relay", "KeyError")

    assert await passing(probe) == {"/livez": False, "/readyz": True, "/startupz": True}


async def test_a_service_can_add_a_check(runtime: Runtime[SampleSettings], probe: httpx.AsyncClient) -> None:
    filled = 0.5

    async def queue() -> Finding:
        return Finding(filled < 0.8, filled)

    runtime.health.add_check("queue", queue)
    assert (await passing(probe))["/readyz"]

    filled = 0.9
    assert not (await passing(probe))["/readyz"]


async def test_a_check_that_fails_or_hangs_is_a_process_that_is_not_ready(
    runtime: Runtime[SampleSettings], probe: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "CHECK_TIMEOUT", 0.05)

    async def hangs() -> Finding:
        await asyncio.Event().wait()
        return Finding(passes=True)

    async def breaks() -> Finding:
        raise KeyError("zhangsan")

    for check in (hangs, breaks):
        runtime.health.add_check("queue", check)
        assert not (await passing(probe))["/readyz"]


async def test_the_database_may_be_silent_for_a_moment(service_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("shared.clock.monotonic", lambda: now)
    check = health.DatabaseCheck(service_database)
    assert (await check()).passes

    async def away() -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(service_database, "ping", away)
    now += health.PATIENCE
    assert (await check()).passes
    now += 1.5
    assert not (await check()).passes


async def test_a_thousand_probes_ask_the_database_once(service_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.clock.monotonic", lambda: 100.0)
    asked = 0
    ping = service_database.ping

    async def counted() -> None:
        nonlocal asked
        asked += 1
        await ping()

    monkeypatch.setattr(service_database, "ping", counted)
    check = health.DatabaseCheck(service_database)

    findings = await asyncio.gather(*(check() for _ in range(1_000)))

    assert asked == 1
    assert all(finding.passes for finding in findings)


async def test_operators_with_the_scope_see_every_check(runtime: Runtime[SampleSettings], probe: httpx.AsyncClient) -> None:
    runtime.health.loop_restarted("relay")
    key = await new_key(runtime.database)

    answer = await probe.get("/healthz", headers={"Authorization": f"Bearer {key}"})

    assert answer.status_code == 200
    assert answer.json()["checks"]["postgres"][0]["status"] == "pass"
    assert answer.json()["checks"]["relay"][0]["observedValue"] == 1
    assert (await probe.get("/healthz")).status_code == 401
