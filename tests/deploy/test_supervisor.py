"""The supervisor starts again what dies, waits longer each time, and ends all in the opposite order of their start."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Timer

import pytest

from deploy.local.child import ChildFailed
from deploy.local.supervisor import StopRequested, Supervisor, request_stop, restart_delay, stop_signals
from tests.deploy.fakes import DIES, HANGS, FakeServer, await_text


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervisor(said: list[str]) -> Supervisor:
    return Supervisor(say=said.append, tick=0.01)


def look_until(supervisor: Supervisor, condition: Callable[[], bool]) -> None:
    """Look after all servers until the condition holds; fail after ten seconds."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        supervisor.look()


def test_a_server_that_dies_is_started_again(supervisor: Supervisor, journal: Path, said: list[str]) -> None:
    server = FakeServer("tickets", journal)
    supervisor.begin([server], stop_time=5)
    supervisor.await_ready()
    first = server.child.pid

    os.kill(first, signal.SIGKILL)
    look_until(supervisor, lambda: "tickets is ready again" in said)

    assert server.child.pid != first
    assert said[0].startswith("tickets was killed by SIGKILL; starting it again in 0.5 s")
    supervisor.stop()


def test_the_last_lines_of_a_dead_server_are_shown(supervisor: Supervisor, journal: Path, said: list[str]) -> None:
    supervisor.begin([FakeServer("intake", journal, DIES)], stop_time=5)

    look_until(supervisor, lambda: bool(said))

    assert "intake ended with code 7" in said[0]
    assert "  | no space left on device" in said[0]


def test_a_server_that_keeps_dying_waits_longer_each_time(supervisor: Supervisor, journal: Path, said: list[str]) -> None:
    supervisor.begin([FakeServer("intake", journal, DIES)], stop_time=5)

    look_until(supervisor, lambda: len(said) == 3)

    assert ["in 0.5 s" in said[0], "in 1 s" in said[1], "in 2 s" in said[2]] == [True] * 3


def test_the_last_group_begins_anew_when_asked_and_the_others_go_on(supervisor: Supervisor, journal: Path, said: list[str]) -> None:
    database, service = FakeServer("postgres", journal), FakeServer("tickets", journal)
    supervisor.begin([database], stop_time=5)
    supervisor.begin([service], stop_time=5)
    supervisor.await_ready()
    before = (database.child.pid, service.child.pid)

    supervisor.ask_restart()
    look_until(supervisor, lambda: "tickets is ready again" in said)

    assert database.child.pid == before[0]
    assert service.child.pid != before[1]
    assert not [line for line in said if "starting it again" in line]  # it was no death
    supervisor.stop()


def test_the_wait_grows_to_half_a_minute() -> None:
    delays = [restart_delay(deaths) for deaths in range(1, 500)]

    assert delays[:3] == [0.5, 1.0, 2.0]
    assert delays == sorted(delays)
    assert delays[-1] == 30.0


def test_a_server_that_cannot_begin_again_is_tried_later(supervisor: Supervisor, journal: Path, said: list[str]) -> None:
    class Hindered(FakeServer):
        hindrances = 1

        def prepare(self) -> None:
            super().prepare()
            if self._child is not None and self.hindrances:
                self.hindrances -= 1
                raise ChildFailed(self.name, "of an earlier start still runs")

    server = Hindered("postgres", journal)
    supervisor.begin([server], stop_time=5)
    supervisor.await_ready()

    server.kill()
    look_until(supervisor, lambda: "postgres is ready again" in said)

    assert "postgres of an earlier start still runs\nTrying again in 1 s" in said
    supervisor.stop()


def test_groups_end_in_the_opposite_order_of_their_start(supervisor: Supervisor, journal: Path) -> None:
    for name in ("postgres", "broker", "services"):
        supervisor.begin([FakeServer(name, journal)], stop_time=5)
        supervisor.await_ready()

    supervisor.stop()

    assert journal.read_text().splitlines()[3:] == ["services ended", "broker ended", "postgres ended"]


def test_a_server_that_does_not_end_in_time_is_killed(supervisor: Supervisor, journal: Path, said: list[str]) -> None:
    deaf, hearing = FakeServer("deaf", journal, HANGS), FakeServer("hearing", journal)
    supervisor.begin([deaf, hearing], stop_time=0.5)
    supervisor.await_ready()

    supervisor.stop()

    assert said == ["deaf did not end in time and is killed"]
    assert not deaf.alive
    assert not hearing.alive


def test_a_stopped_platform_is_left_alone(supervisor: Supervisor, journal: Path) -> None:
    supervisor.begin([FakeServer("dead", journal, DIES)], stop_time=5)
    look_until(supervisor, lambda: supervisor.groups[0][0].begin_again_at is not None)

    supervisor.stop()

    assert not supervisor.groups[0][0].server.alive


def test_a_signal_ends_the_watch(supervisor: Supervisor) -> None:
    with stop_signals(request_stop):
        Timer(0.05, os.kill, [os.getpid(), signal.SIGTERM]).start()
        with pytest.raises(StopRequested):
            supervisor.watch()

    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    script = f"""
import pathlib
from rich.console import Console
from deploy.local.__main__ import stop
from deploy.local.supervisor import Supervisor
from tests.deploy.fakes import HANGS, FakeServer
supervisor = Supervisor(say=print)
supervisor.begin([FakeServer("deaf", pathlib.Path({str(tmp_path)!r}, "journal"), HANGS)], stop_time=60)
supervisor.await_ready()
stop(supervisor, Console())
"""
    with subprocess.Popen([sys.executable, "-u", "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while "Stopping" not in process.stdout.readline():
            pass
        await_text(tmp_path / "journal", "deaf ended")  # so it says, and hangs

        process.send_signal(signal.SIGINT)

        assert process.wait(timeout=5) == 130
