"""The database's disk is full for some seconds.

PostgreSQL moves to a small file system in memory, which a ballast then fills: whoever needs one more page is refused, and when the log can
not grow it panics, perhaps again and again while it recovers. Then the ballast goes, and PostgreSQL moves back.

Mounting takes root. Where it is not allowed the fault is skipped.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, ClassVar, Final

from deploy.local.child import ChildFailed
from tests.chaos.eyes import AWAY
from tests.chaos.faults.databases import connection
from tests.chaos.faults.fault import ANY_CLUSTER, Kind, Skipped
from tests.chaos.processes import in_starter

if TYPE_CHECKING:
    from tests.chaos.platform import Platform
    from tests.chaos.servers import Postgres

ROOM: Final = 64 << 20
"""Bytes that are free on the small disk before the ballast."""
BALLAST: Final = "ballast"
RETURN_TIME: Final = 60.0
"""Seconds within which PostgreSQL must serve again once there is room."""


class FullDisk:
    """No byte is free for 3 to 6 s."""

    name: ClassVar = "full-disk"
    kind: ClassVar = Kind.DATABASE
    lasts: ClassVar = 15.0
    brokers: ClassVar = ANY_CLUSTER

    async def strike(self, platform: Platform, random: Random) -> str:
        """See `Fault`."""
        await in_starter(require_mounts)
        disk, postgres, seconds = SmallDisk(platform.postgres.data), platform.postgres, random.uniform(3, 6)
        await in_starter(postgres.server.stop)
        await in_starter(disk.move_in)
        try:
            await postgres.start()
            refused = await filled(postgres, disk, seconds)
        finally:
            disk.free()
            ended = await back_again(postgres)
            await in_starter(postgres.server.stop)
            await in_starter(disk.move_out)
            await postgres.start()
        if not refused:
            raise Skipped(f"no statement of our own was refused in {seconds:.1f} s")
        return f"for {seconds:.1f} s; {refused} statements of our own refused" + ("; it had to be started again" if ended else "")


async def filled(postgres: Postgres, disk: SmallDisk, seconds: float) -> int:
    """Fill the disk for so long; how many of our own statements were refused for that reason."""
    refused = 0
    async with connection(postgres.dsn("postgres")) as sql:
        await sql.execute("CREATE TABLE IF NOT EXISTS growing (filling text); ALTER TABLE growing ALTER filling SET STORAGE PLAIN")
    until = asyncio.get_running_loop().time() + seconds
    await in_starter(disk.fill)
    while asyncio.get_running_loop().time() < until:
        refused += await is_refused(postgres)
        await in_starter(disk.fill)  # what vacuum or a recycled segment has freed
        await asyncio.sleep(0.2)
    return refused


async def is_refused(postgres: Postgres) -> bool:
    """Whether PostgreSQL takes nothing more: it says so, or cannot even say so."""
    try:
        async with connection(postgres.dsn("postgres")) as sql:
            await sql.execute("INSERT INTO growing SELECT repeat('x', 4000) FROM generate_series(1, 1000)", timeout=3)
    except AWAY:
        return True
    return False


async def back_again(postgres: Postgres) -> bool:
    """Wait until it serves; whether it had ended and was started. One that panics while it recovers may end only a moment later."""
    ended = False
    deadline = asyncio.get_running_loop().time() + RETURN_TIME
    while True:
        if not postgres.server.alive:
            ended = True
            with suppress(ChildFailed):
                await postgres.start()
        try:
            async with connection(postgres.dsn("postgres")) as sql:
                await sql.execute("DROP TABLE IF EXISTS growing; CHECKPOINT", timeout=10)
                return ended
        except AWAY:
            if asyncio.get_running_loop().time() > deadline:
                raise
        await asyncio.sleep(0.2)


class SmallDisk:
    """A file system in memory, with little room, in the place of a folder; the folder's owner may enter it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._aside = folder.with_name(f"{folder.name}.aside")

    def move_in(self) -> None:
        """Copy the folder to a small disk that takes its place. Nobody may use it meanwhile."""
        owner = self._folder.stat()
        size = sum(path.stat().st_blocks * 512 for path in self._folder.rglob("*") if path.is_file()) + ROOM
        self._folder.rename(self._aside)
        self._folder.mkdir()
        try:
            _run("mount", "-t", "tmpfs", "-o", f"size={size},mode=0700,uid={owner.st_uid},gid={owner.st_gid}", "chaos", str(self._folder))
            _run("cp", "-a", f"{self._aside}/.", str(self._folder))
        except BaseException:
            self._leave()
            self._aside.rename(self._folder)
            raise

    def fill(self) -> None:
        """Until no byte is free."""
        with (self._folder / BALLAST).open("ab") as ballast, suppress(OSError):
            for piece in (1 << 20, 4096):
                with suppress(OSError):
                    while True:
                        end = ballast.seek(0, os.SEEK_END)
                        os.posix_fallocate(ballast.fileno(), end, piece)

    def free(self) -> None:
        """The ballast goes."""
        (self._folder / BALLAST).unlink(missing_ok=True)

    def move_out(self) -> None:
        """Copy everything back to the real disk, and let the small one go."""
        returned = self._folder.with_name(f"{self._folder.name}.returned")
        _run("cp", "-a", str(self._folder), str(returned))
        self._leave()
        returned.rename(self._folder)
        shutil.rmtree(self._aside)

    def _leave(self) -> None:
        if self._folder.is_mount():
            _run("umount", "--lazy", str(self._folder))
        self._folder.rmdir()


def require_mounts() -> None:
    """Raise Skipped where this process may not mount a file system."""
    if os.geteuid() != 0:
        raise Skipped("only root may mount a small disk")
    with tempfile.TemporaryDirectory() as folder:
        try:
            _run("mount", "-t", "tmpfs", "-o", "size=1m", "chaos", folder)
        except (OSError, subprocess.CalledProcessError) as error:
            raise Skipped(f"this machine mounts no small disk: {error}") from error
        _run("umount", folder)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)
