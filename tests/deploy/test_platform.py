"""`make run` from start to end, with real PostgreSQL, the small broker, and four tiny programs in the place of the services."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from deploy.local.ports import free_port
from deploy.local.postgres import programs, run
from deploy.local.services import DEFAULT_PORTS
from deploy.local.unprivileged import User
from tests.deploy.fakes import ROOT, await_text

pytestmark = [pytest.mark.postgres, pytest.mark.kafka]

SERVICE = """
import http.server, json, os, sys
NAME = __package__.split(".")[1].upper()
class Door(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/crash":
            print("out of ink", flush=True)
            os._exit(3)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({key: value for key, value in os.environ.items() if "_" in key}).encode())
http.server.HTTPServer(("127.0.0.1", int(os.environ[NAME + "_PORT"])), Door).serve_forever()
"""

COMMAND_LINE = """
import json, os, pathlib
def app(command, standalone_mode):
    if command == ["keys", "ensure-local"]:
        pathlib.Path(os.environ["AFTERCARE_HOME"], "keys.json").write_text(json.dumps({"agent": "ak_local"}))
    elif command == ["db", "migrate"]:
        assert all(os.environ[f"{name}_DATABASE_URL"].endswith("/" + name.lower()) for name in NAMES)
    else:
        assert command == ["topics", "apply"]
NAMES = ("INTAKE", "TICKETS", "FEEDBACK", "METRICS")
"""


class Platform:
    """One run of `python -m deploy.local`."""

    def __init__(self, tree: Path, home: Path, ports: dict[str, int]) -> None:
        self.home = home
        self.ports = ports
        self._output = tree / f"output-of-{time.monotonic_ns()}"
        settings = {"AFTERCARE_HOME": str(home), "AFTERCARE_BROKER": "noida-db"}
        settings |= {f"{service.upper()}_PORT": str(port) for service, port in ports.items()}
        clean = {name: value for name, value in os.environ.items() if not name.endswith("_DATABASE_URL") and not name.startswith("KAFKA_")}
        with self._output.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-u", "-m", "deploy.local"], cwd=tree, env=clean | settings, stdout=output, stderr=output
            )

    @property
    def output(self) -> str:
        return self._output.read_text()

    def await_output(self, text: str) -> str:
        return await_text(self._output, text, timeout=30)

    def ask(self, service: str, path: str = "/") -> dict[str, str]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[service]}{path}", timeout=5) as answer:
            told: dict[str, str] = json.load(answer)
            return told

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=15)


def ready(tree: Path, home: Path) -> Platform:
    platform = Platform(tree, home, {service: free_port() for service in DEFAULT_PORTS})
    platform.await_output("Ctrl-C stops everything")
    return platform


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The local platform as it is, around services and a command line that are not."""
    tree = tmp_path_factory.mktemp("tree")
    for package in ("deploy", "services", *(f"services/{service}" for service in DEFAULT_PORTS)):
        (tree / package).mkdir()
        (tree / package / "__init__.py").touch()
    for service in DEFAULT_PORTS:
        (tree / f"services/{service}/__main__.py").write_text(SERVICE)
    (tree / "deploy/cli.py").write_text(COMMAND_LINE)
    (tree / "deploy/local").symlink_to(ROOT / "deploy/local")
    return tree


