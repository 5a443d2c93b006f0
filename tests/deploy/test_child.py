"""A child process is tied to its parent, keeps its output, and is ended, frozen and judged."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from deploy.local import child as child_module
from deploy.local.child import Child, ChildFailed, Program, finishing, last_lines, put_aside
from deploy.local.unprivileged import User, own_folder
from tests.deploy.fakes import DIES, HANGS, LIVES, FakeServer, await_text


def program(folder: Path, script: str, name: str = "fake", stop_time: float = 5.0) -> Program:
    argv = [sys.executable, "-S", "-c", script, name, str(folder / "journal")]
    return Program(name, argv, folder / f"{name}.log", stop_time=stop_time)


def test_a_child_dies_with_its_parent_however_that_dies(tmp_path: Path) -> None:
    parent = f"""
import pathlib, time
from tests.deploy.fakes import FakeServer
servers = [FakeServer(name, pathlib.Path({str(tmp_path)!r}, "journal")) for name in ("one", "two")]
for server in servers:
    server.start()
print(*(server.child.pid for server in servers), flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        children = [psutil.Process(int(pid)) for pid in process.stdout.readline().split()]

        process.kill()

    assert len(children) == 2
    gone, alive = psutil.wait_procs(children, timeout=5)
    assert len(gone) == 2, alive


def test_a_child_of_a_parent_that_is_gone_does_not_start() -> None:
    tether = Path(child_module.tether.__file__)
    nobody = str(os.getpid() + 1)

    result = subprocess.run(
        [sys.executable, "-I", "-S", tether, nobody, "9", str(os.getuid()), str(os.getgid()), "/bin/echo", "started"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (result.returncode, result.stdout) == (1, "")
    assert "the parent is gone" in result.stderr


def test_a_child_that_does_not_hear_is_killed(tmp_path: Path) -> None:
    deaf = Child(program(tmp_path, HANGS, stop_time=0.2))
    deaf.start()
    await_text(tmp_path / "journal", "fake began")

    deaf.stop()

    assert deaf.how_it_ended() == "was killed by SIGKILL"
    assert "fake ended" in (tmp_path / "journal").read_text()  # it was asked first


def test_a_frozen_child_can_be_stopped(tmp_path: Path) -> None:
    with FakeServer("frozen", tmp_path / "journal") as server:
        server.pause()
        assert psutil.Process(server.child.pid).status() == psutil.STATUS_STOPPED

    assert server.child.exit_code == 0
    assert (tmp_path / "journal").read_text().splitlines() == ["frozen began", "frozen ended"]


def test_a_server_that_ends_while_starting_fails_with_its_last_lines(tmp_path: Path) -> None:
    with pytest.raises(ChildFailed, match=r"disk ended with code 7\n  \| no space left on device"):
        FakeServer("disk", tmp_path / "journal", DIES).start()


def test_a_server_that_is_never_ready_fails_and_is_ended(tmp_path: Path) -> None:
    silent = FakeServer("silent", tmp_path / "journal", "import time; time.sleep(60)")
    silent.start_time = 0.3

    with pytest.raises(ChildFailed, match="silent was not ready after"), silent:
        pass

    assert not silent.alive


def test_one_failure_ends_all_that_run_to_their_end(tmp_path: Path) -> None:
    began = time.monotonic()

    programs = [program(tmp_path, DIES, "second"), program(tmp_path, LIVES, "first")]
    with pytest.raises(ChildFailed, match="second ended with code 7"), finishing(programs, timeout=20):
        pass

    assert time.monotonic() - began < 10
    assert psutil.Process().children() == []


def test_programs_that_run_to_their_end_have_a_deadline(tmp_path: Path) -> None:
    with pytest.raises(ChildFailed, match="fake took longer than 0 s"), finishing([program(tmp_path, LIVES)], timeout=0.1):
        pass


def test_a_log_that_has_grown_is_put_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_module, "LOG_LIMIT", 10)
    log = tmp_path / "x.log"

    log.write_text("short")
    put_aside(log)
    assert log.exists()

    log.write_text("longer than ten characters")
    put_aside(log)
    assert not log.exists()
    assert (tmp_path / "x.log.1").read_text() == "longer than ten characters"


def test_the_last_lines_of_a_long_log_are_read_from_its_end(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_text("\n".join(f"line {number}" for number in range(100_000)))

    assert last_lines(log, 2) == ["line 99998", "line 99999"]
    assert last_lines(tmp_path / "none.log", 2) == []


def test_a_folder_that_the_user_cannot_reach_is_made_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    barred = tmp_path / "barred"
    barred.mkdir(mode=0o700)
    stranger = User(uid=os.getuid() + 4242, gid=os.getgid() + 4242)
    monkeypatch.setattr("deploy.local.unprivileged.ELSEWHERE", tmp_path / "elsewhere")
    monkeypatch.setattr(os, "chown", lambda *_: None)

    place = own_folder(barred / "postgres", stranger)

    assert place.parent == tmp_path / "elsewhere"
    assert (barred / "postgres").resolve() == place
    assert own_folder(barred / "postgres", stranger) == place  # and found there again


def test_a_child_leads_a_session_of_its_own(tmp_path: Path) -> None:
    """Ctrl-C at the terminal reaches the supervisor alone, which then ends its children in the right order."""
    with FakeServer("apart", tmp_path / "journal") as server:
        assert os.getsid(server.child.pid) == server.child.pid

    assert server.child.program.death_signal is signal.SIGKILL
