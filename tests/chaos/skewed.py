"""`python -m tests.chaos.skewed <file> -m services.tickets consume`: a process whose machine's time jumps when it is told to.

All of our code reads time in `shared/clock.py`, so that is where the clock goes wrong. Time that never jumps (`monotonic`) does not.
"""

from __future__ import annotations

import sys
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

from shared import clock
from tests.chaos.wrapping import become


def skew(told: Path) -> None:
    """From now on the machine's time is wrong by the seconds in that file, right without it, for whoever asks `shared/clock.py`."""

    class WrongTime(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + wrong_by(told)  # noqa: TID251 - this is the machine's clock, gone wrong

    vars(clock)["datetime"] = WrongTime


def wrong_by(told: Path) -> timedelta:
    """What the file says now."""
    try:
        return timedelta(seconds=float(told.read_text()))
    except FileNotFoundError:
        return timedelta()


def jump(told: Path, seconds: float) -> None:
    """The process that looks at this file sees its clock jump; without the file it sees it jump back."""
    # whole or not at all: it may look at any moment
    part = told.with_suffix(".part")
    part.write_text(f"{seconds:.3f}")
    part.replace(told)


if __name__ == "__main__":
    skew(Path(sys.argv[1]))
    become(sys.argv[2:])
