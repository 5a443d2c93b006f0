"""noida-db, the broker for machines without Java: one small program from a wheel that speaks Kafka's protocol.

It saves what it was given about every two seconds, so a crash of it loses acknowledged records (the relay then sends them again);
a clean stop loses nothing.
"""

import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import util
from pathlib import Path
from typing import Self

from deploy.local.child import ChildFailed, Program
from deploy.local.kafka import is_ready
from deploy.local.leftovers import await_leftovers
from deploy.local.ports import free_port
from deploy.local.server import Server


class NoidaServer(Server):
    """One broker over one folder."""

    def __init__(self, folder: Path, port: int, *, log: Path | None = None) -> None:
        super().__init__("noida-db")
        self.port = port
        self.folder = folder.resolve()
        self._log = log or self.folder / "noida-db.log"

    @classmethod
    @contextmanager
    def temporary(cls) -> Iterator[Self]:
        """A running broker over a new folder that is deleted afterwards: one for a test run."""
        with (
            tempfile.TemporaryDirectory(prefix="aftercare-noida-", ignore_cleanup_errors=True) as folder,
            cls(Path(folder), free_port()) as server,
        ):
            yield server

    @property
    def bootstrap_servers(self) -> str:
        """The address for clients."""
        return f"127.0.0.1:{self.port}"

    def prepare(self) -> None:
        """Make its folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        await_leftovers(self.name, self.folder)

    def serves(self) -> bool:
        """Whether it names itself as alive in the cluster's metadata."""
        return is_ready("127.0.0.1", self.port)

    def program(self) -> Program:
        options = ["--only", "kafka", "--host", "127.0.0.1", "--kafka-port", str(self.port), "--data-dir", str(self.folder / "data")]
        return Program(
            name=self.name,
            argv=[str(executable()), "start", *options],
            log=self._log,
            env={"PATH": os.environ.get("PATH", os.defpath)},
            cwd=self.folder,
            death_signal=signal.SIGTERM,  # it saves when asked to end
        )


def executable() -> Path:
    """The program of the wheel; ChildFailed when that is not installed."""
    wheel = util.find_spec("noida_db")
    if wheel is None or wheel.origin is None:
        raise ChildFailed("noida-db", "is not installed: `make setup`, or give KAFKA_BOOTSTRAP_SERVERS")
    program = Path(wheel.origin).with_name("noida-db")
    if not os.access(program, os.X_OK):
        program.chmod(0o755)  # the wheel does not mark it as a program
    return program
