"""The home of one local platform: `$AFTERCARE_HOME`, where its data, logs, secrets and ports are.

lock              held by the supervisor: one home, one platform
secrets.json      signing key and database password, made once (0600)
keys.json         API keys, one per role (0600)
environment       what the services are given, for a shell that wants to look at them (0600)
ports.json        the ports of PostgreSQL, the broker and the workers
clock             the business clock of the next start, as AFTERCARE_CLOCK writes it; absent: real time
postgres/ kafka/ noida-db/ mail/ files/ logs/
"""

import fcntl
import json
import os
import secrets
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from deploy.local import ports


class HomeInUse(Exception):
    """Another supervisor runs on this home."""

    def __init__(self, home: Path, process: str) -> None:
        super().__init__(
            f"The platform of {home} is running already (process {process or 'unknown'}). "
            "Stop it first, or start a second one beside it: AFTERCARE_HOME=<another folder> with other ports."
        )


@dataclass(frozen=True)
class Secrets:
    """What this home knows and nobody else."""

    signing_key: str
    """Signs cookies and links."""
    postgres_password: str


@dataclass(frozen=True)
class Home:
    """The folder and what is in it."""

    path: Path

    @classmethod
    def from_environment(cls) -> Self:
        """`AFTERCARE_HOME`, by default `.aftercare` in the current folder."""
        return cls(Path(os.environ.get("AFTERCARE_HOME") or ".aftercare").expanduser().absolute())

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def keys(self) -> Path:
        return self.path / "keys.json"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the home for this process; made when it is not there. HomeInUse when another process holds it."""
        # others may pass to the folder that the database's user owns, and list nothing
        self.path.mkdir(mode=0o711, parents=True, exist_ok=True)
        self.logs.mkdir(exist_ok=True)
        with (self.path / "lock").open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                raise HomeInUse(self.path, lock.read().strip()) from None
            lock.truncate(0)
            lock.write(f"{os.getpid()}\n")
            lock.flush()
            yield

    def is_locked(self) -> bool:
        """Whether a supervisor holds the home."""
        with (self.path / "lock").open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def secrets(self) -> Secrets:
        """The secrets, made the first time."""
        file = self.path / "secrets.json"
        known: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
        complete = {"signing_key": secrets.token_urlsafe(48), "postgres_password": secrets.token_urlsafe(24)} | known
        if complete != known:
            write_private(file, json.dumps(complete, indent=2) + "\n")
        return Secrets(complete["signing_key"], complete["postgres_password"])

    def ports(self, names: list[str]) -> Mapping[str, int]:
        """Free ports, the same as last time where possible."""
        return ports.remembered(self.path / "ports.json", names)

    @property
    def business_clock(self) -> str | None:
        """What `AFTERCARE_CLOCK` is to be for the services; None is real time."""
        file = self.path / "clock"
        return file.read_text().strip() if file.exists() else None

    def set_business_clock(self, text: str | None) -> None:
        """For services that start from now on."""
        file = self.path / "clock"
        if text is None:
            file.unlink(missing_ok=True)
        else:
            write_private(file, text + "\n")

    def remember_environment(self, environment: Mapping[str, str]) -> None:
        """Write it as lines that a shell reads: `set -a; . .aftercare/environment`."""
        lines = "".join(f"{name}={shlex.quote(value)}\n" for name, value in sorted(environment.items()))
        write_private(self.path / "environment", lines)


def write_private(file: Path, text: str) -> None:
    """Write a file that only its owner reads; never half of it."""
    new = file.with_name(file.name + ".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(text)
    new.replace(file)
