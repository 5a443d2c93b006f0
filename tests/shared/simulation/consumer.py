"""The consuming service: its database, its processes, and the operator's replay of parked keys.

poll -> lock the position -> admit -> apply -> commit, as in `shared/consumer.py`; beside it the reports of `shared/positions.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from shared import protocol
from tests.shared.simulation.broker import Record
from tests.shared.simulation.steps import steps_until

if TYPE_CHECKING:
    from tests.shared.simulation.world import World

IDLE: Final = "has nothing to do"
SEEKS: Final = "seeks"
RESETS: Final = "finds its offset out of range"
POLLS: Final = "polls"
WAITS: Final = "waits for a row lock"
LOCKS: Final = "locks its position"
WRITES: Final = "writes"
COMMITS: Final = "commits"
STOPS: Final = "stops the partition"
LOSES: Final = "loses its transaction"
STAMPS: Final = "stamps a report"
REPORTS: Final = "reports"
READS_PARKED: Final = "reads the parked events"


STOP_RETRY: Final = timedelta(seconds=30)
"""A stopped partition is tried again after so long; it stops again while the reason is still there."""


@dataclass(frozen=True)
class State:
    """What is committed in a consumer's database."""

    position: protocol.Position = field(default_factory=protocol.Position)
    next_off: int = 0
    effects: tuple[Record, ...] = ()
    parked: frozenset[str] = frozenset()
    dead: tuple[Record, ...] = ()


@dataclass(eq=False)
class ConsumerDatabase:
    """State, the history that a set-back may return to, and the row locks of the transactions in flight."""

    state: State = State()
    history: list[State] = field(default_factory=list)
    incarnation: int = 0
    """Raised when the server goes down: every connection of before is dead."""
    position_lock: object | None = None
    shared_locks: dict[object, frozenset[str]] = field(default_factory=dict)
    """Parked keys held FOR SHARE, by transaction."""
    replay_lock: str | None = None
    """The parked key that a replay holds FOR UPDATE."""
    was_set_back: bool = False

    def commit(self, state: State) -> None:
        """Make a state durable."""
        self.history.append(self.state)
        self.state = state

    def set_back(self, index: int) -> None:
        """An older state is the present one: a lost commit, or an old backup. Transactions in flight and connections are gone."""
        self.state = self.history[index]
        del self.history[index:]
        self.was_set_back = True
        self.incarnation += 1
        self.position_lock, self.replay_lock = None, None
        self.shared_locks.clear()

    def release(self, holder: object) -> None:
        """End a transaction."""
        if self.position_lock is holder:
            self.position_lock = None
        self.shared_locks.pop(holder, None)


