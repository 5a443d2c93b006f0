"""CPU time is that of a process and of whatever it started, also of what has ended, and of nobody else."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from benchmarks.cpu import CpuMeter, busy, seconds

pytestmark = pytest.mark.pure

WORK = 0.3
"""CPU seconds that a process uses; the clock of it ticks every 10 ms."""
WORKING = f"import time\nwhile time.process_time() < {WORK}: pass"
WAITING = "import sys; print(flush=True); sys.stdin.read()"
PARENT = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', '''{WORKING}'''])\n{WAITING}"


@contextmanager
def running(program: str) -> Iterator[int]:
    """A process that has done its work and waits; its id."""
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid


def test_what_a_child_used_belongs_to_its_parent_after_its_end() -> None:
    with running(PARENT) as pid:
        assert seconds(pid) >= 0.9 * WORK


def test_the_seconds_of_this_process_are_those_of_its_children_too() -> None:
    before, own = seconds(os.getpid()), time.process_time()

    with running(f"{WORKING}\n{WAITING}"):
        while_it_lives = seconds(os.getpid()) - before
    after_its_end = seconds(os.getpid()) - before

    # so whoever asks what this process itself used asks for process_time
    assert min(while_it_lives, after_its_end) >= 0.9 * WORK
    assert time.process_time() - own < 0.5 * WORK


def test_a_process_that_is_gone_used_nothing() -> None:
    with running(WAITING) as pid:
        pass

    assert seconds(pid) == 0.0


def test_a_meter_tells_what_each_used_while_it_ran() -> None:
    with running(f"{WORKING}\n{WAITING}") as idle, CpuMeter({"idle": idle, "this": os.getpid()}) as cpu:
        end = time.process_time() + WORK
        while time.process_time() < end:
            pass

    assert cpu.used["idle"] == pytest.approx(0.0, abs=0.02)
    assert cpu.used["this"] >= 0.9 * WORK
    assert cpu.total == sum(cpu.used.values())
    assert cpu.cores["this"] == cpu.used["this"] / cpu.elapsed


def test_busy_cores_are_told_by_their_median() -> None:
    rounds = [{"tickets": 0.5, "PostgreSQL": 0.25}, {"tickets": 0.75, "PostgreSQL": 0.5}, {"tickets": 0.1, "PostgreSQL": 0.1}]

    assert busy(rounds) == f"0.75 of {os.cpu_count()} cores busy (tickets 0.5, PostgreSQL 0.25)"
