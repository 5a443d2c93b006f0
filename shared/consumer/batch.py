"""One polled batch, one database transaction: lock the positions, admit, park what must be parked, save the positions, call the handler.

A batch that fails for a reason of its own is halved until the records that fail are alone; those are parked with their keys. Every half is
a transaction of its own, so no lock of one record is held while the next one's are taken. What fails because the database is away is
not the records' fault: the error leaves, and the caller seeks and polls again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

from shared import dead_letter, protocol, telemetry
from shared.consumer import positions
from shared.consumer.positions import Stand
from shared.consumer.received import Arrived, Handle, Received, is_unknown
from shared.database import Database, Transaction, is_transient
from shared.dead_letter import Letter
from shared.errors import Unavailable
from shared.outbox import Log
from shared.protocol import Admission, Breaker, Numbered

_log = telemetry.logger()


class PositionMoved(Exception):
    """Somebody else moved the position of a log since it was read: another owner, or an operator. Seek again."""


class BreakerOpened(Exception):
    """So many records of a log fail that the code, not the records, must be wrong: nothing more of it is parked."""

    def __init__(self, log: Log) -> None:
        super().__init__(f"too many records of {log[0]}/{log[1]} fail")
        self.log = log


class Remembered(Protocol):
    """What the process remembers of a log."""

    next_off: int
    breaker: Breaker


@dataclass(frozen=True)
class Polled:
    """The records of one poll, ordered by log and offset, and the offset after each log's last one, whoever's that was."""

    arrived: tuple[Arrived, ...]
    next_offs: Mapping[Log, int]

    @property
    def by_log(self) -> dict[Log, list[Arrived]]:
        """The records of each log; a log with records of others only has none."""
        found: dict[Log, list[Arrived]] = {log: [] for log in self.next_offs}
        for arrived in self.arrived:
            found[arrived.record.log].append(arrived)
        return found

    def halves(self) -> tuple[Polled, Polled]:
        """The first and the second half; a log that is cut goes on in the second where the first ended."""
        middle = len(self.arrived) // 2
        first, second = self.arrived[:middle], self.arrived[middle:]
        cut = {arrived.record.log for arrived in second}
        ends = {arrived.record.log: arrived.record.offset + 1 for arrived in first}
        # a log without records of ours ends with the first half
        first_offs = {
            log: ends.get(log, off) if log in cut else off for log, off in self.next_offs.items() if log in ends or log not in cut
        }
        return Polled(first, first_offs), Polled(second, {log: off for log, off in self.next_offs.items() if log in cut})

    def without(self, log: Log) -> Polled:
        """The records of the other logs."""
        others = tuple(arrived for arrived in self.arrived if arrived.record.log != log)
        return Polled(others, {each: off for each, off in self.next_offs.items() if each != log})


@dataclass(frozen=True)
class Committed:
    """What became of the records of one log in a committed transaction."""

    log: Log
    admission: Admission
    records: Sequence[Numbered]
    next_off: int
    breaker: Breaker
    applied: int
    parked: int
    unknown: int


class Batches:
    """Applies batches to one database with one handler."""

    def __init__(self, database: Database, handle: Handle, committed: Callable[[Committed], None]) -> None:
        """`committed` hears of each log after each COMMIT."""
        self._database = database
        self._handle = handle
        self._committed = committed

    async def apply(self, polled: Polled, logs: Mapping[Log, Remembered]) -> None:
        """Apply a batch.

        Args:
            logs: what this process remembers; `committed` must keep it up to date.

        Raises:
            PositionMoved: seek again.
            BreakerOpened: the first record of that log in the batch must not be parked; what came before it is applied.
        """
        try:
            await self._transaction(polled, logs, None)
        except Exception as error:
            if is_waited_out(error) or (isinstance(error, BreakerOpened) and len(polled.arrived) == 1):
                raise
            if len(polled.arrived) > 1:
                for half in polled.halves():
                    await self.apply(half, logs)
            else:
                await self._transaction(polled, logs, error)

    async def _transaction(self, polled: Polled, logs: Mapping[Log, Remembered], error: Exception | None) -> None:
        async with self._database.transaction() as tx:
            stands = await positions.lock(tx, polled.next_offs)
            if any(stands[log].next_off != logs[log].next_off for log in polled.next_offs):
                raise PositionMoved
            admitted = _Admitted.of(polled, stands)
            await admitted.sort(tx, error)
            results = [admitted.result(log, logs[log].breaker) for log in polled.next_offs]
            await dead_letter.park(tx, admitted.letters)
            await positions.save(tx, {result.log: _stand(result) for result in results})
            if admitted.ready:
                with telemetry.trace(_traceparent(admitted)):
                    await self._handle(tx, admitted.ready)
        for result in results:
            self._committed(result)


def is_waited_out(error: BaseException) -> bool:
    """Whether the records are not to blame: the database is away, or our own log takes no events until an operator has resumed it."""
    return is_transient(error) or isinstance(error, Unavailable | PositionMoved)


@dataclass
class _Admitted:
    """The records of a batch by what becomes of them."""

    by_log: Mapping[Log, Sequence[Arrived]]
    admissions: Mapping[Log, Admission]
    next_offs: Mapping[Log, int]
    ready: list[Received]
    letters: list[Letter]
    outcomes: dict[Log, list[bool]]
    """Of each log, in order: whether a record failed by itself. Skipped ones, and those behind a parked key, say nothing."""
    unknown: dict[Log, int]

    @classmethod
    def of(cls, polled: Polled, stands: Mapping[Log, Stand]) -> _Admitted:
        by_log = polled.by_log
        admissions = {
            log: protocol.admit(stands[log].position, [arrived.record.numbered for arrived in found]) for log, found in by_log.items()
        }
        return cls(by_log, admissions, polled.next_offs, [], [], {log: [] for log in by_log}, dict.fromkeys(by_log, 0))

    @property
    def accepted(self) -> Iterable[Arrived]:
        return (self.by_log[log][index] for log, admission in self.admissions.items() for index in admission.accepted)

    async def sort(self, tx: Transaction, error: Exception | None) -> None:
        """Put each accepted record where it belongs; `error` is what the handler said to the only one."""
        parked = await dead_letter.parked_keys(tx, {(*arrived.record.log, arrived.record.key) for arrived in self.accepted})
        for arrived in self.accepted:
            record, failure = arrived.record, arrived.error or error
            key = (*record.log, record.key)
            if arrived.received is None and arrived.error is None:
                self.unknown[record.log] += is_unknown(arrived)
            elif key in parked:
                self.letters.append(Letter(record, None))
            elif failure is not None:
                parked.add(key)
                self.letters.append(Letter(record, failure))
                self.outcomes[record.log].append(True)
            elif arrived.received is not None:
                self.ready.append(arrived.received)
                self.outcomes[record.log].append(False)

    def result(self, log: Log, breaker: Breaker) -> Committed:
        """What is to be remembered of a log. Raises BreakerOpened."""
        failed = self.outcomes[log]
        for is_bad, run in groupby(failed):
            count = len(list(run))
            breaker = breaker.after(bad=count) if is_bad else breaker.after(good=count)
            if is_bad and breaker.is_open:
                raise BreakerOpened(log)
        admission, records = self.admissions[log], self.by_log[log]
        next_off = self.next_offs[log]
        if admission.broken is not None:
            next_off = next(arrived.record.offset for arrived in records if arrived.record.seq == admission.broken.seq)
        return Committed(
            log,
            admission,
            [arrived.record.numbered for arrived in records],
            next_off,
            breaker,
            applied=failed.count(False),
            parked=sum(letter.record.log == log for letter in self.letters),
            unknown=self.unknown[log],
        )


def _stand(result: Committed) -> Stand:
    broken = result.admission.broken
    return Stand(result.admission.position, result.next_off, None if broken is None else broken.reason)


def _traceparent(admitted: _Admitted) -> str | None:
    """The trace that all records of the batch belong to, if they do."""
    found: str | None = None
    for number, arrived in enumerate(admitted.accepted):
        parent = arrived.record.headers.get("traceparent")
        if number and parent != found:
            return None
        found = parent
    return found
