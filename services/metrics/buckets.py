"""The grids of the rollups: quarter hours of UTC, and classes of durations. The one thing that the projection and its verifier share.

Every IANA zone's day, of 23, 24 or 25 hours and at offsets of 30 and 45 minutes, is a sum of quarter hours. An instant is a whole number of
microseconds since 1970-01-01T00:00Z, a bucket the number of its quarter hour since then; both are integers, so that Python and PostgreSQL
cannot disagree by a rounding. Rounding is towards the past, also before 1970.

Durations are whole milliseconds. Each class of them is at most 2 % wider than the one before it, so that whatever is read from counts per
class is within 1 % of the truth; the edges are integers that both languages search.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from typing import Final

WIDTH: Final = timedelta(minutes=15)
WIDTH_US: Final = WIDTH // timedelta(microseconds=1)
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_MICROSECOND: Final = timedelta(microseconds=1)


def bucket_of(instant_us: int) -> int:
    """The bucket in which the instant lies."""
    return instant_us // WIDTH_US


def sql_bucket(instant_us: str) -> str:
    """The same as `bucket_of`, as an SQL expression over a bigint expression (``//`` rounds down, SQL's ``/`` towards zero)."""
    return f"((({instant_us}) - (({instant_us}) % {WIDTH_US} + {WIDTH_US}) % {WIDTH_US}) / {WIDTH_US})::integer"


def microseconds(instant: datetime) -> int:
    """An aware instant as microseconds since the epoch, exactly."""
    return (instant - EPOCH) // _MICROSECOND


def start_of(bucket: int) -> datetime:
    """The instant at which the bucket begins, UTC."""
    return EPOCH + bucket * WIDTH


def first_bucket_from(instant: datetime) -> int:
    """The first bucket that begins at or after the instant; the instant's own when it lies on the grid."""
    return -(-microseconds(instant) // WIDTH_US)


# ------------------------------------------------------------------ durations


def _edges() -> tuple[int, ...]:
    edges = [0]
    while edges[-1] < LONGEST_MS:
        edges.append(edges[-1] + max(1, edges[-1] // 50))
    return tuple(edges)


LONGEST_MS: Final = 100 * 366 * 24 * 3600 * 1000
"""Whatever lasts longer is in the last class."""
DURATION_EDGES: Final = _edges()
"""Where classes of durations begin; class ``i`` is [edge i-1, edge i)."""


def duration_class(ms: int) -> int:
    """The class of a duration, from 1; a negative one counts as none at all."""
    return bisect_right(DURATION_EDGES, max(ms, 0))


def sql_duration_class(ms: str) -> str:
    """The same as `duration_class`, as an SQL expression over a bigint expression."""
    return f"width_bucket(greatest(({ms}), 0), '{{{','.join(map(str, DURATION_EDGES))}}}'::bigint[])"


def typical_ms(duration_class: int) -> float:
    """The duration that stands for all of its class: the middle."""
    low = DURATION_EDGES[duration_class - 1]
    high = DURATION_EDGES[duration_class] if duration_class < len(DURATION_EDGES) else low + 1
    return (low + high - 1) / 2
