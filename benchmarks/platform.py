"""The real platform for one measurement: the services' own processes on databases and topics of its own, beside the shared servers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg

from deploy.local.child import finishing
from deploy.local.home import Home
from deploy.local.ports import free_port
from deploy.local.services import DEFAULT_PORTS, PROCESSES, Address, Process, ServiceProcess, environment, python, service_program
from shared.clock import monotonic
from shared.events.topics import NUMBERED
from shared.kafka import KafkaSettings

SERVICES: Final = tuple(DEFAULT_PORTS)

KEYS_TIME: Final = 180.0
"""Seconds that making the API keys may take."""

START_TIME: Final = 180.0
"""Seconds until a process must be ready; much, for a busy machine."""

LOOK: Final = 0.1
"""Seconds between two looks at how far the consumers are, towards the end."""
SELDOM: Final = 1.0
"""Seconds between two looks at most: what looks cost PostgreSQL is in its CPU time."""
AT_MOST_APPLIED: Final = 20_000.0
"""Events that all consumers together apply in a second, at most: before so many are over there is nothing to be seen."""


@dataclass(frozen=True)
class Part:
    """One process of a service: `Part("tickets", "consume", ordinal=1)`."""

    service: str
    roles: str = "all"
    """As on the command line, separated by spaces."""
    ordinal: int = 0

    @property
    def name(self) -> str:
        """`tickets` when it is everything, else `tickets.consume-1`."""
        return (
            self.service if self.roles == "all" and self.ordinal == 0 else f"{self.service}.{self.roles.replace(' ', '+')}-{self.ordinal}"
        )

    @property
    def has_door(self) -> bool:
        """Whether it answers REST calls."""
        return self.process.has_door

    @property
    def process(self) -> Process:
        """As `make run` would have it."""
        return Process(self.name, self.service, tuple(self.roles.split()))


TOGETHER: Final = tuple(Part(process.service, " ".join(process.roles)) for process in PROCESSES)
"""As `make run` starts it."""


_SOON: Final = "status = 'pending' AND next_attempt_at < now() + interval '10 minutes'"


class NotSettled(Exception):
    """Consumers had not applied everything in time."""


@dataclass(frozen=True)
class Platform:
    """What runs."""

    home: Home
    databases: Mapping[str, str]
    """`{service: address}`."""
    kafka: KafkaSettings
    processes: Mapping[str, ServiceProcess]
    """By the names of the parts."""
    doors: Mapping[str, Sequence[str]]
    """`{service: base addresses of its processes with a REST door}`, by ordinal."""
    servers: Mapping[str, int]
    """Process ids of PostgreSQL and the broker; shared, but nothing else uses them meanwhile."""
    connections: Mapping[str, asyncpg.Connection]
    """One into each database, kept: whoever opens one for each look costs PostgreSQL more than what he looks at."""

    def url(self, service: str, ordinal: int = 0) -> str:
        """Where a service answers."""
        return self.doors[service][ordinal]

    def key(self, role: str) -> str:
        """The API key of a role."""
        keys: dict[str, str] = json.loads(self.home.keys.read_text())
        return keys[role]

    def headers(self, role: str) -> dict[str, str]:
        """What a call of that role carries."""
        return {"Authorization": f"Bearer {self.key(role)}"}

    @property
    def pids(self) -> dict[str, int]:
        """Process ids by name, PostgreSQL and broker with them: for `CpuMeter`."""
        return {**{name: process.child.pid for name, process in self.processes.items()}, **self.servers}

    def require_alive(self) -> None:
        """Raise when a process has ended: what was measured is not what was meant."""
        for process in self.processes.values():
            process.require_alive()

    async def behind(self) -> dict[tuple[str, str], int]:
        """How many events each consumer has still to apply: `{(topic, consumer): events}`; from the databases."""
        heads = await self.heads()
        applied = {}
        for service in SERVICES:
            rows = await self.fetch(service, "SELECT topic, sum(last_seq)::bigint AS seq FROM consumer_part GROUP BY topic")
            applied.update({(row["topic"], service): row["seq"] for row in rows})
        behind = {}
        for topic in NUMBERED:
            for consumer in topic.consumers:
                behind[topic.name, consumer] = heads.get(topic.name, 0) - applied.get((topic.name, consumer), 0)
        return behind

    async def heads(self) -> dict[str, int]:
        """The events of each topic so far, sent or not."""
        found = {}
        for service in SERVICES:
            rows = await self.fetch(service, "SELECT topic, sum(head)::bigint AS head FROM outbox_head GROUP BY topic")
            found.update({row["topic"]: row["head"] for row in rows})
        return found

    async def fetch(self, service: str, sql: str, *arguments: object) -> list[asyncpg.Record]:
        """What the service's database answers; one question at a time."""
        return await self.connections[service].fetch(sql, *arguments)

    async def until(
        self, look: Callable[[], Awaitable[int]], is_enough: Callable[[int], bool], *, patience: float, every: float = LOOK
    ) -> int:
        """Look until it is enough; what was seen then. TimeoutError after so many seconds of patience."""
        deadline = monotonic() + patience
        while not is_enough(seen := await look()):
            self.require_alive()
            if monotonic() > deadline:
                raise TimeoutError(f"after {patience:.0f} s it is still at {seen:,}")
            await asyncio.sleep(every)
        return seen

    async def mails_left(self, timeout: float) -> None:
        """Wait until no message to a customer waits, but those that were put off for long: an address gets only so many an hour."""

        async def waiting() -> bool:
            (row,) = await self.fetch("intake", f"SELECT EXISTS (SELECT FROM notification WHERE {_SOON}) AS found")
            return bool(row["found"])

        await self.until(waiting, lambda found: not found, patience=timeout, every=SELDOM)

    async def settle(self, timeout: float = 120.0) -> float:
        """Wait until every consumer has applied all there is, at all looks of a while; the moment of the first of them.

        NotSettled when it takes longer.
        """
        deadline = monotonic() + timeout
        quiet_since = None
        while quiet_since is None or monotonic() < quiet_since + 3 * LOOK:
            self.require_alive()
            behind = {where: events for where, events in (await self.behind()).items() if events}
            quiet_since = None if behind else quiet_since or monotonic()
            if monotonic() > deadline:
                raise NotSettled(f"after {timeout:.0f} s still to apply: {behind}")
            await asyncio.sleep(pause(sum(behind.values())))
        return quiet_since


