"""What the benchmarks share: a private PostgreSQL, a private Apache Kafka, databases made by the services' own migrations, the platform.

Servers start when the first benchmark asks and are gone afterwards. They run as `make run` runs them, with every commit on the disk.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import asyncpg

from benchmarks import platform
from benchmarks.platform import SERVICES, TOGETHER, Part, Platform
from deploy.local.kafka import KafkaServer
from deploy.local.postgres import SETTINGS, PostgresServer
from shared import migrations
from shared.database import Database
from shared.kafka import KafkaSettings, topics

OLD_SEGMENTS: Final = 64
"""Segments of its log (16 MB) that the server has to use again, as one that has run for a while: a new one makes each when a commit needs
it, which waits 40 to 100 ms for that."""
_SEGMENT: Final = "PERFORM pg_logical_emit_message(false, 'aftercare', 'full'); PERFORM pg_switch_wal();"

POSTGRES: Final = {"shared_buffers": "512MB", "max_connections": "200", "min_wal_size": f"{OLD_SEGMENTS * 16}MB"}
"""Over the settings of the local platform, which has all that a real one has: fsync and synchronous_commit stay on."""

UNLIMITED: Final = {"AFTERCARE_RATE_LIMIT": "0"}
QUIET: Final = {"INTAKE_ACKNOWLEDGE": "false"}
"""No receipts: what intake is compared with writes none either."""
"""One load generator is one principal: its quota would be what is measured."""


def differences() -> str:
    """In which settings the servers and services here differ from those of `make run`, for people."""
    servers = [f"{name} = {value}" for name, value in POSTGRES.items() if SETTINGS.get(name) != value]
    services = [f"{name} = {value}" for name, value in UNLIMITED.items()]
    return f"PostgreSQL: {', '.join(servers)}, {OLD_SEGMENTS} segments of its log there from the start; services: {', '.join(services)}"


@dataclass
class Bench:
    """Where benchmarks find what they need. A context manager, used from the main thread."""

    rounds: int = 3
    quick: bool = False
    """A short run that shows that everything works; its figures are not worth much."""
    say: Callable[[str], None] = print
    """Tells people what is going on."""
    _stack: ExitStack = field(default_factory=ExitStack)
    _postgres: PostgresServer | None = None
    _broker: KafkaServer | None = None
    _templates: set[str] = field(default_factory=set)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def __enter__(self) -> Self:
        self.folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="aftercare-bench-", dir="/tmp")))
        self.folder.chmod(0o755)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()

    def seconds(self, full: float, quick: float) -> float:
        """How long something is measured."""
        return quick if self.quick else full

    def count(self, full: int, quick: int) -> int:
        """How many of something are measured."""
        return quick if self.quick else full

    # ------------------------------------------------------------------ servers

    @property
    def postgres(self) -> PostgresServer:
        """The private PostgreSQL; started at the first use."""
        if self._postgres is None:
            self.say("Starting PostgreSQL")
            self._postgres = self._stack.enter_context(PostgresServer.temporary(POSTGRES))
            self._postgres.query(f"DO $$ BEGIN FOR i IN 1..{OLD_SEGMENTS} LOOP {_SEGMENT} END LOOP; END $$")
            self._postgres.query("CHECKPOINT")
        return self._postgres

    @property
    def broker(self) -> KafkaServer:
        """The private Apache Kafka; started at the first use."""
        if self._broker is None:
            self.say("Starting Apache Kafka")
            self._broker = self._stack.enter_context(KafkaServer.temporary())
        return self._broker

    @property
    def servers(self) -> dict[str, int]:
        """Process ids of both, for `CpuMeter`."""
        return {"PostgreSQL": self.postgres.child.pid, "Apache Kafka": self.broker.child.pid}

    def _name(self, text: str) -> str:
        return f"{text}_{next(self._numbers)}"

    # ------------------------------------------------------------------ databases

    async def database_url(self, service: str) -> str:
        """Address of a new database of the service, as its migrations leave it."""
        name = self._name(service)
        if service not in self._templates:
            await self._make_template(service)
        await self._administer(f'CREATE DATABASE "{name}" TEMPLATE "template_{service}"')
        return self.postgres.url(name)

    async def _make_template(self, service: str) -> None:
        self.postgres.create_database(f"template_{service}")
        await asyncio.to_thread(migrations.upgrade, service, self.postgres.url(f"template_{service}"))
        self._templates.add(service)

    @asynccontextmanager
    async def database(self, service: str, *, pool_size: int = 8) -> AsyncIterator[Database]:
        """A new, migrated database of the service as its code sees it; dropped afterwards."""
        url = await self.database_url(service)
        database = Database(url, pool_size=pool_size, application_name="benchmarks")
        try:
            yield database
        finally:
            await database.close()
            await self.drop(url)

    def empty_database(self, text: str) -> str:
        """Address of a new database without tables."""
        name = self._name(text)
        self.postgres.create_database(name)
        return self.postgres.url(name)

    async def drop(self, url: str) -> None:
        """Forget a database."""
        await self._administer(f'DROP DATABASE "{url.rpartition("/")[2]}" WITH (FORCE)')

    async def _administer(self, sql: str) -> None:
        """Without a limit of time: these write a whole checkpoint."""
        connection = await asyncpg.connect(self.postgres.url(), server_settings={"statement_timeout": "0"})
        try:
            await connection.execute(sql)
        finally:
            await connection.close()

    # ------------------------------------------------------------------ bus

    @asynccontextmanager
    async def kafka(self) -> AsyncIterator[KafkaSettings]:
        """The platform's topics, empty, under a prefix of their own; removed afterwards."""
        # patient, because the machine may be busy
        settings = KafkaSettings(self.broker.bootstrap_servers, topic_prefix=f"{self._name('b')}.", request_timeout_ms=60_000)
        await topics.apply(settings)
        try:
            yield settings
        finally:
            await topics.remove(settings)

    # ------------------------------------------------------------------ platform

    @asynccontextmanager
    async def platform(self, parts: Sequence[Part] = TOGETHER, env: Mapping[str, str] | None = None) -> AsyncIterator[Platform]:
        """The real platform, empty: by default one process per service, with all its roles. `env` is told to every process."""
        self.say("Starting the platform")
        async with self.kafka() as kafka:
            databases = {service: await self.database_url(service) for service in SERVICES}
            folder = self.folder / self._name("home")
            try:
                async with platform.running(folder, parts, databases, kafka, self.servers, UNLIMITED | dict(env or {})) as running:
                    yield running
            finally:
                for url in databases.values():
                    await self.drop(url)

    # ------------------------------------------------------------------ programs

    @property
    def environment(self) -> dict[str, str]:
        """What a comparison program inherits."""
        return {**os.environ, "PYTHONUNBUFFERED": "1", "MALLOC_ARENA_MAX": "2"}
