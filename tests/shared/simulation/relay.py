"""A relay process: one transaction per round, each step of it a place where it may be killed or lose its database.

own -> check the tail -> apply nacks -> read -> send -> await -> advance -> commit, as in `shared/relay.py`.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from shared import protocol
from tests.shared.simulation.broker import Batch, Flight, Record
from tests.shared.simulation.steps import steps_until

if TYPE_CHECKING:
    from tests.shared.simulation.world import World

IDLE: Final = "has nothing to do"
OWNS: Final = "owns the log"
READS_TAIL: Final = "reads the tail"
READS_ROWS: Final = "reads the rows"
SENDS: Final = "sends"
WAITS: Final = "waits for the acknowledgement"
ACKNOWLEDGED: Final = "gets the acknowledgement"
FAILED: Final = "send failed"
COMMITS: Final = "commits"
STOPS: Final = "stops the log"
CUT_OFF: Final = "finds its database connection dead"
LEASE: Final = timedelta(seconds=5)
"""After so long without a round of its owner, a log may be taken by another relay."""


class ConnectionLost(Exception):
    """The transaction is gone: somebody else holds the cursor row, or nobody."""


class Stopped(Exception):
    """The log must not go on; the reason says why."""


class Relay:
    """One process. ``batch_size`` rows travel together at most."""

    def __init__(self, world: World, place: str, batch_size: int = 2) -> None:
        self.world = world
        self.place = place
        self.batch_size = batch_size
        self.starts = 0
        self.start()

    def start(self) -> None:
        """A new process under a new name: it trusts nothing until it has seen the broker's tail."""
        self.starts += 1
        self.name = f"{self.place}.{self.starts}"
        self.is_checked = False
        self.batch: Batch | None = None
        self.steps = self.run()

    def step(self) -> str:
        """Go on to the next place where something may happen."""
        what = next(self.steps)
        self.world.said(self.place, what)
        return what

    def until(self, what: str) -> None:
        """Go on until it has done that."""
        steps_until(self.step, what)

    def kill(self) -> None:
        """kill -9: the row lock is freed at once, a batch that was sent stays in the network."""
        self.steps.close()
        self.lose_database()
        if self.batch is not None and self.batch in self.world.broker.network:
            self.world.broker.orphan(self.batch)
        self.start()

    def lose_database(self) -> None:
        """Its database connection breaks; the process lives on and has not noticed (a zombie)."""
        if self.world.source.cursor_lock is self:
            self.world.source.cursor_lock = None

    def run(self) -> Generator[str, None, None]:
        """Rounds for ever."""
        while True:
            if not self.may_own():
                yield IDLE
                continue
            try:
                yield from self.round()
            except ConnectionLost:
                self.is_checked = False
                yield CUT_OFF
            except Stopped as stopped:
                yield self.stop_log(str(stopped))

    def may_own(self) -> bool:
        """There is work in the log, nobody holds or leases it, and it has not been stopped."""
        source = self.world.source
        if source.cursor_lock is not None or source.stopped:
            return False
        is_mine = source.owner in (self.name, None) or self.world.since(source.owned_at) > LEASE
        has_rows, is_unchecked = source.head > source.cursor, self.world.since(source.checked_at) > protocol.QUIET
        return is_mine and (has_rows or is_unchecked or self.is_nacked())

    def is_nacked(self) -> bool:
        """Whether a consumer misses something that the cursor has passed."""
        source = self.world.source
        return any(protocol.rewind(source.cursor, source.floor, nack) < source.cursor for nack in self.nacks().values())

    def round(self) -> Generator[str, None, None]:
        """One transaction on the log."""
        source = self.world.source
        source.cursor_lock = self
        tail, cursor = None, source.cursor
        yield OWNS
        if self.is_tail_check_due():
            tail = self.world.broker.tail()
            yield READS_TAIL
        self.assert_connected()
        cursor = protocol.read_after(self.rewind(self.check_history(cursor, tail)), source.floor)
        rows = self.read(cursor) or self.heartbeat(cursor)
        yield READS_ROWS
        acknowledged = False
        if rows:
            acknowledged = yield from self.deliver(rows)
            cursor = protocol.advance(cursor, max(cursor, rows[-1].seq), acknowledged=acknowledged)
        self.commit(cursor, sent=acknowledged, checked=tail is not None)
        self.is_checked = acknowledged if rows else True
        yield COMMITS

    def is_tail_check_due(self) -> bool:
        """Whether the broker must be asked again before anything is sent."""
        source = self.world.source
        quiet_for = self.world.since(source.checked_at)
        return protocol.tail_check_due(newly_owned=source.owner != self.name, after_error=not self.is_checked, quiet_for=quiet_for)

    def check_history(self, cursor: int, tail: protocol.Tail | None) -> int:
        """The cursor lowered to the tail. The head is read after the tail: what the broker holds was committed before it was sent."""
        source = self.world.source
        checked = cursor if tail is None else protocol.check_tail(cursor, source.head, tail, source.id_of(tail.seq))
        known = [(report.last_seq, report.last_id) for report in source.known.values()]
        verdict = protocol.check_known(known, source.head, source.head_id) or checked
        if isinstance(verdict, protocol.HistoryMismatch):
            raise Stopped(verdict.reason)
        return verdict

    def rewind(self, cursor: int) -> int:
        """The cursor lowered to what consumers ask for."""
        source = self.world.source
        for consumer, nack in self.nacks().items():
            lowered = protocol.rewind(cursor, source.floor, nack)
            if lowered < cursor:
                source.rewound[consumer] = (nack.expected, self.world.now)
            cursor = lowered
        return cursor

    def nacks(self) -> dict[str, protocol.Nack]:
        """What the consumers' newest reports miss."""
        known, now = self.world.source.known, self.world.now
        return {
            consumer: protocol.Nack(report.expected, now - self.world.source.heard_at[consumer], self.since_rewound(report.expected))
            for consumer, report in known.items()
            if report.expected is not None
        }

    def since_rewound(self, expected: int) -> timedelta | None:
        """Time since the log was last rewound to that number."""
        times = [at for seq, at in self.world.source.rewound.values() if seq == expected]
        return self.world.now - max(times) if times else None

    def read(self, cursor: int) -> list[Record]:
        """The next rows."""
        source = self.world.source
        rows = source.after(cursor, self.batch_size)
        count = protocol.sendable(cursor, [row.seq for row in rows], source.head)
        if isinstance(count, protocol.OutboxHole):
            raise Stopped(f"row {count.expected} is missing, the next is {count.found}")
        return rows[:count]

    def heartbeat(self, cursor: int) -> list[Record]:
        """The head row once more, where somebody may lack something that a quiet log would hide."""
        source = self.world.source
        quiet_for = self.world.since(source.sent_at)
        due = protocol.heartbeat_due(cursor=cursor, head=source.head, floor=source.floor, known=source.last_seqs(), quiet_for=quiet_for)
        return [source.rows[source.head]] if due and source.head in source.rows else []

    def deliver(self, rows: Sequence[Record]) -> Generator[str, None, bool]:
        """Send one batch and wait for the broker's word."""
        self.world.relay_sends(rows)
        self.batch = self.world.broker.send(rows)
        yield SENDS
        while self.batch.flight in (Flight.FLYING, Flight.LANDED):
            yield WAITS
        acknowledged, self.batch = self.batch.flight is Flight.ACKNOWLEDGED, None
        yield ACKNOWLEDGED if acknowledged else FAILED
        return acknowledged

    def commit(self, cursor: int, *, sent: bool, checked: bool) -> None:
        """End the round's transaction."""
        self.assert_connected()
        source, now = self.world.source, self.world.now
        self.world.cursor_moves(source.cursor, cursor)
        source.cursor, source.owner, source.owned_at = cursor, self.name, now
        source.sent_at = now if sent else source.sent_at
        source.checked_at = now if sent or checked else source.checked_at
        source.cursor_lock = None

    def stop_log(self, reason: str) -> str:
        """Stop the log, loudly."""
        self.world.source.stopped = reason
        self.world.source.cursor_lock = None
        return f"{STOPS}: {reason}"

    def assert_connected(self) -> None:
        """Any statement finds out that the connection is dead."""
        if self.world.source.cursor_lock is not self:
            raise ConnectionLost
