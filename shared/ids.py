"""Random ids, many at once: a batch needs thousands, and each draw of random bytes is a call of the system."""

from __future__ import annotations

import os
from uuid import UUID

from asyncpg.pgproto.pgproto import UUID as FastUUID


def random_ids(count: int) -> list[UUID]:
    """So many ids of version 4, of the driver's own kind, all out of one draw."""
    drawn = bytearray(os.urandom(16 * count))
    for start in range(0, len(drawn), 16):
        drawn[start + 6] = drawn[start + 6] & 0x0F | 0x40
        drawn[start + 8] = drawn[start + 8] & 0x3F | 0x80
    return [FastUUID(bytes(drawn[start : start + 16])) for start in range(0, len(drawn), 16)]
