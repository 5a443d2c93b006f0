"""How often Python looks for garbage in cycles, which is rare here."""

from __future__ import annotations

import gc


def collect_seldom() -> None:
    """Look seldom from now on: a batch holds tens of thousands of values that are all alive until COMMIT, and Python would look through
    them again and again, a quarter of its time. What was imported is never looked through again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)