def pause(events: int) -> float:
    """Seconds until another look is worth its cost, when so many events have still to be applied."""
    return min(SELDOM, max(LOOK, events / AT_MOST_APPLIED))


@asynccontextmanager
async def running(
    folder: Path,
    parts: Sequence[Part],
    databases: Mapping[str, str],
    kafka: KafkaSettings,
    servers: Mapping[str, int],
    env: Mapping[str, str],
) -> AsyncIterator[Platform]:
    """Start these parts over migrated databases and applied topics; stop them afterwards. From the main thread."""
    home = Home(folder)
    with home.locked(), ExitStack() as stack:
        ports = {part.name: free_port() for part in parts}
        doors = {
            service: [f"http://127.0.0.1:{ports[part.name]}" for part in parts if part.service == service and part.has_door]
            for service in SERVICES
        }
        sites = [Address(service, 0, (doors[service] or ["http://127.0.0.1:9"])[0]) for service in SERVICES]
        told = environment(home, sites, databases, kafka.bootstrap_servers) | {"KAFKA_TOPIC_PREFIX": kafka.topic_prefix} | dict(env)
        make_keys(home, told)
        processes = {part.name: _process(home, part, told, ports[part.name]) for part in parts}
        stack.enter_context(_all_running(list(processes.values())))
        async with AsyncExitStack() as looks:
            connections = {service: await _connected(url, looks) for service, url in databases.items()}
            yield Platform(home, databases, kafka, processes, doors, servers, connections)


async def _connected(url: str, stack: AsyncExitStack) -> asyncpg.Connection:
    connection = await asyncpg.connect(url)
    stack.push_async_callback(connection.close)
    return connection


def make_keys(home: Home, told: Mapping[str, str]) -> None:
    """One API key per role, in all four databases and in `keys.json`."""
    keys = python(home, told, "keys", "-m", "deploy.cli", "keys", "ensure-local")
    with finishing([keys], KEYS_TIME):
        pass


def _process(home: Home, part: Part, told: Mapping[str, str], port: int) -> ServiceProcess:
    own = dict(told) | {"AFTERCARE_ORDINAL": str(part.ordinal), f"{part.service.upper()}_PORT": str(port)}
    program = service_program(home, own, part.process)
    process = ServiceProcess(program, port, home)
    process.start_time = START_TIME
    return process


@contextmanager
def _all_running(processes: Sequence[ServiceProcess]) -> Iterator[None]:
    """All at once, because each takes some seconds to load."""
    try:
        for process in processes:
            process.begin()
        for process in processes:
            process.await_ready()
        yield
    finally:
        for process in processes:
            if process.alive:
                process.child.ask_to_stop()
        for process in processes:
            process.stop()
