"""The decisions of the delivery protocol, pure: what to send after which tail, what to apply, what to report as missing.

A numbered log is one (topic, partition) of a source's outbox. Kafka is treated as a channel that may lose, repeat and reorder; go-back-N
runs over it. `shared/relay/`, `shared/consumer/` and `shared/positions.py` ask these functions and do the rest; the simulation in
`tests/shared/simulation` drives the same functions through crashes and losses. The rules were model-checked together: change one only
with a test or a model that shows that the new one holds.

    seq       number of an event in its log: 1, 2, 3 ... without holes, in commit order
    head      highest number given out
    cursor    highest number that the relay knows to be in Kafka
    tail      the last record of ours that the broker really holds
    floor     highest number whose row the outbox may have dropped
    last_seq  highest number that a consumer has applied
    known     what the source last heard of a consumer's last_seq
    epoch     number of the source's history; raised when its database was restored to an older state
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple
from uuid import UUID

from shared.events.topics import PARTITIONS

QUIET: Final = timedelta(seconds=30)
"""A log that has sent nothing for so long gets its tail checked and, where a consumer lags, its head row once more."""

NACK_LIFE: Final = timedelta(seconds=60)
NACK_PAUSE: Final = timedelta(seconds=2)
"""A nack older than its life is ignored; the same number rewinds at most once in a pause."""

REPORT_CHANGED: Final = timedelta(seconds=5)
REPORT_GAP: Final = timedelta(seconds=1)
REPORT_ALWAYS: Final = timedelta(seconds=30)


# --- which log -----------------------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=16_384)
def partition_of(key: str, partitions: int = PARTITIONS) -> int:
    """The log of a key: the same as Kafka's default partitioner for keyed records."""
    return (murmur2(key.encode()) & 0x7FFFFFFF) % partitions


def murmur2(data: bytes) -> int:
    """Murmur2, 32 bits, with Kafka's seed. Source: org.apache.kafka.common.utils.Utils.murmur2."""
    mask, m, r = 0xFFFFFFFF, 0x5BD1E995, 24
    length = len(data)
    words = length // 4
    h = (0x9747B28C ^ length) & mask
    for k in struct.unpack_from(f"<{words}I", data):
        k = (k * m) & mask
        h = ((h * m) ^ ((k ^ (k >> r)) * m)) & mask
    rest = data[words * 4 :]
    if rest:
        h ^= int.from_bytes(rest, "little")
        h = (h * m) & mask
    h ^= h >> 13
    h = (h * m) & mask
    return h ^ (h >> 15)


# --- the source: what the relay sends ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tail:
    """What the broker holds at the end of a log. ``seq`` and ``event_id`` of the last record of ours, or None where there is none.

    ``end_offset`` is Kafka's: 0 means that the partition never held anything (a new topic, or everything lost); above 0 with no record of
    ours means that retention removed them, which is no evidence of loss.
    """

    end_offset: int
    seq: int | None = None
    event_id: UUID | None = None


@dataclass(frozen=True)
class HistoryMismatch:
    """The broker holds what our database does not: it was restored to an older state. The log must stop, loudly."""

    tail_seq: int
    head: int
    reason: str


@dataclass(frozen=True)
class OutboxHole:
    """The row after the cursor is missing from the outbox: somebody deleted rows. The log must stop, loudly."""

    expected: int
    found: int


@dataclass(frozen=True)
class Nack:
    """A consumer's hint: "I expect this number". It may be lost, late or repeated."""

    expected: int
    age: timedelta
    since_same: timedelta | None
    """Time since this number last rewound the log; None = never."""


def check_tail(cursor: int, head: int, tail: Tail, own_id: UUID | None) -> int | HistoryMismatch:
    """The cursor after looking at the broker: lowered to the tail, never raised (the tail may be the end of a log with a hole).

    Args:
        own_id: event id of our row with the tail's number; None when that row is dropped or was never there.
    """
    if tail.seq is None:
        return 0 if tail.end_offset == 0 else cursor
    if tail.seq > head:
        return HistoryMismatch(tail.seq, head, "the broker's last record has a number that was never given out")
    if own_id is not None and own_id != tail.event_id:
        return HistoryMismatch(tail.seq, head, "the broker's last record is not the event that has its number here")
    return min(cursor, tail.seq)


