"""Random ids, many out of one draw: a batch needs thousands, and each draw of random bytes is a call of the system."""

from __future__ import annotations

import os
from typing import Final
from uuid import UUID

from asyncpg.pgproto.pgproto import UUID as FastUUID


def random_ids(count: int) -> list[UUID]:
    """So many ids of version 4, of the driver's own kind, all out of one draw."""
    drawn = bytearray(os.urandom(16 * count))
    for start in range(0, len(drawn), 16):
        drawn[start + 6] = drawn[start + 6] & 0x0F | 0x40
        drawn[start + 8] = drawn[start + 8] & 0x3F | 0x80
    return [FastUUID(bytes(drawn[start : start + 16])) for start in range(0, len(drawn), 16)]


class _Digits:
    """Random hexadecimal digits, drawn for some hundred ids at once."""

    DRAWN: Final = 4_096

    def __init__(self) -> None:
        self._digits = ""
        self._used = 0

    def take(self, count: int) -> str:
        start, end = self._used, self._used + count
        if end > len(self._digits):
            self._digits = os.urandom(self.DRAWN).hex()
            start, end = 0, count
        self._used = end
        return self._digits[start:end]

    def forget(self) -> None:
        """A process that was forked off must not draw the same."""
        self._digits, self._used = "", 0


_digits: Final = _Digits()
os.register_at_fork(after_in_child=_digits.forget)


def random_digits(count: int) -> str:
    """So many random hexadecimal digits, at most some thousand: for ids that name things and protect nothing."""
    return _digits.take(count)
