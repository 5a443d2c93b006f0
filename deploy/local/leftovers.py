"""Processes of an earlier run that have not ended yet: a new server must not share the data with them.

Every server works in its data folder, so that folder tells its processes from all others; a number in a pid file does not, once the
system has given it to somebody else.
"""

import os
import time
from contextlib import suppress
from pathlib import Path

from deploy.local.child import ChildFailed


def await_leftovers(name: str, folder: Path, timeout: float = 15.0) -> None:
    """Wait until no process works in `folder`; ChildFailed when one goes on."""
    deadline = time.monotonic() + timeout
    while pids := working_in(folder):
        if time.monotonic() > deadline:
            raise ChildFailed(name, f"of an earlier start still runs on {folder} (process {', '.join(map(str, pids))})")
        time.sleep(0.02)


def working_in(folder: Path) -> list[int]:
    """The processes whose current folder is this one (Linux; elsewhere none is found)."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if Path(os.readlink(process / "cwd")) == folder:
                found.append(int(process.name))
    return found
