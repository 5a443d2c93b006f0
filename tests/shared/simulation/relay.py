"""A relay process: one transaction per round, each step of it a place where it may be killed or lose its database.

own -> check the tail -> apply nacks -> read -> send -> await -> advance -> commit, as in `shared/relay.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from shared import protocol
from tests.shared.simulation.broker import Batch, Flight, Record

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
LONG: Final = timedelta(days=1)


class ConnectionLost(Exception):
    """The transaction is gone: somebody else holds the cursor row, or nobody."""


class Relay:
    """One process. ``batch_size`` rows travel together at most."""

    def __init__(self, world: World, name: str, batch_size: int = 2) -> None:
        self.world = world
        self.name = name
        self.batch_size = batch_size
        self.start()

    def start(self) -> None:
        """A new process: it trusts nothing until it has seen the broker's tail."""
        self.must_check = True
        self.rewound: dict[int, datetime] = {}
        self.batch: Batch | None = None
        self.steps = self.run()

    def step(self) -> str:
        """Go on to the next place where something may happen."""
        return next(self.steps)

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

    def run(self) -> Iterator[str]:
        """Rounds for ever."""
        while True:
            if not self.may_own():
                yield IDLE
                continue
            try:
                yield from self.round()
            except ConnectionLost:
                self.must_check = True
                yield CUT_OFF

    def may_own(self) -> bool:
        """There is work in the log, nobody holds it, and it has not been stopped."""
        source, now = self.world.source, self.world.now
        if source.cursor_lock is not None or source.stopped:
            return False
        unchecked = source.checked_at is None or now - source.checked_at >= protocol.QUIET
        nacked = any(protocol.rewind(source.cursor, source.floor, nack) < source.cursor for nack in self.nacks())
        return source.head > source.cursor or unchecked or nacked

    def round(self) -> Iterator[str]:
        """One transaction on the log."""
        source = self.world.source
        source.cursor_lock = self
        newly_owned, quiet_for, cursor = source.owner != self.name, self.quiet_for(), source.cursor
        yield OWNS
        check = protocol.tail_check_due(newly_owned=newly_owned, after_error=self.must_check, quiet_for=quiet_for)
        if check:
            tail = self.world.broker.tail()
            yield READS_TAIL
            self.assert_connected()
            # the head is read after the tail: what the broker holds was committed before it was sent
            checked = protocol.check_tail(cursor, source.head, tail, source.id_of(tail.seq))
            if isinstance(checked, protocol.HistoryMismatch):
                yield self.stop(checked.reason)
                return
            cursor = checked
            self.must_check = False
        self.assert_connected()
        impossible = protocol.check_known(source.last_seqs(), source.head)
        if impossible is not None:
            yield self.stop(impossible.reason)
            return
        for nack in self.nacks():
            rewound = protocol.rewind(cursor, source.floor, nack)
            if rewound != cursor:
                self.rewound[nack.expected] = self.world.now
            cursor = rewound
        cursor = protocol.read_after(cursor, source.floor)
        rows = source.after(cursor, self.batch_size)
        count = protocol.sendable(cursor, [row.seq for row in rows])
        if isinstance(count, protocol.OutboxHole):
            yield self.stop(f"row {count.expected} is missing, the next is {count.found}")
            return
        sent = rows[:count]
        if not sent and self.heartbeat_due(cursor, quiet_for):
            sent = [source.rows[source.head]]
        yield READS_ROWS
        if sent:
            yield from self.deliver(sent, cursor)
        else:
            self.commit(cursor, sent=False, checked=check)
            yield COMMITS

    def deliver(self, rows: Sequence[Record], cursor: int) -> Iterator[str]:
        """Send one batch, wait for the broker, commit what it acknowledged."""
        self.world.relay_sends(rows)
        self.batch = self.world.broker.send(rows)
        yield SENDS
        while self.batch.flight in (Flight.FLYING, Flight.LANDED):
            yield WAITS
        acknowledged = self.batch.flight is Flight.ACKNOWLEDGED
        yield ACKNOWLEDGED if acknowledged else FAILED
        self.must_check = self.must_check or not acknowledged
        self.batch = None
        self.commit(protocol.advance(cursor, rows[-1].seq, acknowledged=acknowledged), sent=acknowledged, checked=True)
        yield COMMITS

    def commit(self, cursor: int, *, sent: bool, checked: bool) -> None:
        """End the round's transaction."""
        self.assert_connected()
        source, now = self.world.source, self.world.now
        self.world.cursor_moves(source.cursor, cursor)
        source.cursor, source.owner = cursor, self.name
        if sent:
            source.sent_at = now
        if checked or source.checked_at is None:
            source.checked_at = now
        source.cursor_lock = None

    def stop(self, reason: str) -> str:
        """Stop the log, loudly."""
        self.world.source.stopped = reason
        self.world.source.cursor_lock = None
        return f"{STOPS}: {reason}"

    def nacks(self) -> list[protocol.Nack]:
        """What the consumers' newest reports miss."""
        now, known = self.world.now, self.world.source.known.values()
        return [
            protocol.Nack(report.expected, now - report.stamp, self.since(report.expected))
            for report in known
            if report.expected is not None
        ]

    def since(self, expected: int) -> timedelta | None:
        """Time since this process rewound the log to that number."""
        at = self.rewound.get(expected)
        return None if at is None else self.world.now - at

    def quiet_for(self) -> timedelta:
        """Time since the log sent anything."""
        sent_at = self.world.source.sent_at
        return LONG if sent_at is None else self.world.now - sent_at

    def heartbeat_due(self, cursor: int, quiet_for: timedelta) -> bool:
        """Whether somebody may lack something that a quiet log would hide."""
        source = self.world.source
        return protocol.heartbeat_due(cursor=cursor, head=source.head, floor=source.floor, known=source.last_seqs(), quiet_for=quiet_for)

    def assert_connected(self) -> None:
        """Any statement finds out that the connection is dead."""
        if self.world.source.cursor_lock is not self:
            raise ConnectionLost