@pytest.fixture(scope="module")
def homes() -> Iterator[Path]:
    """A folder for homes that the database's user may enter (a test's own folder may be private)."""
    folder = Path(tempfile.mkdtemp(prefix="aftercare-homes-", dir="/tmp"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def platform(tree: Path, homes: Path) -> Iterator[Platform]:
    """A platform that runs during these tests."""
    platform = ready(tree, homes / "first")
    yield platform
    platform.end()


def test_it_prints_addresses_documentation_keys_and_a_first_request(platform: Platform) -> None:
    output = platform.output

    for port in platform.ports.values():
        assert f"http://127.0.0.1:{port} (http://127.0.0.1:{port}/docs)" in output
    assert str(platform.home / "keys.json") in output
    assert f"curl http://127.0.0.1:{platform.ports['intake']}/v1/requests" in output
    assert "noida-db on 127.0.0.1:" in output
    assert "asked for by AFTERCARE_BROKER" in output


def test_services_are_told_about_their_platform(platform: Platform) -> None:
    told = platform.ask("metrics")

    assert told["AFTERCARE_HOME"] == str(platform.home)
    assert told["AFTERCARE_LOCAL"] == "1"
    assert told["METRICS_DATABASE_URL"].startswith("postgresql://aftercare:")
    assert told["TICKETS_PUBLIC_URL"] == f"http://127.0.0.1:{platform.ports['tickets']}"
    assert told["AFTERCARE_SIGNING_KEY"] == json.loads((platform.home / "secrets.json").read_text())["signing_key"]


def test_a_service_that_crashes_is_back_and_its_last_lines_are_shown(platform: Platform) -> None:
    with pytest.raises(OSError):  # noqa: PT011 - the connection breaks in one of several ways
        platform.ask("tickets", "/crash")

    output = platform.await_output("tickets is ready again")

    assert "tickets ended with code 3" in output
    assert "  | out of ink" in output
    assert platform.ask("tickets")


def test_a_home_is_not_shared(platform: Platform, tree: Path) -> None:
    second = Platform(tree, platform.home, platform.ports)

    assert second.process.wait(timeout=10) == 1
    assert f"is running already (process {platform.process.pid})" in second.output


def test_a_taken_port_is_told_before_anything_starts(platform: Platform, tree: Path, homes: Path) -> None:
    second = Platform(tree, homes / "unlucky", {**platform.ports, "intake": free_port()})

    assert second.process.wait(timeout=10) == 1
    assert f"Port {platform.ports['tickets']} is taken" in second.output
    assert "TICKETS_PORT=<port> make run" in second.output
    assert not (homes / "unlucky" / "postgres").exists()


def test_two_homes_run_side_by_side_and_ctrl_c_ends_one(platform: Platform, tree: Path, homes: Path) -> None:
    second = ready(tree, homes / "second")
    family = second.family()
    assert len(family) >= 6
    assert second.ask("intake")["INTAKE_DATABASE_URL"] != platform.ask("intake")["INTAKE_DATABASE_URL"]

    began = time.monotonic()
    code = second.end(signal.SIGINT)

    assert code == 0
    assert time.monotonic() - began < 10
    assert psutil.wait_procs(family, timeout=0)[1] == []
    assert platform.ask("intake")


def test_kill_9_leaves_nothing_running_and_the_next_start_finds_the_data(tree: Path, homes: Path) -> None:
    first = ready(tree, homes / "killed")
    told = first.ask("tickets")
    family = first.family()
    query(told["TICKETS_DATABASE_URL"], "CREATE TABLE remembered AS SELECT 42 AS answer")

    first.process.kill()
    first.process.wait()
    assert psutil.wait_procs(family, timeout=5)[1] == []

    second = ready(tree, homes / "killed")
    told_again = second.ask("tickets")
    assert query(told_again["TICKETS_DATABASE_URL"], "SELECT answer FROM remembered") == "42"
    assert told_again["AFTERCARE_SIGNING_KEY"] == told["AFTERCARE_SIGNING_KEY"]
    second.end(signal.SIGTERM)


def test_a_service_that_cannot_start_ends_the_start_with_its_reason(tree: Path, homes: Path, tmp_path: Path) -> None:
    broken = tmp_path / "tree"
    shutil.copytree(tree, broken, symlinks=True)
    (broken / "services/feedback/__main__.py").write_text("import sys\nsys.exit('no such table')\n")

    platform = Platform(broken, homes / "broken", {service: free_port() for service in DEFAULT_PORTS})

    assert platform.process.wait(timeout=30) == 1
    assert "feedback ended with code 1\n  | no such table" in platform.output


def query(url: str, sql: str) -> str:
    """What the database answers."""
    return run(programs(User.for_databases(), None) / "psql", "-Atqc", sql, url)
