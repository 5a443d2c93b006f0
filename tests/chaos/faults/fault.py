"""What a fault is: something that breaks the platform in one way, and heals what it broke before it returns.

A fault counts only if it broke something. One that found nothing to break, or whose work something else undid, is skipped.
"""

from __future__ import annotations

from enum import StrEnum
from random import Random
from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from tests.chaos.platform import Platform


class Kind(StrEnum):
    """What a fault breaks. Faults of one kind would be in each other's way: one after the other; those of several kinds meet."""

    PROCESS = "process"
    BROKER = "broker"
    DATABASE = "database"
    TOPIC = "topic"


class Skipped(Exception):
    """Nothing was broken: it cannot be had on this machine, or not at this moment. The reason goes into the report."""


class Fault(Protocol):
    """One way of breaking. What `kill` ends is started again by the platform's keeper; all else the fault heals itself."""

    name: ClassVar[str]
    """What `--faults` calls it."""
    kind: ClassVar[Kind]
    lasts: ClassVar[float]
    """Seconds that it takes, about."""
    brokers: ClassVar[frozenset[int]]
    """Sizes of the cluster for which it makes sense."""

    async def strike(self, platform: Platform, random: Random) -> str:
        """Break, heal, and say in a few words what was done.

        Raises:
            Skipped: nothing was broken.
        """


ANY_CLUSTER = frozenset({1, 3})
