"""What everything that runs beside the supervisor has in common: it begins, becomes ready, stays alive, ends."""

import time
from abc import ABC, abstractmethod
from typing import Self

from deploy.local.child import Child, ChildFailed, Program


class Server(ABC):
    """A program that runs on as a child and serves somebody; a context manager that starts and stops it.

    It may be started again after it ended, and finds its data.
    """

    start_time: float = 60.0
    """Seconds after which a start has failed."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._child: Child | None = None

    @abstractmethod
    def prepare(self) -> None:
        """What must be true before each start: data made, no process of an earlier run left."""

    @abstractmethod
    def program(self) -> Program:
        """What to run."""

    @abstractmethod
    def serves(self) -> bool:
        """Whether it answers now."""

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    @property
    def child(self) -> Child:
        """Its current process; ChildFailed before the first start."""
        if self._child is None:
            raise ChildFailed(self.name, "was not started")
        return self._child

    @property
    def alive(self) -> bool:
        return self._child is not None and self._child.alive

    @property
    def ready(self) -> bool:
        """Whether its process lives and serves."""
        return self.alive and self.serves()

    def start(self) -> None:
        """Start it and wait until it is ready; ChildFailed, with its last lines, when it ends before or takes too long."""
        self.begin()
        self.await_ready()

    def begin(self) -> None:
        """Start it without waiting; from the main thread (see `tether`)."""
        self.prepare()
        self._child = Child(self.program())
        self._child.start()

    def await_ready(self) -> None:
        """Wait until it is ready; ChildFailed as for `start`."""
        deadline = time.monotonic() + self.start_time
        while not self.ready:
            self.require_alive()
            if time.monotonic() > deadline:
                raise ChildFailed(self.name, f"was not ready after {self.start_time:.0f} s", self.child.last_lines())
            time.sleep(0.02)

    def require_alive(self) -> None:
        """ChildFailed, with its last lines, when it has ended."""
        if not self.alive:
            raise ChildFailed(self.name, self.child.how_it_ended(), self.child.last_lines())

    def stop(self) -> None:
        """End it cleanly; nothing happens when it is not running."""
        if self._child is not None:
            self._child.stop()

    def kill(self) -> None:
        """End it now, as a crash would."""
        self.child.kill()

    def pause(self) -> None:
        """Freeze it: alive, connected, silent."""
        self.child.pause()

    def resume(self) -> None:
        """Let it go on after `pause`."""
        self.child.resume()
