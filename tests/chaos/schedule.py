"""When which fault strikes: a pure function of the seed, so that a run can be played again.

Faults of one kind follow each other, with time to breathe between them; faults of several kinds meet, as they do in life. Each kind goes
through its faults in a random order, again and again while time lasts: each strikes before any of its kind strikes twice.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from tests.chaos.faults import FAULTS, Fault, Kind

ALL: Final = "all"

LEAD: Final = 1.0
"""Seconds of peace at the start: the load must flow before it can be disturbed."""
BREATH: Final = 4.0
"""Seconds between the end of a fault and the next of its kind, on average, when there is time."""
LEAST_BREATH: Final = 0.3


class UnknownFault(Exception):
    """No fault has that name, or none is left for a cluster of that size."""


@dataclass(frozen=True, order=True)
class Strike:
    """A fault at its time, in seconds since the load began."""

    at: float
    fault: str


def plan(seed: int, seconds: float, names: Collection[str], brokers: int) -> list[Strike]:
    """What strikes while a load of so many seconds runs, in order of time.

    Every fault strikes at least once where `time_needed` says that there is time; nothing strikes so late that it would last longer than
    the load.

    Args:
        names: of faults; `all` stands for each that makes sense with so many brokers.

    Raises:
        UnknownFault: a name that is none, or that makes no sense with so many brokers.
    """
    chosen = choose(names, brokers)
    return sorted(strike for kind in Kind for strike in _of_one_kind(seed, seconds, [fault for fault in chosen if fault.kind is kind]))


def choose(names: Collection[str], brokers: int) -> list[type[Fault]]:
    """The faults of these names, in the order of the table. Raises UnknownFault as `plan`."""
    fitting = {name: fault for name, fault in FAULTS.items() if brokers in fault.brokers}
    if unknown := set(names) - fitting.keys() - {ALL}:
        raise UnknownFault(f"{', '.join(sorted(unknown))}: not among those for {brokers} brokers: {', '.join(fitting)}")
    return [fault for name, fault in fitting.items() if ALL in names or name in names]


def time_needed(faults: Sequence[type[Fault]]) -> float:
    """Seconds within which each of them has struck once: as long as the kind that takes longest."""
    return LEAD + max(sum(fault.lasts + LEAST_BREATH for fault in faults if fault.kind is kind) for kind in Kind) + 0.1


def _of_one_kind(seed: int, seconds: float, faults: Sequence[type[Fault]]) -> Iterator[Strike]:
    random = Random(f"{seed}/{faults[0].kind}" if faults else "")
    once = sum(fault.lasts for fault in faults)
    at, is_first = LEAD, True
    while any(seconds - fault.lasts >= at + LEAST_BREATH for fault in faults):
        left = seconds - at - once
        # once through as tightly as needed; after that with all the peace there is
        peace = min(BREATH * len(faults), left) if is_first or left > 0 else BREATH * len(faults)
        breaths = _spread(random, max(peace, LEAST_BREATH * len(faults)), len(faults))
        for fault, breath in zip(random.sample(faults, len(faults)), breaths, strict=True):
            start = min(at + breath, seconds - fault.lasts)
            if start >= at + LEAST_BREATH:
                yield Strike(round(start, 3), fault.name)
                at = start + fault.lasts
        is_first = False


def _spread(random: Random, total: float, count: int) -> list[float]:
    """So many spans that make the total, none shorter than LEAST_BREATH."""
    weights = [random.random() + 0.01 for _ in range(count)]
    rest = total - LEAST_BREATH * count
    return [LEAST_BREATH + rest * weight / sum(weights) for weight in weights]
