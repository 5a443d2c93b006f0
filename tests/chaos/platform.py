"""The whole platform for a chaos run: own home, own ports, every role of every service a process of its own.

`platform.processes["tickets.consume-1"]` is killed and paused by name, and the keeper starts it again; PostgreSQL and the brokers are hurt
through `platform.postgres` and `platform.brokers`. Everything ends with this process, however it ends.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from deploy.local import child as local
from deploy.local import services
from deploy.local.home import Home
from deploy.local.ports import free_port
from deploy.local.services import DEFAULT_PORTS, Address
from shared.events.topics import consumed_by, produced_by
from tests.chaos.processes import Child, Keeper, in_starter, program
from tests.chaos.servers import Broker, Postgres, brokers
from tests.chaos.tasks import ended

__all__ = ["Broker", "Child", "Platform", "Postgres", "new_home", "running"]

ROOT: Final = Path(__file__).parents[2]
CONSUMERS: Final = 2
TRIES: Final = 5
COMMAND_TIME: Final = 300.0
"""Seconds after which a command is ended: a proof of all figures takes some, on a machine that others use."""
TIMED_OUT: Final = 124
"""In place of its exit code, as `timeout` says it."""
OWN_BUSINESS: Final = re.compile(r"(AFTERCARE|KAFKA|INTAKE|TICKETS|FEEDBACK|METRICS|PG)_?")
"""Variables of the caller that would make this platform another one."""


class CommandFailed(Exception):
    """A command of `aftercare` ended with a code other than 0."""


@dataclass
class Platform:
    """What runs."""

    home: Home
    postgres: Postgres
    brokers: list[Broker]
    environment: dict[str, str]
    """What services and commands are told."""
    wrapper: Mapping[str, Sequence[str]]
    """Per service what stands between `python` and `-m services.<name>`: mutants, poison."""
    keeper: Keeper = field(default_factory=lambda: Keeper({}))

    @property
    def processes(self) -> dict[str, Child]:
        """By name: `intake.api`, `intake.relay`, `tickets.consume-0`, `feedback.timers`, ..."""
        return self.keeper.children

    @property
    def bootstrap(self) -> str:
        """Addresses of all brokers."""
        return self.environment["KAFKA_BOOTSTRAP_SERVERS"]

    @property
    def urls(self) -> dict[str, str]:
        """`{service: address of its REST door}`."""
        return {service: f"http://127.0.0.1:{self.environment[f'{service.upper()}_PORT']}" for service in DEFAULT_PORTS}

    def key(self, role: str) -> str:
        """The API key of a role."""
        keys: dict[str, str] = json.loads(self.home.keys.read_text())
        return keys[role]

    async def command(self, *arguments: str) -> tuple[int, str]:
        """Run `aftercare <arguments>` as an operator would; its exit code and what it printed; if that is not 0, complaints too."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "deploy.cli", *arguments),
            env=self.environment,
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(COMMAND_TIME):
                said, told = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
            return TIMED_OUT, f"took longer than {COMMAND_TIME:.0f} s"
        code = process.returncode or 0
        return code, (said + told if code else said).decode(errors="replace")

    async def add_consumer(self, service: str) -> Child:
        """One more member of the service's group, with the next ordinal."""
        ordinal = 1 + max(child.ordinal for child in self.processes.values() if child.service == service)
        child = self._child(service, "consume", ordinal)
        await self.keeper.begin([child])
        return child

    async def remove_consumer(self, name: str) -> None:
        """End it cleanly, for good."""
        await self.processes[name].stop()
        del self.processes[name]

    async def start_processes(self) -> None:
        """All roles of all services; returns when each is ready."""
        children = [self._child(service, role, ordinal) for service in DEFAULT_PORTS for role, ordinal in roles(service)]
        await self.keeper.begin(children)
        await asyncio.gather(*(child.ready() for child in children))

    async def stop(self) -> None:
        """End everything: the processes first, then the servers."""
        await asyncio.gather(*(child.stop() for child in self.processes.values()))
        for broker in self.brokers:
            with suppress(local.ChildFailed):
                await broker.resume()
        await asyncio.gather(*(broker.stop() for broker in self.brokers), in_starter(self.postgres.server.stop))

    def _child(self, service: str, role: str, ordinal: int) -> Child:
        name = f"{service}.{role}" if role != "consume" else f"{service}.{role}-{ordinal}"
        port = int(self.environment[f"{service.upper()}_PORT"]) if role == "api" else free_port()
        env = {**self.environment, f"{service.upper()}_PORT": str(port), "AFTERCARE_ORDINAL": str(ordinal)}
        run = program(service, role, self.home.logs / f"{name}.log", env, self.wrapper.get(service, ()))
        return Child(name, service, role, ordinal, port, local.Child(run))


