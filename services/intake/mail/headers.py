"""Headers as the standard library makes them (`email.headerregistry`), parsed once where mails have them in common.

The library parses each header that it is given and looks for a way to fold it, which takes longer than all else about a mail. Numbers and
links that only machines read need neither; and folding would encode those that do not fit into a line, which no mail program undoes.
"""

from __future__ import annotations

import re
from email.headerregistry import BaseHeader, HeaderRegistry
from email.policy import SMTP, Policy
from functools import lru_cache
from typing import Any, Final

_FOR_MACHINES: Final = frozenset({"message-id", "references", "list-unsubscribe"})
_OF_ONE_MAIL: Final = frozenset({"to", "subject", "date"})
"""Not worth remembering, and nobody's business afterwards."""
_PLAIN: Final = re.compile(r"[!-~]+(?: [!-~]+)*")
"""Words of ASCII with single blanks between them."""
LONGEST_LINE: Final = 900
"""Bytes of a line, of a header without its name; SMTP allows 998."""


class ForMachines(str):
    """A header in one line, however long."""

    name: str

    def __new__(cls, name: str, value: str) -> ForMachines:
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


class Headers(HeaderRegistry):
    """What a policy makes headers with. Headers cannot be changed, so one may be part of many mails."""

    def __init__(self) -> None:
        super().__init__(base_class=Folded)
        self._class_of = lru_cache(maxsize=64)(super().__getitem__)
        self._remembered = lru_cache(maxsize=256)(self._made)

    def __getitem__(self, name: str) -> Any:
        return self._class_of(name.lower())

    def __call__(self, name: str, value: Any) -> BaseHeader:
        lower = name.lower()
        if lower in _FOR_MACHINES and len(value) <= LONGEST_LINE and _PLAIN.fullmatch(value):
            return ForMachines(name, value)  # type: ignore[return-value]  # all that the library asks of a header
        if lower in _OF_ONE_MAIL or "boundary" in value:
            return self._made(name, value)
        return self._remembered(name, value)

    def _made(self, name: str, value: Any) -> BaseHeader:
        made: BaseHeader = self[name](name, value)
        return made


POLICY: Final = SMTP.clone(header_factory=Headers())
"""How a mail is written for SMTP."""
