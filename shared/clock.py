"""The only place where time is read.

Two times exist. *Real time* stamps leases, reports, outbox days and the expiry of keys. *Business time* is what deadlines, surveys and
occurred-at checks see: real time, unless ``AFTERCARE_CLOCK`` moves it so that days pass in seconds on a local platform.

``AFTERCARE_CLOCK`` is ``<rate>@<real instant>/<business instant>``, for instance ``8640@2026-11-25T10:00:00Z/2026-12-01T00:00:00Z``: at
the real instant the business clock shows the business instant, and from then on runs ``rate`` times as fast. A platform that is not local
(``AFTERCARE_LOCAL=1``) refuses to start with it.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final

CLOCK_VARIABLE: Final = "AFTERCARE_CLOCK"
LOCAL_VARIABLE: Final = "AFTERCARE_LOCAL"


class ClockRefused(Exception):
    """``AFTERCARE_CLOCK`` is malformed, or set on a platform that is not local."""


@dataclass(frozen=True)
class BusinessClock:
    """A linear map from real to business time; the identity unless a local platform asks for another."""

    rate: float
    real_start: datetime
    business_start: datetime

    def at(self, real: datetime) -> datetime:
        """The business instant at the real instant ``real``."""
        return self.business_start + (real - self.real_start) * self.rate

    def real_delay(self, business: timedelta) -> timedelta:
        """How long, in real time, a span of business time lasts."""
        return business / self.rate


def parse(text: str) -> BusinessClock:
    """Read the value of ``AFTERCARE_CLOCK``.

    Raises:
        ClockRefused: the text is not ``<rate>@<real instant>/<business instant>`` with aware instants and a rate in (0, 1e6].
    """
    try:
        rate_text, _, instants = text.partition("@")
        real_text, _, business_text = instants.partition("/")
        clock = BusinessClock(float(rate_text), datetime.fromisoformat(real_text), datetime.fromisoformat(business_text))
    except ValueError as error:
        raise ClockRefused(f"{CLOCK_VARIABLE} must read <rate>@<real instant>/<business instant>, not {text!r}") from error
    if not 0 < clock.rate <= 1e6 or clock.real_start.tzinfo is None or clock.business_start.tzinfo is None:
        raise ClockRefused(f"{CLOCK_VARIABLE} needs instants with a zone and a rate above 0 and at most 1,000,000")
    return clock


@cache
def business_clock() -> BusinessClock | None:
    """The clock that the environment asks for; None is real time.

    Raises:
        ClockRefused: malformed, or set where ``AFTERCARE_LOCAL`` is not 1.
    """
    text = os.environ.get(CLOCK_VARIABLE, "")
    if not text:
        return None
    if os.environ.get(LOCAL_VARIABLE) != "1":
        raise ClockRefused(f"{CLOCK_VARIABLE} is only for a local platform ({LOCAL_VARIABLE}=1)")
    return parse(text)


def real_now() -> datetime:
    """The machine's UTC time: for leases, report stamps and expiry of keys."""
    return datetime.now(UTC)


def now() -> datetime:
    """Business time, UTC: for everything that the trade calls a moment."""
    clock = business_clock()
    return real_now() if clock is None else clock.at(real_now())


def sql_now() -> str:
    """The SQL expression for business time by the database's clock; what decides whether a timer is due.

    When the statement began: ``now()`` is an old time in a transaction that was held open; ``clock_timestamp()`` differs from row to row,
    so that PostgreSQL looks at every row where an index would have told.
    """
    clock = business_clock()
    if clock is None:
        return "statement_timestamp()"
    real, business = clock.real_start.isoformat(), clock.business_start.isoformat()
    return f"(timestamptz '{business}' + (statement_timestamp() - timestamptz '{real}') * {clock.rate!r}::float8)"


def monotonic() -> float:
    """Seconds of a clock that never jumps: for time-outs and measured durations."""
    return time.monotonic()
