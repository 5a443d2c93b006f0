"""A comparison program as a server: uvicorn with the same loop and parser as the services, one process, nothing logged per request."""

from __future__ import annotations

import http.client
import sys
from contextlib import closing, suppress
from pathlib import Path

from deploy.local.child import Program
from deploy.local.ports import free_port
from deploy.local.server import Server

ROOT = Path(__file__).parents[2]


class Comparison(Server):
    """One of the programs of this package over a database with `tables.CREATE`."""

    def __init__(self, module: str, database_url: str, environment: dict[str, str], log: Path) -> None:
        super().__init__(module)
        self._environment = environment | {"DATABASE_URL": database_url}
        self._log = log
        self._port = free_port()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self._port}"

    def prepare(self) -> None:
        """Nothing: its tables are made by whoever made the database."""

    def program(self) -> Program:
        application = f"benchmarks.comparisons.{self.name}:app"
        options = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning", "--port", str(self._port)]
        argv = [sys.executable, "-m", "uvicorn", application, *options]
        return Program(self.name, argv, self._log, env=self._environment, cwd=ROOT)

    def serves(self) -> bool:
        with (
            suppress(OSError, http.client.HTTPException),
            closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=1.0)) as connection,
        ):
            connection.request("GET", "/")
            return connection.getresponse().status == 200
        return False
