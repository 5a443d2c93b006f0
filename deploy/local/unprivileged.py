"""The user that PostgreSQL runs as when this process is root: it refuses to run as root.

That user must be able to enter the folders of its programs and its data. Where a parent folder bars it (a clone or a home under /root,
or in a private temporary folder), both live under /var/lib/aftercare instead, and the home holds a link to its data.
"""

import fcntl
import os
import pwd
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ELSEWHERE = Path("/var/lib/aftercare")


@dataclass(frozen=True)
class User:
    """A user of the operating system."""

    uid: int
    gid: int

    @classmethod
    def current(cls) -> "User":
        return cls(os.getuid(), os.getgid())

    @classmethod
    def for_databases(cls) -> "User":
        """The current user, or `nobody` when that is root."""
        if os.getuid() != 0:
            return cls.current()
        entry = pwd.getpwnam("nobody")
        return cls(entry.pw_uid, entry.pw_gid)

    def may_enter(self, folder: Path) -> bool:
        """Whether every folder from the root down to this one lets the user pass."""
        folder = folder.resolve()
        return all(self._may_pass(step) for step in (folder, *folder.parents) if step.exists())

    def _may_pass(self, folder: Path) -> bool:
        status = folder.stat()
        if self.uid == 0:
            return True
        if status.st_uid == self.uid:
            return bool(status.st_mode & 0o100)
        return bool(status.st_mode & (0o010 if status.st_gid == self.gid else 0o001))


def own_folder(path: Path, user: User) -> Path:
    """Make `path` a folder of the user, that nobody else enters, and say where it really is.

    It is `path` itself where the user can reach it; else a folder elsewhere that `path` links to.
    """
    if path.is_symlink() or (path.exists() and user.may_enter(path)):
        return path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    if user.may_enter(path.parent):
        place = path
    else:
        place = ELSEWHERE / f"{path.name}-{secrets.token_hex(6)}"
        ELSEWHERE.mkdir(mode=0o755, parents=True, exist_ok=True)
        path.symlink_to(place)
    place.mkdir(mode=0o700, exist_ok=True)
    if os.getuid() == 0:
        os.chown(place, user.uid, user.gid)
    return place


def reachable_copy(source: Path, parts: Sequence[str], user: User, name: str) -> Path:
    """`source` if the user can reach these parts of it, else a copy of them under that name elsewhere, made once."""
    if all(user.may_enter(source / part) for part in parts):
        return source
    copy = ELSEWHERE / name
    ELSEWHERE.mkdir(mode=0o755, parents=True, exist_ok=True)
    with (ELSEWHERE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two first starts at once
        if not copy.exists():
            unfinished = ELSEWHERE / f"{name}.unfinished"
            shutil.rmtree(unfinished, ignore_errors=True)
            for part in parts:
                shutil.copytree(source / part, unfinished / part, symlinks=True, ignore=shutil.ignore_patterns("include", "*.a"))
            _open_to_all(unfinished)
            unfinished.rename(copy)
    return copy


def _open_to_all(folder: Path) -> None:
    """It may have been installed for root alone."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
