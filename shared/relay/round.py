"""One round of the relay, inside its transaction: look at the broker's tail where that is due, apply nacks, read, send, advance."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from shared import protocol, telemetry
from shared.database import Transaction
from shared.kafka.records import OutboxRow
from shared.kafka.tail import TailReader
from shared.outbox import Log
from shared.protocol import HistoryMismatch, OutboxHole, Tail
from shared.relay import cursors, figures
from shared.relay.cursors import Head, Known, Moved, Owned, Wanted
from shared.relay.sender import Sender

_log = telemetry.logger()

PORTION: Final = 1_500
"""Rows that are read at once, about: so much to send keeps this process busy while the database reads as much again."""


@dataclass
class Outcome:
    """What a round did."""

    owned: int = 0
    """Logs that had work."""
    rows: int = 0
    """Rows that the broker has acknowledged."""
    checked: set[Log] = field(default_factory=set)
    sent: set[Log] = field(default_factory=set)
    unread: set[Log] = field(default_factory=set)
    """Logs whose tail was due and could not be read: nothing may be sent."""
    unsent: set[Log] = field(default_factory=set)
    """Logs whose batch was not acknowledged: nobody knows what became of it."""


@dataclass(frozen=True)
class Round:
    """The parts of a relay that a round works with."""

    tx: Transaction
    me: str
    sender: Sender
    tails: TailReader
    checked: Collection[Log]
    """Logs whose tail was read since the producer was made."""
    quiet: timedelta
    rows_per_batch: int

    async def carry(self, owned: Sequence[Owned]) -> Outcome:
        """Carry the owned logs one step."""
        outcome = Outcome(owned=len(owned))
        tails = await self._read_tails(owned, outcome)
        logs = [log for log in owned if log.log not in outcome.unread]
        heads, consumers = await cursors.ends(self.tx, [log.log for log in logs])
        logs = await self._check_history(logs, tails, heads, consumers)
        logs = await self._rewind(logs, consumers)
        # a cursor left below the floor would look like work for ever: its rows are dropped, every consumer has them
        logs = [log.at(protocol.read_after(log.seq, log.floor)) for log in logs]
        acknowledged = await self._send(self._wanted(logs, heads, consumers), heads, outcome)
        await cursors.advance(self.tx, self.me, [_moved(log, acknowledged, outcome) for log in logs])
        return outcome

    async def _read_tails(self, owned: Sequence[Owned], outcome: Outcome) -> Mapping[Log, Tail]:
        due = [
            log.log
            for log in owned
            if protocol.tail_check_due(
                newly_owned=log.owner != self.me,
                after_error=log.log not in self.checked,
                quiet_for=log.since_checked,
                quiet=self.quiet,
            )
        ]
        tails = await self.tails.read(due) if due else {}
        outcome.checked |= tails.keys()
        outcome.unread |= set(due) - tails.keys()
        return tails

    async def _check_history(
        self, logs: Sequence[Owned], tails: Mapping[Log, Tail], heads: Mapping[Log, Head], consumers: Mapping[Log, Sequence[Known]]
    ) -> list[Owned]:
        """The logs with their cursors lowered to the tails; those that belong to another history are stopped and left out."""
        own_ids = await self._own_ids(tails, heads)
        going_on = []
        for log in logs:
            head = heads[log.log]
            cursor: int | HistoryMismatch = log.seq
            if log.log in tails:
                cursor = protocol.check_tail(log.seq, head.seq, tails[log.log], own_ids.get(log.log))
            known = ((consumer.last_seq, consumer.last_id) for consumer in consumers[log.log])
            verdict = protocol.check_known(known, head.seq, head.event_id) or cursor
            if isinstance(verdict, HistoryMismatch):
                await self._stop(log.log, verdict.reason, number=verdict.tail_seq, head=verdict.head, refuse_appends=True)
            else:
                if verdict < log.seq:
                    _log.warning("broker_lost_records", topic=log.log[0], part=log.log[1], from_seq=verdict, to_seq=log.seq)
                going_on.append(log.at(verdict))
        return going_on

    async def _own_ids(self, tails: Mapping[Log, Tail], heads: Mapping[Log, Head]) -> Mapping[Log, UUID | None]:
        """Of each tail, the event id of our row with its number, where that is known; that of the head outlives its row."""
        if not tails:
            return {}
        at_heads = {log: heads[log].event_id for log, tail in tails.items() if tail.seq == heads[log].seq}
        others = {log: tail.seq for log, tail in tails.items() if log not in at_heads}
        return {**at_heads, **(await cursors.own_ids(self.tx, others) if others else {})}

    async def _rewind(self, logs: Sequence[Owned], consumers: Mapping[Log, Sequence[Known]]) -> list[Owned]:
        """The logs with their cursors lowered to what consumers ask for."""
        rewound, rewinds = [], []
        for log in logs:
            seq = log.seq
            for known in consumers[log.log]:
                if known.nack is not None:
                    lowered = protocol.rewind(seq, log.floor, known.nack)
                    if lowered < seq:
                        rewinds.append(known)
                    seq = lowered
            rewound.append(log.at(seq))
        if rewinds:
            await cursors.remember_rewinds(self.tx, rewinds)
        return rewound

    def _wanted(self, logs: Sequence[Owned], heads: Mapping[Log, Head], consumers: Mapping[Log, Sequence[Known]]) -> dict[Log, Wanted]:
        """What to send: the next rows of each log, or the head row once more where a heartbeat is due."""
        wanted: dict[Log, Wanted] = {}
        for log in logs:
            head = heads[log.log].seq
            if head > log.seq:
                wanted[log.log] = Wanted(log.seq, self.rows_per_batch)
            elif protocol.heartbeat_due(
                cursor=log.seq,
                head=head,
                floor=log.floor,
                known=(known.last_seq for known in consumers[log.log]),
                quiet_for=log.since_sent,
                quiet=self.quiet,
            ):
                wanted[log.log] = Wanted(head - 1, 1, is_heartbeat=True)
        return wanted

    async def _send(self, wanted: Mapping[Log, Wanted], heads: Mapping[Log, Head], outcome: Outcome) -> dict[Log, int]:
        """Read and send, portion by portion: while one is sent the database reads the next. Log -> last number that was acknowledged."""
        sending: list[tuple[Mapping[Log, Sequence[OutboxRow]], asyncio.Task[dict[Log, int]]]] = []
        acknowledged: dict[Log, int] = {}
        try:
            for portion in _portions(wanted, heads):
                if batches := await self._read(portion, heads):
                    sending.append((batches, asyncio.create_task(self.sender.send(batches), name="relay-send")))
            for handed_over, sent in sending:
                answered = await sent
                acknowledged |= answered
                self._note(handed_over, answered, outcome)
        finally:
            await _end([sent for _, sent in sending])
        return acknowledged

    def _note(self, batches: Mapping[Log, Sequence[OutboxRow]], answered: Mapping[Log, int], outcome: Outcome) -> None:
        outcome.unsent |= batches.keys() - answered.keys()
        outcome.sent |= answered.keys()
        carried: Counter[str] = Counter()
        for log, last in answered.items():
            # the rows of a log go on without a hole
            carried[log[0]] += last + 1 - batches[log][0].seq
        for topic, rows in carried.items():
            figures.SENT.labels(topic).inc(rows)
        outcome.rows += carried.total()

    async def _read(self, wanted: Mapping[Log, Wanted], heads: Mapping[Log, Head]) -> dict[Log, list[OutboxRow]]:
        """The rows of those logs whose rows may be sent."""
        rows = await cursors.read(self.tx, wanted)
        return {log: found for log, found in rows.items() if await self._is_sendable(log, wanted[log], found, heads[log].seq)}

    async def _is_sendable(self, log: Log, wanted: Wanted, rows: Sequence[OutboxRow], head: int) -> bool:
        if wanted.is_heartbeat and not rows:
            return False  # the head row was dropped: every consumer has it
        verdict = protocol.sendable(wanted.after, [row.seq for row in rows], head)
        if isinstance(verdict, OutboxHole):
            await self._stop(log, "a row is missing from the outbox", number=verdict.expected, head=head, refuse_appends=False)
            return False
        return verdict > 0

    async def _stop(self, log: Log, reason: str, *, number: int, head: int, refuse_appends: bool) -> None:
        _log.critical("outbox_log_stopped", topic=log[0], part=log[1], reason=reason, seq=number, head=head)
        await cursors.stop(self.tx, log, reason, refuse_appends=refuse_appends)


def _moved(log: Owned, acknowledged: Mapping[Log, int], outcome: Outcome) -> Moved:
    sent = log.log in acknowledged
    # a heartbeat sends the head again, which leaves the cursor where it is
    last = max(acknowledged.get(log.log, log.seq), log.seq)
    return Moved(log.log, protocol.advance(log.seq, last, acknowledged=sent), sent=sent, checked=log.log in outcome.checked)


def _portions(wanted: Mapping[Log, Wanted], heads: Mapping[Log, Head]) -> Iterator[dict[Log, Wanted]]:
    """All logs together while there is little to send, a few at a time where there is much."""
    portion: dict[Log, Wanted] = {}
    rows = 0
    for log, each in wanted.items():
        portion[log] = each
        rows += min(each.limit, heads[log].seq - each.after)
        if rows >= PORTION:
            yield portion
            portion, rows = {}, 0
    if portion:
        yield portion


async def _end(tasks: Sequence[asyncio.Task[Any]]) -> None:
    """None outlives the round: after an error the producer is thrown away."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
