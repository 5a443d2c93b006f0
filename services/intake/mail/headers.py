"""Headers as the standard library makes them (`email.headerregistry`), parsed once where mails have them in common.

The library parses each header that it is given and looks for a way to fold it, which takes longer than all else about a mail. Numbers and
links that only machines read need neither; and folding would encode those that do not fit into a line, which no mail program undoes. Of a
date, a plain address and a few words of ASCII there is but one way to write them. For a subject in another script the library has an older
way (`email.header`), which takes a quarter of the time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.header import Header
from email.headerregistry import BaseHeader, HeaderRegistry, UniqueUnstructuredHeader
from email.policy import SMTP, Policy
from functools import lru_cache
from typing import Any, Final

_OF_ONE_MAIL: Final = frozenset({"to", "subject", "date"})
"""Not worth remembering, and nobody's business afterwards."""
LONGEST_LINE: Final = 900
"""Bytes of a line, of a header without its name; SMTP allows 998."""
_NEEDS_NO_FOLD: Final = 60
"""Characters that stand in one line with the name of a header that people read."""
_PLAIN: Final = re.compile(r"[!-~]+(?: [!-~]+)*")
"""Words of ASCII with single blanks between them."""
_IN_ONE_LINE: Final[Mapping[str, tuple[int, re.Pattern[str]]]] = {
    "message-id": (LONGEST_LINE, _PLAIN),
    "references": (LONGEST_LINE, _PLAIN),
    "list-unsubscribe": (LONGEST_LINE, _PLAIN),
    "content-type": (LONGEST_LINE, re.compile(r'multipart/alternative; boundary="[a-z0-9-]{1,70}"')),
    "date": (_NEEDS_NO_FOLD, re.compile(r"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [1-9][0-9]{3} [0-9]{2}:[0-9]{2}:[0-9]{2} [+-][0-9]{4}")),
    "to": (_NEEDS_NO_FOLD, re.compile(r"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*")),
    # an encoded word begins with "=?"
    "subject": (_NEEDS_NO_FOLD, re.compile(r"[!-<>-~]+(?: [!-<>-~]+)*")),
}
"""How many characters of which form are written as they were given, by the name of the header."""
_READABLE: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
"""Neither control characters nor halves of one."""


class OneLine(str):
    """A header in one line, however long."""

    name: str

    def __new__(cls, name: str, value: str) -> OneLine:
        made = super().__new__(cls, value)
        made.name = name
        return made

    def fold(self, *, policy: Policy) -> str:
        """As the library asks each header how it is written."""
        return f"{self.name}: {self}{policy.linesep}"


class Folded(BaseHeader):
    """A header that remembers how it is written."""

    def fold(self, *, policy: Policy) -> str:
        """As the library does, once."""
        way = policy.linesep, policy.max_line_length, getattr(policy, "utf8", False)
        folds: dict[tuple[object, ...], str] = self.__dict__.setdefault("_folds", {})
        if way not in folds:
            folds[way] = super().fold(policy=policy)
        return folds[way]


class Subject(UniqueUnstructuredHeader, Folded):  # type: ignore[misc]  # both of the library, which joins them so itself
    """What a mail is about."""

    def fold(self, *, policy: Policy) -> str:
        """In encoded words where it is not ASCII."""
        if self.isascii() or getattr(policy, "utf8", False) or not _READABLE.fullmatch(self):
            return super().fold(policy=policy)
        encoded = Header(str(self), "utf-8", header_name=self.name).encode(linesep=policy.linesep)
        return f"{self.name}: {encoded}{policy.linesep}"


class Headers(HeaderRegistry):
    """What a policy makes headers with. Headers cannot be changed, so one may be part of many mails."""

    def __init__(self) -> None:
        super().__init__(base_class=Folded)
        self.map_to_type("subject", Subject)
        self._class_of = lru_cache(maxsize=64)(super().__getitem__)
        self._remembered = lru_cache(maxsize=256)(self._made)

    def __getitem__(self, name: str) -> Any:
        return self._class_of(name.lower())

    def __call__(self, name: str, value: Any) -> BaseHeader:
        lower = name.lower()
        if _is_one_line(lower, value):
            return OneLine(name, value)  # type: ignore[return-value]  # all that the library asks of a header
        if lower in _OF_ONE_MAIL or "boundary" in value:
            return self._made(name, value)
        return self._remembered(name, value)

    def _made(self, name: str, value: Any) -> BaseHeader:
        made: BaseHeader = self[name](name, value)
        return made


def _is_one_line(name: str, value: Any) -> bool:
    """Whether there is but one way to write the header, or whoever reads it needs it in one line."""
    longest, form = _IN_ONE_LINE.get(name, (0, _PLAIN))
    return len(value) <= longest and form.fullmatch(value) is not None


POLICY: Final = SMTP.clone(header_factory=Headers())
"""How a mail is written for SMTP."""
