"""The grid of the rollups: quarter hours of UTC. The one thing that the projection and its verifier share.

Every IANA zone's day, of 23, 24 or 25 hours and at offsets of 30 and 45 minutes, is a sum of quarter hours. An instant is a whole number of
microseconds since 1970-01-01T00:00Z, a bucket the number of its quarter hour since then; both are integers, so that Python and PostgreSQL
cannot disagree by a rounding. Rounding is towards the past, also before 1970.
"""

from __future__ import annotations

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
