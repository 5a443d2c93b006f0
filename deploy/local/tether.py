"""Ties a program to the life of its parent, then becomes that program.

Run as a script between the parent and the program: `python tether.py <parent pid> <signal> <uid> <gid> program argument ...`.
It asks the kernel to send <signal> when the parent dies, however it dies, and then executes the program in its own place. A step of
its own, because a change of user clears the request (so the order matters) and because Python code that runs between fork and exec
of a process with threads may hang.

Linux only; elsewhere the program starts untied. The kernel watches the parent's *thread*: start programs from the main thread.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def main(parent: int, signal: int, uid: int, gid: int, program: list[str]) -> None:
    """Become `program`, as user `uid` when that is not the current one."""
    if uid != os.getuid():
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux" and ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal) != 0:
        sys.exit(f"no parent-death signal: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != parent:  # it died before the kernel was asked
        sys.exit("the parent is gone")
    os.execv(program[0], program)


if __name__ == "__main__":
    parent, signal, uid, gid = (int(number) for number in sys.argv[1:5])
    main(parent, signal, uid, gid, sys.argv[5:])