def tail_check_due(*, newly_owned: bool, after_error: bool, quiet_for: timedelta, quiet: timedelta = QUIET) -> bool:
    """Whether the broker must be asked again before anything is sent."""
    return newly_owned or after_error or quiet_for >= quiet


def rewind(cursor: int, floor: int, nack: Nack) -> int:
    """The cursor after a consumer's nack: lowered to just before the number that it expects.

    At or below the floor there is nothing to send again: the cursor stays and the log has an alarm instead, or heartbeat, nack and rewind
    would chase each other for ever.
    """
    fresh = nack.age <= NACK_LIFE and (nack.since_same is None or nack.since_same >= NACK_PAUSE)
    if not fresh or nack.expected <= floor:
        return cursor
    return min(cursor, nack.expected - 1)


def read_after(cursor: int, floor: int) -> int:
    """Rows with higher numbers than this are to be read: never from below the floor, where rows may be gone."""
    return max(cursor, floor)


def sendable(after: int, seqs: Sequence[int], head: int = 0) -> int | OutboxHole:
    """How many of the rows read (their numbers, ascending) may be sent: all, if they go on without a hole right after ``after``.

    Nothing read although ``head`` is higher is a hole as well.
    """
    if not seqs and head > after:
        return OutboxHole(after + 1, head + 1)
    for index, seq in enumerate(seqs):
        if seq != after + 1 + index:
            return OutboxHole(after + 1 + index, seq)
    return len(seqs)


def advance(cursor: int, last_sent: int, *, acknowledged: bool) -> int:
    """The cursor after a send: moved only by the broker's acknowledgement of the whole batch."""
    return last_sent if acknowledged else cursor


def heartbeat_due(*, cursor: int, head: int, floor: int, known: Iterable[int], quiet_for: timedelta, quiet: timedelta = QUIET) -> bool:
    """Whether to send the head row once more: all is sent, the log is quiet, and a consumer that the outbox can still help lags.

    Without it a loss in a partition that goes quiet would stay unseen: nothing follows that could show the gap.
    """
    return quiet_for >= quiet and 0 < head == cursor and any(floor <= seq < head for seq in known)


def check_known(known: Iterable[tuple[int, UUID | None]], head: int, head_id: UUID | None) -> HistoryMismatch | None:
    """Whether a consumer has applied what this outbox never held: a number above the head, or another event as the head.

    Then the database was restored, and the broker has lost what would show it. Without this, everybody could agree on a number and be
    silent for ever, though it stands for two events.

    Args:
        known: (last_seq, last_id) of each consumer, read before the head.
    """
    for last_seq, last_id in known:
        if last_seq > head:
            return HistoryMismatch(last_seq, head, "a consumer has applied a number that was never given out")
        if last_seq == head and None not in (last_id, head_id) and last_id != head_id:
            return HistoryMismatch(last_seq, head, "a consumer has applied another event than the last one here")
    return None


def is_below_floor(known: int, floor: int) -> bool:
    """The consumer was set back further than the outbox reaches: an alarm, since only the topic may still hold what it misses."""
    return known < floor


@dataclass(frozen=True)
class Report:
    """Where a consumer says it stands in one log. ``stamp`` is its wall clock from before it read ``last_seq`` in its database."""

    last_seq: int
    last_id: UUID | None
    expected: int | None
    stamp: datetime


def newest(known: Report | None, report: Report) -> Report:
    """What to remember of a consumer: the report with the newest stamp, never the one with the highest number.

    A consumer whose database went back reports a lower number later; the highest would hide that for ever. What is missing is remembered
    as it was heard last, whatever the stamp: it is a hint that may come late or twice, and a clock that was ahead for a while must not
    leave a gap unheard until everybody's time has come there.
    """
    return report if known is None or report.stamp > known.stamp else replace(known, expected=report.expected)


def droppable(day_last_seq: int, known: Collection[int], *, all_heard: bool, holds_head: bool) -> bool:
    """Whether a day of the outbox may go: every consumer has its rows, and it is not the head row that a heartbeat may need."""
    return all(day_last_seq <= seq for seq in known) and (all_heard or not holds_head)


