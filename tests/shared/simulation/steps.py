"""How a directed schedule lets an actor go on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

PATIENCE: Final = 30
"""Steps after which an actor is not going to do it any more."""


class NeverDone(AssertionError):
    """The actor does not do what the schedule waits for."""


def steps_until(step: Callable[[], str], what: str) -> None:
    """Take steps until one begins with these words."""
    done = []
    for _ in range(PATIENCE):
        done.append(step())
        if done[-1].startswith(what):
            return
    raise NeverDone(f"never {what!r}, only {sorted(set(done))}")