def roles(service: str) -> list[tuple[str, int]]:
    """(role, ordinal) of each process of a service."""
    found = [("api", 0), ("timers", 0)]
    if produced_by(service):
        found.append(("relay", 0))
    if consumed_by(service):
        found += [("consume", ordinal) for ordinal in range(CONSUMERS)]
    return found


def new_home(under: Path = Path("/tmp")) -> Home:
    """A folder of its own that the database's user may enter."""
    path = Path(tempfile.mkdtemp(prefix="aftercare-chaos-", dir=under))
    path.chmod(0o711)
    (path / "logs").mkdir()
    return Home(path)


@asynccontextmanager
async def running(
    home: Home,
    *,
    broker_count: int = 1,
    wrapper: Mapping[str, Sequence[str]] | None = None,
) -> AsyncIterator[Platform]:
    """A platform that is ready; it is ended on the way out, and the home stays.

    Args:
        wrapper: see `Platform.wrapper`.
    """
    platform = _describe(home, broker_count, wrapper or {})
    keeping = asyncio.ensure_future(platform.keeper.run())
    try:
        await asyncio.gather(_start_databases(platform), _start_brokers(platform))
        await asyncio.gather(
            _commands(platform, ["db", "migrate"], ["keys", "ensure-local"]),
            _commands(platform, ["topics", "apply", "--replication", str(min(3, broker_count))]),
        )
        await platform.start_processes()
        yield platform
    finally:
        keeping.cancel()
        await asyncio.shield(platform.stop())
        await ended(keeping)


def forget(home: Home) -> None:
    """Delete the home of a run that went well."""
    shutil.rmtree(home.path, ignore_errors=True)


def _describe(home: Home, count: int, wrapper: Mapping[str, Sequence[str]]) -> Platform:
    postgres = Postgres(home)
    nodes = brokers(home, count)
    ports = {service: free_port() for service in DEFAULT_PORTS}
    sites = [Address(service, port, f"http://127.0.0.1:{port}") for service, port in ports.items()]
    databases = {service: postgres.dsn(service) for service in DEFAULT_PORTS}
    bootstrap = ",".join(node.server.bootstrap_servers for node in nodes)
    told = services.environment(home, sites, databases, bootstrap)
    inherited = {name: value for name, value in os.environ.items() if not OWN_BUSINESS.match(name)}
    environment = {**inherited, "PYTHONUNBUFFERED": "1", "MALLOC_ARENA_MAX": "2", "TERM": "dumb", **told}
    home.remember_environment(told)
    return Platform(home, postgres, nodes, environment, wrapper)


async def _start_databases(platform: Platform) -> None:
    await platform.postgres.start()
    for service in DEFAULT_PORTS:
        await in_starter(lambda service=service: platform.postgres.server.create_database(service))  # type: ignore[misc]


async def _start_brokers(platform: Platform) -> None:
    await asyncio.gather(*(node.begin() for node in platform.brokers))
    await asyncio.gather(*(node.await_ready() for node in platform.brokers))


async def _commands(platform: Platform, *commands: Sequence[str]) -> None:
    """Each may be repeated: on a busy machine a broker that has just started lets clients wait too long."""
    for command in commands:
        for _ in range(TRIES):
            code, said = await platform.command(*command)
            if code == 0:
                break
        else:
            raise CommandFailed(f"aftercare {' '.join(command)}: code {code}\n{said}")