# --- the consumer: what is applied ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Position:
    """What a consumer has applied of one log. ``last_id`` is None before the first record, or where a snapshot was the start."""

    epoch: int = 0
    last_seq: int = 0
    last_id: UUID | None = None


class Numbered(NamedTuple):
    """What identifies a record in its log."""

    epoch: int
    seq: int
    event_id: UUID
    previous_id: UUID | None


@dataclass(frozen=True)
class BrokenChain:
    """Two histories met: a number came with another event, or after another predecessor, than the one applied. The log must stop."""

    seq: int
    reason: str


@dataclass(frozen=True)
class Admission:
    """What to do with the polled records of one log. ``accepted`` are indexes into them, in order."""

    position: Position
    accepted: tuple[int, ...]
    duplicates: int
    ahead: int
    expected: int | None
    """The number to ask for, where a higher one was seen."""
    at_last: bool
    """A record with the number last applied came again (a heartbeat): the source wants to hear where this consumer stands."""
    broken: BrokenChain | None


def admit(position: Position, records: Sequence[Numbered]) -> Admission:
    """Take exactly the next number, again and again; lower is a repeat, higher means that something is missing."""
    accepted: list[int] = []
    duplicates = ahead = highest = 0
    at_last = False
    broken: BrokenChain | None = None
    for index, record in enumerate(records):
        broken = chain_break(position, record)
        if broken is not None:
            break
        if record.seq == position.last_seq + 1:
            accepted.append(index)
            position = Position(max(position.epoch, record.epoch), record.seq, record.event_id)
        elif record.seq <= position.last_seq:
            duplicates += 1
            at_last = at_last or record.seq == position.last_seq
        else:
            ahead += 1
            highest = max(highest, record.seq)
    expected = position.last_seq + 1 if highest > position.last_seq else None
    return Admission(position, tuple(accepted), duplicates, ahead, expected, at_last, broken)


def chain_break(position: Position, record: Numbered) -> BrokenChain | None:
    """Whether the record contradicts what was applied. Without this, a restored source's new events could pass for old ones, silently."""
    if record.seq == position.last_seq and position.last_id is not None and record.event_id != position.last_id:
        return BrokenChain(record.seq, "the number last applied came with another event")
    if record.seq != position.last_seq + 1:
        return None
    if position.last_seq == 0:
        # the first record of a log has no predecessor; anything else is the middle of another history
        return BrokenChain(record.seq, "the first number names a predecessor") if record.previous_id is not None else None
    if position.last_id is not None and record.previous_id != position.last_id:
        return BrokenChain(record.seq, "the next number names another predecessor than the event last applied")
    return None


@dataclass(frozen=True)
class Gap:
    """A consumer's memory of having seen ``highest`` while an earlier number is missing. Lost in a crash; the heartbeat brings it back."""

    highest: int


def gap_after(gap: Gap | None, admission: Admission, records: Sequence[Numbered]) -> Gap | None:
    """The gap that is open after a batch: until everything up to the highest number seen has been applied."""
    highest = max((record.seq for record in records), default=0)
    highest = max(highest, gap.highest if gap else 0)
    return Gap(highest) if highest > admission.position.last_seq else None


def expected_number(position: Position, gap: Gap | None) -> int | None:
    """What a report says is missing; None while nothing is."""
    return position.last_seq + 1 if gap is not None and gap.highest > position.last_seq else None


def report_due(*, since_report: timedelta | None, changed: bool, asked: bool, gap: bool) -> bool:
    """Whether a consumer reports one log now.

    Args:
        since_report: time since its last report of this log; None = never in this process.
        changed: something was applied since.
        asked: a seek (start, takeover, any database error) or a record with the number last applied.
        gap: a higher number was seen and the next one is missing.
    """
    if since_report is None or asked:
        return True
    if gap and since_report >= REPORT_GAP:
        return True
    return since_report >= (REPORT_CHANGED if changed else REPORT_ALWAYS)


# --- poison --------------------------------------------------------------------------------------------------------------------------

