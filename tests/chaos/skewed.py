"""`python -m tests.chaos.skewed <seconds> -m services.tickets consume`: a process that believes to live so much later.

All of our code reads time in `shared/clock.py`, so that is where the clock goes wrong. Time that never jumps (`monotonic`) does not.
"""

from __future__ import annotations

import sys
from datetime import datetime, timedelta, tzinfo

from shared import clock
from tests.chaos.wrapping import become


def skew(seconds: float) -> None:
    """From now on the machine's time is wrong by so much, for whoever asks `shared/clock.py`."""
    wrong = timedelta(seconds=seconds)

    class WrongTime(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + wrong  # noqa: TID251 - this is the machine's clock, gone wrong

    vars(clock)["datetime"] = WrongTime


if __name__ == "__main__":
    skew(float(sys.argv[1]))
    become(sys.argv[2:])
