"""The servers of a test run: one PostgreSQL and one broker, started when the first test asks, shared by all workers of pytest-xdist.

The process that pytest was started in owns them, because workers end at different times; its workers ask it over a local socket.
"""

from __future__ import annotations

import os
import threading
from contextlib import ExitStack, suppress
from multiprocessing.connection import Client, Listener
from typing import Protocol

from deploy.local.kafka import KafkaServer, KafkaUnavailable, java, resolve_jars
from deploy.local.noida import NoidaServer
from deploy.local.postgres import PostgresServer

APACHE_KAFKA = "apache-kafka"

# what only a crash of the machine would miss; the tests of crashes start servers of their own
UNSAFE = {"fsync": "off", "full_page_writes": "off", "max_connections": "200", "autovacuum_naptime": "10s"}


class Servers(Protocol):
    """Where the servers are."""

    def postgres(self) -> str:
        """URL of the administrator's database."""

    def broker(self) -> tuple[str, str]:
        """Kind (`apache-kafka`, `noida-db` or `given`) and bootstrap servers."""


class OwnServers:
    """Servers that this process starts and stops."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._postgres: str | None = None
        self._broker: tuple[str, str] | None = None

    def postgres(self) -> str:
        if self._postgres is None:
            self._postgres = self._stack.enter_context(PostgresServer.temporary(UNSAFE)).url()
        return self._postgres

    def broker(self) -> tuple[str, str]:
        if self._broker is None:
            self._broker = self._choose_broker()
        return self._broker

    def _choose_broker(self) -> tuple[str, str]:
        if given := os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
            return "given", given
        try:
            if os.environ.get("AFTERCARE_BROKER") == "noida-db":
                raise KafkaUnavailable("not asked for")
            java()
            resolve_jars()
        except KafkaUnavailable:
            return "noida-db", self._stack.enter_context(NoidaServer.temporary()).bootstrap_servers
        return APACHE_KAFKA, self._stack.enter_context(KafkaServer.temporary()).bootstrap_servers

    def stop(self) -> None:
        """Stop what was started."""
        self._stack.close()


class ServersForWorkers:
    """Lends this process's servers to its workers."""

    def __init__(self, own: OwnServers) -> None:
        self._own = own
        self._listener = Listener(family="AF_UNIX")
        # the kernel ends a server together with the thread that started it, so this thread lives as long as the run
        threading.Thread(target=self._serve, name="servers-for-workers", daemon=True).start()

    @property
    def address(self) -> str:
        """What a worker needs to know."""
        return str(self._listener.address)

    def _serve(self) -> None:
        while True:
            with suppress(EOFError, ConnectionError), self._listener.accept() as connection:
                try:
                    connection.send(getattr(self._own, connection.recv())())
                except Exception as error:
                    connection.send(RuntimeError(str(error)))


class BorrowedServers:
    """Servers of the process that started this worker."""

    def __init__(self, address: str) -> None:
        self._address = address

    def postgres(self) -> str:
        return str(self._ask("postgres"))

    def broker(self) -> tuple[str, str]:
        kind, bootstrap = self._ask("broker")
        return kind, bootstrap

    def _ask(self, what: str) -> tuple[str, str]:
        with Client(self._address, family="AF_UNIX") as connection:
            connection.send(what)
            answer = connection.recv()
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[no-any-return]
