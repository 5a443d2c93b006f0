"""Tiny programs in the place of the real servers and services, for tests of what starts and watches them."""

import signal
import sys
import time
from pathlib import Path

from deploy.local.child import Program
from deploy.local.server import Server

ROOT = Path(__file__).parents[2]

LIVES = """
import pathlib, signal, sys, time
name, journal = sys.argv[1], pathlib.Path(sys.argv[2])
def note(text):
    with journal.open("a") as file:
        file.write(f"{name} {text}\\n")
def end(*_):
    note("ended")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
note("began")
while True:
    time.sleep(60)
"""
"""Notes in a journal that it began and ended."""

HANGS = LIVES.replace("sys.exit(0)", "pass")
"""Hears that it should end, and goes on."""

DIES = "import sys; print('no space left on device', flush=True); sys.exit(7)"


class FakeServer(Server):
    """A server that runs a line of Python and is ready when that has noted `<name> began` in the journal."""

    start_time = 10.0

    def __init__(self, name: str, journal: Path, script: str = LIVES) -> None:
        super().__init__(name)
        self.journal = journal
        self.script = script

    def prepare(self) -> None:
        self.journal.touch()

    def serves(self) -> bool:
        return f"{self.name} began" in self.journal.read_text()

    def program(self) -> Program:
        argv = [sys.executable, "-S", "-c", self.script, self.name, str(self.journal)]
        return Program(self.name, argv, self.journal.with_name(f"{self.name}.log"), death_signal=signal.SIGKILL)


def await_text(file: Path, text: str, timeout: float = 10.0) -> str:
    """What the file holds once it holds this; fails after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not file.exists() or text not in (content := file.read_text()):
        assert time.monotonic() < deadline, f"no {text!r} in {file}"
        time.sleep(0.01)
    return content
