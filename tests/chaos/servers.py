"""PostgreSQL and the brokers of a chaos run: those of the local platform, hurt without holding up the load.

Whoever kills or stops one starts it again; one that dies by itself is an error of the run.
"""

from __future__ import annotations

import base64
import os
import signal
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from deploy.local.child import ChildFailed
from deploy.local.home import Home
from deploy.local.kafka import KafkaServer
from deploy.local.ports import free_port
from deploy.local.postgres import PostgresServer
from tests.chaos.processes import in_starter

POSTGRES: Final[Mapping[str, str]] = {"max_connections": "300", "shared_buffers": "256MB", "max_wal_size": "1GB"}
"""Twenty processes with a pool each; much smaller than a server of its own would be."""
START_TIME: Final = 240.0
"""Seconds that a start may take: a slow machine is no difference."""
QUIT_TIME: Final = 60.0
"""Seconds within which PostgreSQL ends when told to do so at once; after five of them it kills those of its processes that have not."""


class Postgres:
    """The one PostgreSQL, with a database per service."""

    def __init__(self, home: Home, folder: Path | None = None) -> None:
        password = home.secrets().postgres_password
        place = folder or home.path / "postgres"
        self.server = PostgresServer(place, free_port(), password=password, log=home.logs / "postgres.log", settings=POSTGRES)
        self.server.start_time = START_TIME

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.server.data_dir

    def dsn(self, service: str) -> str:
        """Address of a service's database, as superuser."""
        return self.server.url(service)

    async def start(self) -> None:
        """Returns when it serves."""
        await in_starter(self.server.start)

    async def crash(self) -> None:
        """Immediate stop, as after a power cut of the process, and start: it recovers from its log."""
        await in_starter(self._quit)
        await self.start()

    async def restart(self) -> None:
        """Fast stop and start: every connection is ended."""
        await in_starter(self.server.stop)
        await self.start()

    async def pause(self) -> None:
        """Freeze it and all its processes."""
        await in_starter(self.server.pause)

    async def resume(self) -> None:
        """Let it go on."""
        await in_starter(self.server.resume)

    async def query(self, sql: str, database: str = "postgres") -> str:
        """What `psql` prints for one statement."""
        return await in_starter(lambda: self.server.query(sql, database))

    def _quit(self) -> None:
        child = self.server.child
        os.kill(child.pid, signal.SIGQUIT)
        if not child.wait(QUIT_TIME):
            raise ChildFailed(child.name, f"was not gone {QUIT_TIME:.0f} s after SIGQUIT", child.last_lines())


class Broker:
    """One Apache Kafka node."""

    def __init__(self, server: KafkaServer, node: int) -> None:
        self.server = server
        self.server.start_time = START_TIME
        self.node = node

    @property
    def name(self) -> str:
        return f"broker-{self.node}"

    @property
    def data(self) -> Path:
        """The folder with a folder per partition."""
        return self.server.data_dir

    @property
    def alive(self) -> bool:
        return self.server.alive

    async def start(self) -> None:
        """Returns when it serves."""
        await in_starter(self.server.start)

    async def begin(self) -> None:
        """Start without waiting: a node of a cluster serves only once a majority is there."""
        await in_starter(self.server.begin)

    async def await_ready(self) -> None:
        """Wait until it serves."""
        await in_starter(self.server.await_ready)

    async def stop(self) -> None:
        """SIGTERM; it stays down until `start`."""
        await in_starter(self.server.stop)

    async def kill(self) -> None:
        """kill -9; it stays down until `start`."""
        await in_starter(self.server.kill)

    async def pause(self) -> None:
        """SIGSTOP."""
        await in_starter(self.server.pause)

    async def resume(self) -> None:
        """SIGCONT."""
        await in_starter(self.server.resume)


def brokers(home: Home, count: int) -> list[Broker]:
    """One node, or a cluster of them with replication 3 and two copies of each record before it is acknowledged."""
    controllers = {node: free_port() for node in range(1, count + 1)}
    cluster = base64.urlsafe_b64encode(b"A" + uuid.uuid4().bytes[1:]).decode().rstrip("=")
    return [
        Broker(
            KafkaServer(
                home.path / f"kafka-{node}",
                free_port(),
                controller,
                node_id=node,
                quorum=controllers,
                cluster_id=cluster,
                log=home.logs / f"kafka-{node}.log",
            ),
            node,
        )
        for node, controller in controllers.items()
    ]
