"""A child process: started tied to this one, stopped, killed, paused, with its output in a file.

Each child leads a session of its own, so that a Ctrl-C at the terminal reaches only this process, which then ends its children in the
right order.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local import tether
from deploy.local.unprivileged import User

LOG_LIMIT = 10 * 1024 * 1024
"""A log longer than this (bytes) is put aside as `<name>.log.1` when its child starts."""

LINE_LIMIT = 500
"""Characters of a line that are shown; a log may hold a whole document in one."""


class ChildFailed(Exception):
    """A child ended, or did not become ready, and the platform cannot go on without it."""

    def __init__(self, name: str, reason: str, last_lines: Sequence[str] = ()) -> None:
        self.name = name
        self.reason = reason
        self.last_lines = tuple(last_lines)
        super().__init__("\n".join([f"{name} {reason}", *(f"  | {line}" for line in last_lines)]))


@dataclass(frozen=True)
class Program:
    """What to run, and how it wants to be ended."""

    name: str
    argv: Sequence[str]
    log: Path
    env: Mapping[str, str] | None = None
    cwd: Path | None = None
    user: User | None = None
    """Run as this user; None is the current one."""
    death_signal: signal.Signals = signal.SIGKILL
    """What the kernel sends when this process dies."""
    stop_signal: signal.Signals = signal.SIGTERM
    stop_time: float = 8.0
    """Seconds that a clean stop may take before the child is killed."""


@dataclass
class Child:
    """One run after the other of one program."""

    program: Program
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def name(self) -> str:
        return self.program.name

    @property
    def pid(self) -> int:
        """The process id of the current run."""
        if self._process is None:
            raise ChildFailed(self.name, "was not started")
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """Of the last run that ended; negative: the signal that ended it."""
        return None if self._process is None else self._process.poll()

    def how_it_ended(self) -> str:
        """In words, for people: `ended with code 1`, `was killed by SIGKILL`."""
        code = self.exit_code
        if code is None:
            return "is running"
        return f"ended with code {code}" if code >= 0 else f"was killed by {signal.Signals(-code).name}"

    def start(self) -> None:
        """Start the program; must be called from the main thread (see `tether`)."""
        if self.alive:
            raise ChildFailed(self.name, "is already running")
        program = self.program
        program.log.parent.mkdir(parents=True, exist_ok=True)
        put_aside(program.log)
        with program.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*_tether(program), *program.argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=program.env,
                cwd=program.cwd,
                start_new_session=True,
            )

    def stop(self) -> None:
        """End it cleanly; after `stop_time` seconds not so cleanly. Nothing happens when it is not running."""
        self.ask_to_stop()
        if not self.wait(self.program.stop_time):
            self.kill()

    def ask_to_stop(self) -> None:
        """Send the stop signal and return at once."""
        self.resume()  # a paused process does not hear
        self._signal(self.program.stop_signal)

    def kill(self) -> None:
        """End it now, as a crash would."""
        self._signal(signal.SIGKILL)
        self.wait(None)

    def pause(self) -> None:
        """Freeze it and all its descendants: alive, connected, silent. They are frozen when this returns."""
        while self.alive and not all(is_frozen(pid) for pid in family(self.pid)):
            # again and again: a process may have been born before its parent's signal arrived
            self._signal_family(signal.SIGSTOP)
            time.sleep(0.001)

    def resume(self) -> None:
        """Let it go on after `pause`."""
        self._signal_family(signal.SIGCONT)

    def wait(self, timeout: float | None) -> bool:
        """Whether it ended within `timeout` seconds."""
        if self._process is None:
            return True
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return False
        return True

    def last_lines(self, count: int = 15) -> list[str]:
        """The end of its log."""
        return last_lines(self.program.log, count)

    def _signal(self, number: signal.Signals) -> None:
        if self.alive:
            os.kill(self.pid, number)

    def _signal_family(self, number: signal.Signals) -> None:
        if self.alive:
            for pid in family(self.pid):
                with suppress(ProcessLookupError):  # a descendant that has just ended
                    os.kill(pid, number)


@contextmanager
def finishing(programs: Sequence[Program], timeout: float) -> Iterator[None]:
    """Run programs that end by themselves, beside what happens within; on the way out wait for their ends.

    ChildFailed, with its last lines, when one fails or has taken longer than `timeout` seconds. None of them outlives this.
    """
    children = [Child(program) for program in programs]
    deadline = time.monotonic() + timeout
    try:
        for child in children:
            child.start()
        yield
        for child in children:
            if not child.wait(max(0.0, deadline - time.monotonic())):
                raise ChildFailed(child.name, f"took longer than {timeout:.0f} s", child.last_lines())
            if child.exit_code != 0:
                raise ChildFailed(child.name, child.how_it_ended(), child.last_lines())
    finally:
        for child in children:
            child.kill()


def _tether(program: Program) -> list[str]:
    user = program.user or User.current()
    numbers = (os.getpid(), program.death_signal.value, user.uid, user.gid)
    return [sys.executable, "-I", "-S", tether.__file__, *map(str, numbers)]


def family(pid: int) -> Iterator[int]:
    """The process and its living descendants, parents first."""
    yield pid
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:  # it ended, or this is not Linux
        return
    for child in children.split():
        yield from family(int(child))


def is_frozen(pid: int) -> bool:
    """Whether a process does nothing any more: stopped, or ended. A signal that was sent need not have arrived."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return True
    return state in "TZX"


def put_aside(log: Path) -> None:
    """Rename a log that has grown past LOG_LIMIT; the one put aside before is dropped."""
    if log.exists() and log.stat().st_size > LOG_LIMIT:
        log.replace(log.with_name(log.name + ".1"))


def last_lines(log: Path, count: int) -> list[str]:
    """The last `count` lines of a file that may be large."""
    if not log.exists():
        return []
    with log.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 64 * 1024))
        text = file.read().decode(errors="replace")
    return [line[:LINE_LIMIT] for line in text.splitlines()[-count:]]
