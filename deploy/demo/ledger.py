"""What the players of the demo know of what they did, for the table at the end."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from deploy.demo.story import Matter


@dataclass
class Ledger:
    """Grows as the demo goes."""

    accepted: dict[str, Matter] = field(default_factory=dict)
    """Each reference that was given, with the matter that it is about."""
    first: dict[int, str] = field(default_factory=dict)
    """The reference of each matter's first message."""
    done: Counter[str] = field(default_factory=Counter)
    """How often each thing was done, by its name."""
    refused: Counter[str] = field(default_factory=Counter)
    """What was answered with a problem, by its code."""
    waits: Counter[str] = field(default_factory=Counter)
    """How often somebody had to try again, by service."""

    def accept(self, matter: Matter, reference: str) -> None:
        """A message was taken."""
        self.accepted[reference] = matter
        self.first.setdefault(matter.number, reference)
        self.done["messages"] += 1
