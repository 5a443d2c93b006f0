"""What the outside world was promised: only what was acknowledged counts as such. The rest of the harness compares the platform with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Entry:
    """One request. It was acknowledged if ``reference`` is there; otherwise it may or may not have been accepted."""

    number: int
    key: str
    """Idempotency-Key."""
    body: Mapping[str, Any]
    kind: str
    """What the story means it to be: new, reply, product, talk."""
    customer: int
    opens: bool
    """Whether it must open a ticket of its own."""
    joins: str | None = None
    """The reference of the request whose ticket it must join."""
    first_sent: float = 0.0
    acked_at: float = 0.0
    attempts: int = 0
    reference: str | None = None
    request_id: str | None = None
    answer: bytes = b""

    @property
    def is_acknowledged(self) -> bool:
        return self.reference is not None


@dataclass(frozen=True, slots=True)
class Action:
    """An acknowledged action on a ticket."""

    number: str
    """The ticket's."""
    action: str
    version: int
    """Of the ticket afterwards."""


@dataclass(frozen=True, slots=True)
class Given:
    """An acknowledged answer to a survey."""

    answers: Mapping[str, Any]


@dataclass
class Ledger:
    """Grows with the run."""

    entries: dict[int, Entry] = field(default_factory=dict)
    by_reference: dict[str, Entry] = field(default_factory=dict)
    actions: list[Action] = field(default_factory=list)
    unanswered: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(ticket, action) of actions whose caller lost patience: each may have happened or not."""
    answers: dict[str, Given] = field(default_factory=dict)
    """First acknowledged answer by token."""
    unseen_answers: int = 0
    """Answers to surveys whose sender lost patience: each may have been kept or not."""
    reopened: set[tuple[str, int]] = field(default_factory=set)
    """(ticket, episode) of each resolution that a customer's acknowledged message called into question."""
    marked: set[int] = field(default_factory=set)
    """Entries that handlers are to refuse."""
    done: Counter[str] = field(default_factory=Counter)
    """How often each thing was done, for the report."""
    wrong: list[str] = field(default_factory=list)
    """What the platform answered and must not have: each is a difference."""
    latencies: list[float] = field(default_factory=list)
    """Seconds from the intended send time to the acknowledgement."""
    outbox_lags: list[float] = field(default_factory=list)
    """Ages in seconds of the oldest unsent event, looked at again and again while nothing was broken."""

    def acknowledge(self, entry: Entry, answer: Mapping[str, Any], raw: bytes, at: float) -> None:
        """A 202 was seen."""
        entry.reference, entry.request_id, entry.answer, entry.acked_at = answer["reference"], answer["request_id"], raw, at
        if (other := self.by_reference.setdefault(answer["reference"], entry)) is not entry:
            self.wrong.append(f"the reference {entry.reference} was given to entry {other.number} and to entry {entry.number}")

    def give_up(self, what: str) -> None:
        """Nobody answered long after the last fault had healed: a platform that does not serve is no better than one that loses."""
        self.done["given up"] += 1
        self.wrong.append(f"{what} was not answered, however often it was sent")

    @property
    def acknowledged(self) -> Iterator[Entry]:
        """In order of their numbers."""
        return (entry for entry in self.entries.values() if entry.is_acknowledged)

    def root_of(self, entry: Entry) -> Entry:
        """The acknowledged request that opened the ticket which this one must be on."""
        while entry.joins is not None:
            entry = self.by_reference[entry.joins]
        return entry