class Consumer:
    """One process of a consuming service. Several of one service share its database."""

    def __init__(self, world: World, service: str, name: str, database: ConsumerDatabase, batch_size: int = 2) -> None:
        self.world = world
        self.service = service
        self.name = name
        self.database = database
        self.batch_size = batch_size
        self.is_member = False
        self.start()

    def start(self) -> None:
        """A new process: nothing in memory."""
        self.offset: int | None = None
        self.next_off = 0
        self.remembered = protocol.Position()
        self.gap: protocol.Gap | None = None
        self.reported_at: datetime | None = None
        self.changed = self.asked = False
        self.stopped: str | None = None
        self.stopped_at = self.world.now
        self.incarnation = self.database.incarnation
        self.steps = self.run()
        self.report_steps = self.report()

    def step(self) -> str:
        """Go on in the loop that applies."""
        what = next(self.steps)
        self.world.said(self.name, what)
        return what

    def step_report(self) -> str:
        """Go on in the loop that reports."""
        what = next(self.report_steps)
        self.world.said(self.name, what)
        return what

    def until(self, what: str) -> None:
        """Go on in the loop that applies until it has done that."""
        steps_until(self.step, what)

    def until_report(self, what: str) -> None:
        """Go on in the loop that reports until it has done that."""
        steps_until(self.step_report, what)

    def kill(self) -> None:
        """kill -9: its transaction is rolled back."""
        self.steps.close()
        self.database.release(self)
        self.start()

    def owns(self) -> bool:
        """Whether the group has given the partition to this process."""
        return self.world.owner[self.service] is self

    def run(self) -> Iterator[str]:
        """Poll and apply for ever."""
        while True:
            if not (self.owns() or self.is_member):
                yield IDLE
            elif not self.owns():
                self.is_member, self.offset, self.gap, self.stopped = False, None, None, None
                yield "notices that it lost the partition"
            elif self.stopped and self.world.since(self.stopped_at) < STOP_RETRY:
                yield IDLE
            elif self.stopped or self.offset is None:
                yield from self.seek()
            elif not self.world.broker.start <= self.offset <= self.world.broker.end:
                self.offset = self.world.broker.start
                yield RESETS
            elif records := self.world.broker.read(self.offset, self.batch_size):
                first, self.offset = self.offset, self.offset + len(records)
                yield POLLS
                yield from self.transaction(first, records)
            else:
                yield IDLE

    def seek(self) -> Iterator[str]:
        """Begin where the database says; the source gets to hear where that is."""
        self.is_member, self.stopped = True, None
        self.incarnation = self.database.incarnation
        self.offset = self.next_off = self.database.state.next_off
        self.remembered = self.database.state.position
        self.asked = True
        yield SEEKS

    def transaction(self, first: int, polled: Sequence[Record | None]) -> Iterator[str]:
        """One polled batch, whose first record has that offset: one transaction."""
        database, rules, connection = self.database, self.world.rules, self.incarnation
        records = [record for record in polled if record is not None]
        keys = {record.key for record in records}
        while self.must_wait(connection, database.position_lock is not None and rules.position_lock):
            yield WAITS
        if self.has_moved(connection):
            yield self.seek_again()
            return
        database.position_lock = self
        position = database.state.position
        while self.must_wait(connection, database.replay_lock in keys and rules.parked_lock):
            yield WAITS
        parked = database.state.parked
        database.shared_locks[self] = parked & keys
        yield LOCKS
        admission = protocol.admit(position, [record.numbered for record in records])
        applied, dead, parked_now = self.apply([records[index] for index in admission.accepted], parked)
        yield WRITES
        if connection != database.incarnation:
            yield self.seek_again()
            return
        now, next_off = database.state, self.next_off_after(first, polled, admission)
        database.commit(State(admission.position, next_off, now.effects + applied, now.parked | parked_now, now.dead + dead))
        database.release(self)
        self.world.consumer_commits(self)
        self.remember(admission, records, next_off)
        yield COMMITS if self.stopped is None else f"{STOPS}: {self.stopped}"

    def next_off_after(self, first: int, polled: Sequence[Record | None], admission: protocol.Admission) -> int:
        """Where to read on; a record that breaks the chain is met again."""
        if admission.broken is None:
            return first + len(polled)
        return first + next(index for index, record in enumerate(polled) if record and record.seq == admission.broken.seq)

    def has_moved(self, connection: int) -> bool:
        """Whether the database is another one than this process thought: a dead connection, or a position that somebody else moved."""
        if connection != self.database.incarnation:
            return True
        return self.world.rules.seek_after_error and self.database.state.next_off != self.next_off

    def must_wait(self, connection: int, is_locked: bool) -> bool:
        """Whether a row lock keeps the transaction; a dead connection ends the wait."""
        return is_locked and connection == self.database.incarnation

    def apply(self, records: Sequence[Record], parked: frozenset[str]) -> tuple[tuple[Record, ...], tuple[Record, ...], frozenset[str]]:
        """What the handler does: effects, except for parked keys; a poison event parks its key."""
        applied: list[Record] = []
        dead: list[Record] = []
        keys = set(parked)
        for record in records:
            if record.key in keys or (record.event_id in self.world.poison and not record.is_filler):
                keys.add(record.key)
                dead.append(record)
            elif not record.is_filler:
                applied.append(record)
        return tuple(applied), tuple(dead), frozenset(keys) - parked

    def remember(self, admission: protocol.Admission, records: Sequence[Record], next_off: int) -> None:
        """After the commit: what the reports need to know."""
        self.gap = protocol.gap_after(self.gap, admission, [record.numbered for record in records])
        self.remembered, self.next_off = admission.position, next_off
        self.changed = self.changed or bool(admission.accepted)
        self.asked = self.asked or admission.at_last
        if admission.broken is not None:
            self.stopped, self.stopped_at = admission.broken.reason, self.world.now

    def seek_again(self) -> str:
        """A statement failed, or found another position: what this process believes is wrong."""
        self.database.release(self)
        self.notice()
        return LOSES

    def notice(self) -> None:
        """Begin again where the database says, before anything else is polled."""
        self.incarnation = self.database.incarnation
        if self.world.rules.seek_after_error:
            self.offset = None

    def report(self) -> Iterator[str]:
        """Say where this consumer stands, for ever."""
        database, rules = self.database, self.world.rules
        while True:
            if self.stopped or self.offset is None or not self.is_report_due():
                yield IDLE
                continue
            stamp, connection = self.world.now, self.incarnation
            self.reported_at, self.changed, self.asked = stamp, False, False
            yield STAMPS
            if connection != database.incarnation:
                self.notice()
                yield LOSES
                continue
            if database.position_lock is not self and self.has_moved(connection):
                self.notice()
            position = database.state.position if rules.reports_from_database else self.remembered
            expected = protocol.expected_number(position, self.gap)
            self.world.reports.append((self.service, protocol.Report(position.last_seq, position.last_id, expected, stamp)))
            yield f"{REPORTS} {position.last_seq}" + (f", expects {expected}" if expected else "")

    def is_report_due(self) -> bool:
        """Whether the source is to hear from this process now."""
        since: timedelta | None = None if self.reported_at is None else self.world.now - self.reported_at
        gap = protocol.expected_number(self.remembered, self.gap) is not None
        return protocol.report_due(since_report=since, changed=self.changed, asked=self.asked, gap=gap)


@dataclass(eq=False)
class Replay:
    """The operator's replay of one parked key, once the handler has been repaired."""

    world: World
    database: ConsumerDatabase

    def run(self, key: str) -> Iterator[str]:
        """Lock the parked key before reading its events, run them in order, unpark, commit."""
        database, rules = self.database, self.world.rules
        incarnation = database.incarnation
        while rules.parked_lock and any(key in held for held in database.shared_locks.values()):
            yield WAITS
        if key not in database.state.parked or database.incarnation != incarnation:
            return
        database.replay_lock = key
        events = tuple(record for record in database.state.dead if record.key == key)
        yield f"{READS_PARKED} of {key}"
        if database.incarnation != incarnation:
            return
        state = database.state
        rest = tuple(record for record in state.dead if record not in events)
        database.commit(replace(state, effects=state.effects + events, dead=rest, parked=state.parked - {key}))
        database.replay_lock = None
        yield f"replays and unparks {key}"
