"""A service as its supervisor sees it: a process with roles, a port, signals and exit codes."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass

import asyncpg
import httpx
import orjson
import pytest

from deploy.local.ports import free_port
from shared import clock
from shared.clock import business_clock
from shared.database import Database
from shared.server import listen
from shared.service import main
from shared.telemetry.logs import forget_configuration
from tests import databases
from tests.servers import Servers
from tests.shared.sample import SIGNING_KEY
from tests.shared.sample_process import SERVICE
from tests.waiting import eventually

pytestmark = pytest.mark.postgres

PROMISED = 8.0
"""Seconds within which a local process ends."""


@dataclass
class Running:
    """A process of the sample service."""

    process: asyncio.subprocess.Process
    client: httpx.AsyncClient

    async def status(self, path: str) -> int:
        try:
            return (await self.client.get(path)).status_code
        except httpx.TransportError:
            return 0

    async def ready(self) -> None:
        await eventually(lambda: self.status("/readyz"), lambda status: status == 200)

    async def ended(self) -> tuple[int, list[dict[str, object]]]:
        """Its exit code and its log."""
        out, err = await self.process.communicate()
        assert self.process.returncode is not None
        assert b"Traceback" not in err, err.decode()
        return self.process.returncode, [orjson.loads(line) for line in out.splitlines()]


def url_of(database: Database) -> str:
    return database.url


@asynccontextmanager
async def sample(url: str, *roles: str, **variables: str) -> AsyncIterator[Running]:
    port = int(variables.get("TICKETS_PORT") or free_port())
    told = {
        "TICKETS_DATABASE_URL": url,
        "TICKETS_PORT": str(port),
        "AFTERCARE_LOCAL": "1",
        "AFTERCARE_SIGNING_KEY": SIGNING_KEY,
        # nobody listens there: the broker is away
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.shared.sample_process", *roles),
        env={**os.environ, **told, **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
            yield Running(process, client)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def test_a_request_in_hand_is_answered_before_the_process_ends(service_database: Database) -> None:
    async with sample(url_of(service_database), "api", "timers") as service:
        await service.ready()
        asked = asyncio.create_task(service.client.get("/slow?seconds=1"))
        await eventually(lambda: figure(service, "http_requests_in_flight"), lambda value: value >= 2)
        started = clock.monotonic()

        service.process.send_signal(signal.SIGTERM)

        answer = await asked
        code, log = await service.ended()
        assert (answer.status_code, answer.json()) == (200, {"answered": "in full"})
        assert code == 0
        assert clock.monotonic() - started < PROMISED
        assert [line["event"] for line in log if str(line["event"]).startswith("process_end")] == ["process_ending", "process_ended"]


async def figure(service: Running, name: str) -> float:
    text = (await service.client.get("/metrics")).text
    return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(name))


async def test_everything_in_one_process_starts_and_ends_in_time_while_the_broker_is_away(service_database: Database) -> None:
    async with sample(url_of(service_database), SAMPLE_LOOPS="obedient deaf") as service:
        await service.ready()
        asked = asyncio.create_task(service.client.get("/slow?seconds=60"))
        await eventually(lambda: figure(service, "http_requests_in_flight"), lambda value: value >= 2)
        started = clock.monotonic()

        service.process.send_signal(signal.SIGINT)

        code, log = await service.ended()
        assert code == 0
        assert clock.monotonic() - started < PROMISED
        assert "deaf" in str(next(line for line in log if line["event"] == "loops_cut_off")["loops"])
        asked.cancel()


async def test_a_process_gives_way_as_far_as_it_is_told(service_database: Database) -> None:
    async with sample(url_of(service_database), "api", AFTERCARE_NICE="5") as service:
        await service.ready()

        assert os.getpriority(os.PRIO_PROCESS, service.process.pid) == os.getpriority(os.PRIO_PROCESS, 0) + 5


async def test_a_process_waits_until_its_database_is_migrated(servers: Servers, worker: str) -> None:
    name = f"{worker}_unmigrated"
    with_admin = await asyncpg.connect(servers.postgres())
    await with_admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    await with_admin.execute(f'CREATE DATABASE "{name}"')
    await with_admin.close()
    url = databases.with_database(servers.postgres(), name)

    async with sample(url, "timers") as service:
        await eventually(lambda: service.status("/livez"), lambda status: status == 200)
        assert (await service.status("/startupz"), await service.status("/readyz")) == (503, 503)

        async with sample(url, "migrate") as migration:
            assert (await migration.ended())[0] == 0

        await service.ready()
        # a process without a REST door answers probes alone
        assert await service.status("/slow") == 404


async def test_a_database_that_goes_away_and_comes_back_costs_readiness_and_no_restart(
    service_database: Database, servers: Servers
) -> None:
    name = service_database.engine.url.database
    admin = await asyncpg.connect(servers.postgres())
    try:
        async with sample(url_of(service_database), "api", "timers") as service:
            await service.ready()

            await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
            await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
            await eventually(lambda: service.status("/readyz"), lambda status: status == 503)
            assert await service.status("/livez") == 200

            await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
            await service.ready()
            assert service.process.returncode is None
    finally:
        await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        await admin.close()


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """The environment of a process that will not get far; what it does to the logs is undone."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    monkeypatch.setenv("TICKETS_DATABASE_URL", "postgresql://aftercare:very-secret@127.0.0.1:1/tickets")
    monkeypatch.setenv("AFTERCARE_SIGNING_KEY", SIGNING_KEY)
    yield monkeypatch
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    forget_configuration()
    business_clock.cache_clear()


def left_with(capsys: pytest.CaptureFixture[str], *roles: str) -> tuple[object, str]:
    """Exit code and message of a process that ends at once."""
    with pytest.raises(SystemExit) as left:
        main(SERVICE, roles)
    return left.value.code, capsys.readouterr().err


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"TICKETS_DATABASE_URL": ""}, "database_url"),
        ({"AFTERCARE_ZONE": "Mars/Olympus"}, "IANA"),
        ({"AFTERCARE_SIGNING_KEY": "my-short-secret"}, "32 characters"),
        ({"AFTERCARE_CLOCK": "60@2026-01-01T00:00:00Z/2026-01-01T00:00:00Z", "AFTERCARE_LOCAL": "0"}, "AFTERCARE_CLOCK"),
    ],
)
def test_settings_that_cannot_be_right_are_named_without_their_secrets(
    told: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], variables: dict[str, str], named: str
) -> None:
    for name, value in variables.items():
        told.setenv(name, value)
    business_clock.cache_clear()

    code, message = left_with(capsys, "api")

    assert code == 2
    assert named in message
    assert "secret" not in message


@pytest.mark.parametrize("roles", [("everything",), ("api", "migrate"), ("all", "nonsense")])
def test_a_role_that_is_none_is_answered_with_those_that_are(capsys: pytest.CaptureFixture[str], roles: tuple[str, ...]) -> None:
    code, message = left_with(capsys, *roles)

    assert code == 2
    assert "api|consume|relay|timers|migrate|all" in message


def test_a_port_that_is_taken_is_said_in_one_line(told: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    told.setenv("TICKETS_PORT", str(port))
    with closing(listen("127.0.0.1", port)):
        code, message = left_with(capsys, "api")

    assert code == 3
    assert f"127.0.0.1:{port}" in message
    assert len(message.splitlines()) == 1
