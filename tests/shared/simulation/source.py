"""The producing service's database: the outbox as a log, and the rows of head, cursor, floor and known beside it."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from shared import protocol
from tests.shared.simulation.broker import Record

if TYPE_CHECKING:
    from tests.shared.simulation.world import World


@dataclass
class Source:
    """What is committed. Transactions in flight are the actors' business, except for the row locks."""

    rows: dict[int, Record] = field(default_factory=dict)
    head: int = 0
    head_id: UUID | None = None
    epoch: int = 1
    cursor: int = 0
    floor: int = 0
    owner: str | None = None
    owned_at: datetime | None = None
    sent_at: datetime | None = None
    checked_at: datetime | None = None
    known: dict[str, protocol.Report] = field(default_factory=dict)
    heard_at: dict[str, datetime] = field(default_factory=dict)
    rewound: dict[str, tuple[int, datetime]] = field(default_factory=dict)
    """By consumer: the number that it last rewound the log to, and when."""
    accepted: list[Record] = field(default_factory=list)
    """Every event of this history, also those whose rows have been dropped."""

    stopped: str | None = None
    """Why the log was stopped; None while it runs. Kept in memory and in readiness, so it is not part of a backup."""
    head_lock: object | None = None
    cursor_lock: object | None = None

    def after(self, seq: int, limit: int) -> list[Record]:
        """The rows with higher numbers, ascending. A hole does not end them."""
        return [self.rows[number] for number in sorted(self.rows) if number > seq][:limit]

    def id_of(self, seq: int | None) -> UUID | None:
        """Event id of the row with that number; None when it is dropped or was never there."""
        row = None if seq is None else self.rows.get(seq)
        return None if row is None else row.event_id

    def insert(self, row: Record) -> None:
        """Commit a row and the head that gave it its number."""
        self.rows[row.seq] = row
        if row.seq > self.head:
            self.head, self.head_id = row.seq, row.event_id

    def hear(self, consumer: str, report: protocol.Report, now: datetime) -> None:
        """A report has arrived."""
        self.known[consumer], self.heard_at[consumer] = protocol.newest(self.known.get(consumer), report), now

    def last_seqs(self) -> list[int]:
        """Where each consumer was last known to stand."""
        return [report.last_seq for report in self.known.values()]

    def below_floor(self) -> list[str]:
        """The consumers for which the alarm is on: only the topic may still hold what they miss."""
        return [name for name, report in self.known.items() if protocol.is_below_floor(report.last_seq, self.floor)]

    def backup(self) -> Source:
        """A copy, as a dump would hold it."""
        copies = {name: copy(getattr(self, name)) for name in ("rows", "accepted", "known", "heard_at", "rewound")}
        return replace(self, **copies, stopped=None, head_lock=None, cursor_lock=None)


@dataclass(eq=False)
class Append:
    """One producer: transactions that each append one event to the log, locking the head last."""

    world: World
    name: str = "producer"
    holds: bool = False

    def transaction(self, key: str, *, commits: bool = True) -> Iterator[str]:
        """Take the next number under the head's lock, insert, commit (or roll back, which gives the number back)."""
        source, rules = self.world.source, self.world.rules
        while source.head_lock is not None and rules.head_lock:
            yield "waits for the head"
        if source.stopped:
            yield "is refused: the log is stopped"
            return
        source.head_lock = self
        if rules.head_lock:
            seq, previous = source.head + 1, source.head_id
        else:
            # an identity column: numbers are handed out before COMMIT, in any order of commits
            self.world.identity += 1
            seq, previous = self.world.identity, source.head_id
        yield f"takes number {seq}"
        source.head_lock = None
        if commits and self.world.source is source:
            self.world.commit_row(seq, key, previous)
            yield f"commits {seq}"
        else:
            yield f"rolls {seq} back"


def drop_days(world: World, upto: int) -> Iterator[str]:
    """Retention of the outbox: raise the floor, in a transaction of its own under the cursor row's lock; then drop the rows."""
    source = world.source
    while source.cursor_lock is not None:
        yield "waits for the cursor row"
    # a day is a week old before it may go; a restore is noticed within a minute
    is_young = not world.must_be_exact and upto > world.restored_head
    if source.stopped or is_young or upto <= source.floor or upto > source.head:
        return
    last_seqs = source.last_seqs()
    all_heard = all(seq >= source.head for seq in last_seqs)
    if not protocol.droppable(upto, last_seqs, all_heard=all_heard, holds_head=upto == source.head):
        return
    source.floor = upto
    yield f"raises the floor to {upto}"
    for seq in [number for number in source.rows if number <= source.floor]:
        del source.rows[seq]
    yield f"drops the rows up to {source.floor}"
