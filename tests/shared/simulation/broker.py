"""One partition of the broker, and the network before it: it may lose, repeat and delay, and goes on at the same offsets after a loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from uuid import UUID

from shared import protocol


@dataclass(frozen=True, slots=True)
class Record:
    """A numbered event: a row of the outbox, and its copy in the partition."""

    numbered: protocol.Numbered
    key: str
    is_filler: bool = False

    @property
    def seq(self) -> int:
        """Its number in the log."""
        return self.numbered.seq

    @property
    def event_id(self) -> UUID:
        """Its identity."""
        return self.numbered.event_id


class Flight(Enum):
    """How a batch fares."""

    FLYING = auto()
    LANDED = auto()
    ACKNOWLEDGED = auto()
    FAILED = auto()


@dataclass(eq=False, slots=True)
class Batch:
    """Records on their way. A batch whose sender died or gave up is an orphan, and may land at any later time."""

    records: tuple[Record, ...]
    is_orphan: bool = False
    flight: Flight = Flight.FLYING


@dataclass(eq=False)
class Broker:
    """The partition. ``None`` in the log is a record of somebody else."""

    log: list[Record | None] = field(default_factory=list)
    start: int = 0
    """Offset of the first record that retention has left."""
    network: list[Batch] = field(default_factory=list)
    sends: int = 0
    acknowledged: set[int] = field(default_factory=set)
    """Numbers that some sender once heard to be appended."""

    @property
    def end(self) -> int:
        """Offset of the next record."""
        return self.start + len(self.log)

    def tail(self) -> protocol.Tail:
        """The last record of ours, found by looking back from the end past other people's."""
        for record in reversed(self.log):
            if record is not None:
                return protocol.Tail(self.end, record.seq, record.event_id)
        return protocol.Tail(self.end)

    def read(self, offset: int, limit: int) -> list[Record | None]:
        """Records from an offset that lies inside the log."""
        first = offset - self.start
        return self.log[first : first + limit]

    def send(self, records: Sequence[Record]) -> Batch:
        """Put a batch on the network."""
        batch = Batch(tuple(records))
        self.network.append(batch)
        self.sends += 1
        return batch

    def land(self, batch: Batch) -> None:
        """The batch is appended; its sender, if it still waits, is going to hear of it."""
        self.log.extend(batch.records)
        batch.flight = Flight.LANDED
        if batch.is_orphan:
            self.network.remove(batch)

    def acknowledge(self, batch: Batch) -> None:
        """The sender hears that its batch was appended."""
        batch.flight = Flight.ACKNOWLEDGED
        self.network.remove(batch)
        self.acknowledged.update(record.seq for record in batch.records)

    def fail(self, batch: Batch) -> None:
        """The sender gives up waiting. A batch that has not landed yet still may."""
        landed = batch.flight is Flight.LANDED
        batch.flight = Flight.FAILED
        if landed:
            self.network.remove(batch)
        else:
            self.orphan(batch)

    def orphan(self, batch: Batch) -> None:
        """Nobody waits for the batch any more."""
        batch.is_orphan = True
        if batch.flight is Flight.LANDED:
            self.network.remove(batch)

    def drop(self, batch: Batch) -> None:
        """The network loses the batch; a sender that waits for it hears of an error."""
        self.network.remove(batch)
        batch.flight = Flight.FAILED

    def duplicate(self, batch: Batch) -> None:
        """The network holds the batch twice; the second copy lands whenever it likes."""
        self.network.append(Batch(batch.records, is_orphan=True))

    def lose(self, count: int) -> None:
        """A crash takes the last records, acknowledged or not; the next ones get the same offsets."""
        del self.log[len(self.log) - count :]

    def retain(self, count: int) -> None:
        """Retention removes the oldest records."""
        del self.log[:count]
        self.start += count

    def inject(self) -> None:
        """Somebody else writes a record without our source or number."""
        self.log.append(None)
