"""What customers find in their mailboxes: the mails that the local platform wrote to files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from pathlib import Path
from typing import Final

SURVEY: Final = re.compile(r"https?://\S+/s/([A-Za-z0-9_-]{32})(?![\w/-])")


@dataclass(frozen=True)
class Mail:
    """One mail, as far as a customer looks at it."""

    to: str
    text: str

    @property
    def survey_token(self) -> str | None:
        """Of the survey that it invites to, if it does."""
        match = SURVEY.search(self.text)
        return None if match is None else match[1]


class Mailbox:
    """All customers' mail; each is told once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "new"
        self._seen = set(self._names())

    def new(self) -> Iterator[Mail]:
        """What has come since the last look."""
        for name in self._names():
            if name not in self._seen:
                self._seen.add(name)
                yield _read(self._folder / name)

    def _names(self) -> list[str]:
        return sorted(path.name for path in self._folder.glob("*.aftercare"))


def _read(path: Path) -> Mail:
    message = message_from_bytes(path.read_bytes(), policy=policy.default)
    body = message.get_body(("plain",))
    return Mail(str(message["To"]), "" if body is None else str(body.get_content()))
