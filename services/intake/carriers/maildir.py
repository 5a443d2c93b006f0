"""Mails as files, for machines without a mail server."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar, Final

from services.intake.carriers.carrier import Carried, Delivered, Letter, TryAgain
from services.intake.carriers.composing import compose
from services.intake.mail import Letterhead

WRITERS: Final = 4
"""Threads that write at once: a disk forces several files in the time of one."""


class Maildir:
    """One file per mail in ``new/``, as mail programs read it (https://cr.yp.to/proto/maildir.html)."""

    channel: ClassVar[str] = "email"
    name: ClassVar[str] = "maildir"

    def __init__(self, folder: Path, letterhead: Letterhead) -> None:
        self._folder = folder
        self._letterhead = letterhead

    async def carry(self, letters: Sequence[Letter], *, until: float) -> list[Carried]:
        """Write the files, in threads; a disk is quick enough for any ``until``."""
        return await asyncio.to_thread(self._write_all, letters)

    def _write_all(self, letters: Sequence[Letter]) -> list[Carried]:
        with ThreadPoolExecutor(WRITERS, thread_name_prefix="maildir") as writers:
            return list(writers.map(self._write, letters))

    def _write(self, letter: Letter) -> Carried:
        mail = compose(letter, self._letterhead)
        if isinstance(mail, TryAgain):
            return mail
        name = f"{letter.event_id.hex}.aftercare"
        try:
            try:
                self._put(name, mail.content)
            except FileNotFoundError:
                self._make_folders()
                self._put(name, mail.content)
        except OSError as error:
            return TryAgain(type(error).__name__)
        return Delivered()

    def _put(self, name: str, content: bytes) -> None:
        unfinished = f"{self._folder}/tmp/{name}"
        with open(unfinished, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, f"{self._folder}/new/{name}")

    def _make_folders(self) -> None:
        for name in ("tmp", "new", "cur"):
            (self._folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