BREAKER_CONSECUTIVE: Final = 20
BREAKER_WINDOW: Final = 1000
BREAKER_SHARE: Final = 0.01


@dataclass(frozen=True)
class Breaker:
    """Counts a log's latest records as good or bad; opens when so many fail that the code, not a record, must be wrong.

    ``recent`` holds, oldest first, runs of equal outcomes as (bad, count), at most BREAKER_WINDOW records in all.
    """

    recent: tuple[tuple[bool, int], ...] = ()

    def after(self, *, good: int = 0, bad: int = 0) -> Breaker:
        """The breaker after a batch: its good records, then its bad ones."""
        runs = list(self.recent)
        for outcome, count in ((False, good), (True, bad)):
            if count and runs and runs[-1][0] == outcome:
                runs[-1] = (outcome, runs[-1][1] + count)
            elif count:
                runs.append((outcome, count))
        excess = sum(count for _, count in runs) - BREAKER_WINDOW
        while excess > 0:
            outcome, count = runs[0]
            cut = min(excess, count)
            excess -= cut
            runs[:1] = [(outcome, count - cut)] if count > cut else []
        return replace(self, recent=tuple(runs))

    @property
    def is_open(self) -> bool:
        """More than 20 failures in a row, or more than 1 % of a full window of 1,000: the partition pauses and somebody is called."""
        if self.recent and self.recent[-1][0] and self.recent[-1][1] > BREAKER_CONSECUTIVE:
            return True
        return sum(count for bad, count in self.recent if bad) > BREAKER_SHARE * BREAKER_WINDOW


# --- a restored source ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Placed:
    """A number of the log after a resume. ``row`` is the event id of the outbox row that takes it; None = a filler.

    A filler has the ``event_id`` that the broker or a consumer knows for its number; None = a new one.
    """

    seq: int
    event_id: UUID | None
    row: UUID | None


@dataclass(frozen=True)
class ResumePlan:
    """How a restored log goes on: every number above the restored cursor, in order, and the events that only the broker still has."""

    placed: tuple[Placed, ...]
    head: int
    lost: tuple[Numbered, ...]


def plan_resume(
    cursor: int, rows: Sequence[Numbered], broker: Mapping[int, Numbered], applied: Mapping[int, UUID | None], head: int
) -> ResumePlan:
    """Give every number above the restored cursor one owner again, so that nothing accepted since the restore is dropped as a duplicate.

    Rows up to the last one that the broker or a consumer knows under the same number and id stay: an event names its predecessor, so what
    lies before it is shared too, even where the topic has lost it. Later rows move above everything that the broker holds or a consumer
    has applied. The numbers between become fillers; a filler takes the id that is known outside for its number, so that predecessors
    and tail checks agree from then on.

    Args:
        rows: outbox rows above the restored cursor, ascending.
        broker: records of ours in the broker above the restored cursor, by number.
        applied: last_seq -> last_id of each consumer.
        head: the restored head (the last row's number).
    """
    outside = {seq: event_id for seq, event_id in applied.items() if event_id is not None}
    outside |= {record.seq - 1: record.previous_id for record in broker.values() if record.previous_id is not None}
    outside |= {record.seq: record.event_id for record in broker.values()}
    agreed = max((row.seq for row in rows if outside.get(row.seq) == row.event_id), default=cursor)
    top = max([agreed, *broker, *applied])
    if top == agreed:
        # the broker and the consumers know nothing that the database does not: every row may keep its number
        return ResumePlan(tuple(Placed(row.seq, row.event_id, row.event_id) for row in rows), max(head, top), ())
    staying = [Placed(row.seq, row.event_id, row.event_id) for row in rows if row.seq <= agreed]
    fillers = [Placed(seq, outside.get(seq), None) for seq in range(agreed + 1, top + 1)]
    moving = [row.event_id for row in rows if row.seq > agreed]
    moved = [Placed(seq, event_id, event_id) for seq, event_id in enumerate(moving, top + 1)]
    lost = tuple(broker[seq] for seq in sorted(broker) if seq > agreed)
    return ResumePlan((*staying, *fillers, *moved), top + len(moving), lost)
