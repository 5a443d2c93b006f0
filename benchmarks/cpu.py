"""CPU seconds of a process with its descendants, and of the parts of a platform: the steady figure on a machine that others use too.

The servers are descendants of the process that runs the benchmarks: what that does itself is told by `time.process_time`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from statistics import median
from types import TracebackType
from typing import Final, Self

import psutil

from shared.clock import monotonic

_BACKEND: Final = re.compile(r"postgres: aftercare (\S+) \S+\(\d+\)")
"""How PostgreSQL shows the process of a connection: user, database, client."""


def seconds(pid: int) -> float:
    """User and system time so far of a process and its living descendants, with what their ended children used; 0 when it is gone.

    The clock of it ticks every 10 ms: measure seconds of work, not one call.
    """
    total = 0.0
    with suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            total += _own(process)
    return total


def _own(process: psutil.Process) -> float:
    try:
        used = process.cpu_times()
    except psutil.NoSuchProcess:  # it ended between the list and the look; its parent has its times now
        return 0.0
    return float(used.user + used.system + used.children_user + used.children_system)


@dataclass
class CpuMeter:
    """A stop watch over named processes: `with CpuMeter({"tickets": pid, "postgres": pid}) as cpu: ...`, then `cpu.used["tickets"]`."""

    pids: Mapping[str, int]
    used: dict[str, float] = field(default_factory=dict)
    """CPU seconds of each, after the end."""
    elapsed: float = 0.0
    """Seconds on the wall."""
    _before: dict[str, float] = field(default_factory=dict)
    _began_at: float = 0.0

    def __enter__(self) -> Self:
        self._before = {name: seconds(pid) for name, pid in self.pids.items()}
        self._began_at = monotonic()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.elapsed = monotonic() - self._began_at
        self.used = {name: seconds(pid) - self._before[name] for name, pid in self.pids.items()}

    @property
    def total(self) -> float:
        """CPU seconds of all of them."""
        return sum(self.used.values())

    @property
    def cores(self) -> dict[str, float]:
        """How much of a core each kept busy, on average."""
        return {name: used / self.elapsed for name, used in self.used.items()}


def busy(rounds: Sequence[Mapping[str, float]]) -> str:
    """For people, from the cores of each round: `1.9 of 2 cores busy (tickets 0.8, PostgreSQL 1.1)`."""
    shares = ", ".join(f"{name} {median(cores[name] for cores in rounds):.2g}" for name in rounds[0])
    return f"{median(sum(cores.values()) for cores in rounds):.2g} of {os.cpu_count()} cores busy ({shares})"


def databases(postmaster: int) -> dict[str, float]:
    """User and system time so far of the living backends of each database, by its name; autovacuum's workers and the server's own
    processes belong to none."""
    found: dict[str, float] = {}
    for process in psutil.Process(postmaster).children():
        with suppress(psutil.NoSuchProcess):
            match = _BACKEND.match(" ".join(process.cmdline()))
            if match is not None:
                found[match[1]] = found.get(match[1], 0.0) + _own(process)
    return found
