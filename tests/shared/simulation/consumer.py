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
        self.remembered = protocol.Position()
        self.gap: protocol.Gap | None = None
        self.reported_at: datetime | None = None
        self.changed = self.asked = False
        self.stopped: str | None = None
        self.incarnation = self.database.incarnation
        self.steps = self.run()
        self.report_steps = self.report()

    def step(self) -> str:
        """Go on in the loop that applies."""
        return next(self.steps)

    def step_report(self) -> str:
        """Go on in the loop that reports."""
        return next(self.report_steps)

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
            if self.stopped or not (self.owns() or self.is_member):
                yield IDLE
            elif not self.owns():
                self.is_member, self.offset, self.gap = False, None, None
                yield "notices that it lost the partition"
            elif self.offset is None:
                yield from self.seek()
            elif not self.world.broker.start <= self.offset <= self.world.broker.end:
                self.offset = self.world.broker.start
                yield RESETS
            elif records := self.world.broker.read(self.offset, self.batch_size):
                next_off = self.offset = self.offset + len(records)
                yield POLLS
                yield from self.transaction([record for record in records if record is not None], next_off)
            else:
                yield IDLE

    def seek(self) -> Iterator[str]:
        """Begin where the database says; the source gets to hear where that is."""
        self.is_member = True
        self.incarnation = self.database.incarnation
        self.offset = self.database.state.next_off
        self.remembered = self.database.state.position
        self.asked = True
        yield SEEKS

    def transaction(self, records: Sequence[Record], next_off: int) -> Iterator[str]:
        """One polled batch, one transaction."""
        database, keys = self.database, {record.key for record in records}
        connection = self.incarnation
        while self.must_wait(connection, database.position_lock is not None and self.world.rules.position_lock):
            yield WAITS
        if connection != database.incarnation:
            yield self.meet_database_error()
            return
        database.position_lock = self
        position = database.state.position
        while self.must_wait(connection, database.replay_lock in keys and self.world.rules.parked_lock):
            yield WAITS
        parked = database.state.parked
        database.shared_locks[self] = parked & keys
        yield LOCKS
        numbered = [record.numbered for record in records]
        admission = protocol.admit(position, numbered)
        applied, dead, parked_now = self.apply([records[index] for index in admission.accepted], parked)
        yield WRITES
        if connection != database.incarnation:
            yield self.meet_database_error()
            return
        now = database.state
        database.commit(State(admission.position, next_off, now.effects + applied, now.parked | parked_now, now.dead + dead))
        database.release(self)
        self.world.consumer_commits(self)
        self.remember(admission, numbered)
        if admission.broken is not None:
            self.stopped = admission.broken.reason
            yield f"{STOPS}: {self.stopped}"
        else:
            yield COMMITS

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

    def remember(self, admission: protocol.Admission, numbered: Sequence[protocol.Numbered]) -> None:
        """After the commit: what the reports need to know."""
        self.gap = protocol.gap_after(self.gap, admission, numbered)
        self.remembered = admission.position
        self.changed = self.changed or bool(admission.accepted)
        self.asked = self.asked or admission.at_last

    def meet_database_error(self) -> str:
        """A statement failed: what this process believes may be wrong, so it seeks again."""
        self.incarnation = self.database.incarnation
        if self.world.rules.seek_after_error:
            self.offset = None
        return LOSES

    def report(self) -> Iterator[str]:
        """Say where this consumer stands, for ever."""
        while True:
            if self.stopped or self.offset is None or not self.is_report_due():
                yield IDLE
                continue
            stamp = self.world.now
            self.reported_at, self.changed, self.asked = stamp, False, False
            connection = self.incarnation
            yield STAMPS
            if connection != self.database.incarnation:
                yield self.meet_database_error()
                continue
            position = self.database.state.position if self.world.rules.reports_from_database else self.remembered
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
