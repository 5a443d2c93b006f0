"""Keeps servers running: starts again what dies, and ends all of them in the right order."""

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Final, NoReturn

from deploy.local.child import ChildFailed
from deploy.local.server import Server

LONG_ENOUGH: Final = 30.0
"""Seconds of life after which an earlier death no longer counts."""

STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequested(BaseException):
    """Somebody pressed Ctrl-C, or asked in another way."""


@dataclass
class Watched:
    """A server and the history of its deaths."""

    server: Server
    stop_time: float
    deaths: int = 0
    began_at: float = 0.0
    begin_again_at: float | None = None
    """Monotonic time of the next start; None while it is meant to run."""
    is_back: bool = True
    """False from a death until it is ready again."""


@dataclass
class Supervisor:
    """The servers of one platform, in groups in the order of their start; they are stopped in the opposite order."""

    say: Callable[[str], None]
    """Tells people what happens."""
    tick: float = 0.2
    """Seconds between two looks."""
    groups: list[list[Watched]] = field(default_factory=list)
    restart_asked: bool = False
    """Set by `ask_restart`: the last group is to be stopped cleanly and started again at the next look."""

    def begin(self, servers: Sequence[Server], *, stop_time: float) -> None:
        """Start a group without waiting. Each has `stop_time` seconds to end when all is stopped."""
        group = [Watched(server, stop_time) for server in servers]
        self.groups.append(group)
        for watched in group:
            self._begin(watched)

    def await_ready(self) -> None:
        """Wait until every server is ready; ChildFailed when one ends before."""
        for watched in self._all():
            watched.server.await_ready()

    def watch(self) -> NoReturn:
        """Keep them running until an exception (see `stop_signals`) ends it."""
        while True:
            self.look()
            time.sleep(self.tick)

    def look(self) -> None:
        """Do what was asked, and look after every server once."""
        if self.restart_asked:
            self.restart_asked = False
            self._restart(self.groups[-1])
        for watched in self._all():
            self.look_after(watched)

    def ask_restart(self) -> None:
        """Have the servers that were started last begin anew, with what their programs read then. Safe in a signal handler."""
        self.restart_asked = True

    def look_after(self, watched: Watched) -> None:
        """One look at one server: note its death, start it again when its time has come, tell when it is back."""
        now = time.monotonic()
        if watched.begin_again_at is not None:
            if now >= watched.begin_again_at:
                self._begin_again(watched)
        elif not watched.server.alive:
            self._note_death(watched, now)
        elif not watched.is_back and watched.server.ready:
            watched.is_back = True
            self.say(f"{watched.server.name} is ready again")

    def stop(self) -> None:
        """End all of them, the last group first; within a group all at once. Time that one group leaves is the next one's."""
        deadline = time.monotonic()
        for group in reversed(self.groups):
            deadline += max(watched.stop_time for watched in group)
            self._end(group, deadline)

    def kill(self) -> None:
        """End all of them at once and not cleanly."""
        for watched in self._all():
            if watched.server.alive:
                os.kill(watched.server.child.pid, signal.SIGKILL)

    def _restart(self, group: Sequence[Watched]) -> None:
        self._end(group, time.monotonic() + max(watched.stop_time for watched in group))
        for watched in group:
            watched.is_back = False
            self._begin_again(watched)

    def _end(self, group: Sequence[Watched], deadline: float) -> None:
        running = [watched for watched in group if watched.server.alive]
        for watched in running:
            watched.server.child.ask_to_stop()
        for watched in running:
            if not watched.server.child.wait(max(0.0, deadline - time.monotonic())):
                self.say(f"{watched.server.name} did not end in time and is killed")
                watched.server.kill()

    def _all(self) -> Iterator[Watched]:
        for group in self.groups:
            yield from group

    def _begin(self, watched: Watched) -> None:
        watched.began_at = time.monotonic()
        watched.begin_again_at = None
        watched.server.begin()

    def _begin_again(self, watched: Watched) -> None:
        try:
            self._begin(watched)
        except ChildFailed as failure:  # an earlier process may still hold its data: later, perhaps
            self._count_death(watched, time.monotonic())
            self.say(f"{failure}\nTrying again in {restart_delay(watched.deaths):g} s")

    def _note_death(self, watched: Watched, now: float) -> None:
        self._count_death(watched, now)
        child = watched.server.child
        lines = "".join(f"\n  | {line}" for line in child.last_lines())
        again = f"starting it again in {restart_delay(watched.deaths):g} s"
        self.say(f"{watched.server.name} {child.how_it_ended()}; {again}. The end of {child.program.log}:{lines}")

    def _count_death(self, watched: Watched, now: float) -> None:
        watched.deaths = 1 if now - watched.began_at > LONG_ENOUGH else watched.deaths + 1
        watched.begin_again_at = now + restart_delay(watched.deaths)
        watched.is_back = False


def restart_delay(deaths: int) -> float:
    """Seconds before the next start after so many deaths in a row: 0.5, 1, 2, ... 30."""
    return min(0.25 * 2.0 ** min(deaths, 10), 30.0)


@contextmanager
def stop_signals(action: Callable[[], None]) -> Iterator[None]:
    """Within, Ctrl-C, SIGTERM and a closed terminal mean `action`, called in the main thread wherever it is."""

    def on_signal(number: int, frame: FrameType | None) -> None:
        action()

    before = {number: signal.signal(number, on_signal) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def restart_signal(action: Callable[[], None]) -> Iterator[None]:
    """Within, SIGUSR1 means `action`: `make demo` asks so for another clock."""
    before = signal.signal(signal.SIGUSR1, lambda _number, _frame: action())
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR1, before)


def request_stop() -> NoReturn:
    """The action of the first signal."""
    raise StopRequested
