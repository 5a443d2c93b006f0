"""The whole platform as `make run` starts it, in a home of its own, for as long as the tests run."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Final

from deploy.local.ports import free_port
from deploy.local.services import DEFAULT_PORTS
from services.metrics.commands import verify
from services.metrics.verification import Difference
from shared.clock import monotonic
from shared.database import Database

ROOT: Final = Path(__file__).parents[2]
READY: Final = "Ctrl-C stops everything"
START_TIME: Final = 120.0
"""Seconds: generous, because the first start of all fetches Apache Kafka."""
STOP_TIME: Final = 20.0
OWN_BUSINESS: Final = re.compile(r"(AFTERCARE|KAFKA|INTAKE|TICKETS|FEEDBACK|METRICS)_")
"""Variables that would make this platform another one; which broker to take is the caller's choice."""


class DidNotStart(Exception):
    """The platform ended, or was not ready in time; holds what it said."""


class Platform:
    """One running platform."""

    def __init__(self, home: Path, ports: Mapping[str, int], output: Path) -> None:
        self.home = home
        self._ports = ports
        self._output = output

    def url(self, service: str) -> str:
        """Where a service is."""
        return f"http://127.0.0.1:{self._ports[service]}"

    def key(self, role: str) -> str:
        """The API key of a role."""
        keys: dict[str, str] = json.loads((self.home / "keys.json").read_text())
        return keys[role]

    def mails_to(self, address: str) -> list[EmailMessage]:
        """What this customer has in his inbox, oldest first."""
        files = sorted((self.home / "mail" / "new").glob("*"), key=lambda file: file.stat().st_mtime_ns)
        mails = [message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]
        return [mail for mail in mails if mail["To"] == address]

    async def differences(self) -> list[Difference]:
        """What `aftercare kpi verify` finds in the figures."""
        variables = dict(line.split("=", 1) for line in shlex.split((self.home / "environment").read_text(), comments=True))
        database = Database(variables["METRICS_DATABASE_URL"], pool_size=1, application_name="tests")
        try:
            return await verify(database)
        finally:
            await database.close()

    def said(self) -> str:
        """What it wrote, and the last lines of each log, for a test that fails."""
        return "\n".join([self._output.read_text(), *(_tail(log) for log in sorted(self.home.glob("logs/*.log")))])


def _tail(log: Path) -> str:
    lines = [line[:300] for line in log.read_text().splitlines()[-12:]]
    return "\n".join([f"--- {log.name}", *lines])


@contextmanager
def running() -> Iterator[Platform]:
    """Start a platform; stop it the way Ctrl-C does, and forget it."""
    home = Path(tempfile.mkdtemp(prefix="aftercare-journeys-", dir="/tmp"))
    # the database's user may pass
    home.chmod(0o711)
    ports = {service: free_port() for service in DEFAULT_PORTS}
    platform = Platform(home / "home", ports, home / "output")
    try:
        with _process(platform, home / "output", ports):
            yield platform
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def _process(platform: Platform, output: Path, ports: Mapping[str, int]) -> Iterator[None]:
    env = {name: value for name, value in os.environ.items() if not OWN_BUSINESS.match(name) or name == "AFTERCARE_BROKER"}
    env |= {"AFTERCARE_HOME": str(platform.home)} | {f"{service.upper()}_PORT": str(port) for service, port in ports.items()}
    with output.open("w") as written:
        process = subprocess.Popen([sys.executable, "-u", "-m", "deploy.local"], cwd=ROOT, env=env, stdout=written, stderr=written)
    try:
        _await_ready(process, platform, output)
        yield
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(STOP_TIME)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_ready(process: subprocess.Popen[bytes], platform: Platform, output: Path) -> None:
    deadline = monotonic() + START_TIME
    while READY not in output.read_text():
        if process.poll() is not None or monotonic() > deadline:
            raise DidNotStart(platform.said())
        time.sleep(0.05)
