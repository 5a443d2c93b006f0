"""From the clock on the wall to the instant: where local time has a gap or happens twice.

One rule for both: a wall time means the *first* instant at which the wall shows that time or a later one. A time that happens twice is
therefore its first occurrence, a time that the clocks jump over is the jump itself. Windows that do not overlap on the wall then never
overlap in time, and together they lose and gain exactly what the day loses and gains.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

_SECOND: Final = timedelta(seconds=1)


@lru_cache(maxsize=64)
def zone(name: str) -> ZoneInfo:
    """The IANA zone of that name.

    Raises:
        ZoneInfoNotFoundError, ValueError: there is none.
    """
    return ZoneInfo(name)


def instant(wall: datetime, where: ZoneInfo) -> datetime:
    """The instant (UTC) that a naive wall time means in a zone."""
    at = wall.replace(tzinfo=where).astimezone(UTC)
    return at if _shown(at, where) == wall else _jump(wall, where)


def _shown(at: datetime, where: ZoneInfo) -> datetime:
    return at.astimezone(where).replace(tzinfo=None)


def _jump(wall: datetime, where: ZoneInfo) -> datetime:
    """The first second at which the wall shows more than ``wall``, which it never shows itself.

    The two readings of such a wall time lie on either side of the jump, so it is searched between them.
    """
    before = wall.replace(tzinfo=where, fold=1).astimezone(UTC)
    after = wall.replace(tzinfo=where, fold=0).astimezone(UTC)
    while after - before > _SECOND:
        middle = before + (after - before) // _SECOND // 2 * _SECOND
        if _shown(middle, where) > wall:
            after = middle
        else:
            before = middle
    return after
