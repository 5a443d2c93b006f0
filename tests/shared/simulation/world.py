"""Everything together: one log from its source to its consumers, with a clock that only the schedule moves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from shared import protocol
from tests.shared.simulation import invariants
from tests.shared.simulation.broker import Batch, Broker, Flight, Record
from tests.shared.simulation.consumer import Consumer, ConsumerDatabase, Replay
from tests.shared.simulation.relay import Relay
from tests.shared.simulation.source import Append, Source, drop_days

START = datetime(2026, 1, 1, tzinfo=UTC)
BEFORE = START - timedelta(days=1)


@dataclass(frozen=True)
class Rules:
    """Rules that live in SQL and loops rather than in `shared/protocol.py`. Each can be switched off, to show what it is for."""

    head_lock: bool = True
    position_lock: bool = True
    parked_lock: bool = True
    seek_after_error: bool = True
    reports_from_database: bool = True


class World:
    """One log, its relays, its consuming services and their processes (``members`` each)."""

    def __init__(
        self, *, relays: int = 1, services: Sequence[str] = ("tickets",), members: int = 1, batch_size: int = 2, rules: Rules | None = None
    ) -> None:
        self.rules = rules or Rules()
        self.now = START
        self.broker = Broker()
        self.source = Source(known={name: protocol.Report(0, None, None, BEFORE) for name in services})
        self.relays = [Relay(self, f"relay-{index}", batch_size) for index in range(relays)]
        self.databases = {name: ConsumerDatabase() for name in services}
        self.consumers = {
            name: [Consumer(self, name, f"{name}-{index}", self.databases[name], batch_size) for index in range(members)]
            for name in services
        }
        self.owner = {name: processes[0] for name, processes in self.consumers.items()}
        self.reports: list[tuple[str, protocol.Report]] = []
        self.poison: set[UUID] = set()
        self.identity = 0
        self.committed: list[Record] = []
        """Every event whose transaction was committed, in that order; also those that a restore took away."""
        self.backups: list[Source] = []
        self.was_restored = False
        self.restored_head = 0
        self.must_be_exact = True
        """False after a restore that nobody announced: then an alarm is an accepted end, silence about a difference is not."""
        self.histories_met = False
        """Whether the relay has sent an event from after such a restore."""
        self.beside: list[tuple[str, Iterator[str]]] = []
        """Transactions beside the loops, in flight: appends, retention, replays."""
        self.trace: list[tuple[str, str]] = []
        self._last_id = 0

    # --- what the actors call ---

    def new_id(self) -> UUID:
        """A fresh event id."""
        self._last_id += 1
        return UUID(int=self._last_id)

    def commit_row(self, seq: int, key: str, previous: UUID | None) -> Record:
        """A producer's transaction commits."""
        row = Record(protocol.Numbered(self.source.epoch, seq, self.new_id(), previous), key)
        self.source.insert(row)
        self.source.accepted.append(row)
        self.committed.append(row)
        return row

    def cursor_moves(self, before: int, after: int) -> None:
        """A relay commits a cursor."""
        invariants.cursor_only_rises_over_acknowledged(self, before, after)

    def consumer_commits(self, process: Consumer) -> None:
        """A consumer's transaction commits."""
        invariants.effects_are_exact(self, process.database)

    def relay_sends(self, rows: Sequence[Record]) -> None:
        """A relay puts rows on the network."""
        self.histories_met = self.histories_met or (not self.must_be_exact and rows[-1].seq > self.restored_head)

    def since(self, moment: datetime | None) -> timedelta:
        """Time since then; the longest there is when it never was."""
        return timedelta.max if moment is None else self.now - moment

    def said(self, who: str, what: str) -> None:
        """Add a line to the trace."""
        self.trace.append((who, what))

    # --- what schedules call ---

    def wait(self, **span: float) -> None:
        """Time passes (arguments of timedelta)."""
        self.now += timedelta(**span)

    def append(self, key: str = "K", *, poison: bool = False) -> Record:
        """A producer commits one event, all at once."""
        self.finish("producer", Append(self).transaction(key))
        if poison:
            self.poison.add(self.committed[-1].event_id)
        return self.committed[-1]

    def drop_days(self, upto: int) -> None:
        """Retention of the outbox, all at once."""
        self.finish("retention", drop_days(self, upto))

    def replay(self, service: str, key: str) -> None:
        """The operator replays a parked key, all at once."""
        self.finish("operator", Replay(self, self.databases[service]).run(key))

    def finish(self, who: str, steps: Iterator[str]) -> None:
        """Take all steps of a transaction."""
        for what in steps:
            self.said(who, what)

    def go_on_beside(self, entry: tuple[str, Iterator[str]]) -> None:
        """One step of a transaction beside the loops."""
        who, steps = entry
        what = next(steps, None)
        if what is None:
            self.beside.remove(entry)
        else:
            self.said(who, what)

    def carry(self, batch: Batch | None = None) -> None:
        """A batch (the oldest) lands, or its acknowledgement arrives."""
        batch = batch or self.broker.network[0]
        seqs = [record.seq for record in batch.records]
        if batch.flight is Flight.FLYING:
            self.broker.land(batch)
            self.said("broker", f"appends {'the delayed ' if batch.is_orphan else ''}{seqs}")
        else:
            self.broker.acknowledge(batch)
            self.said("broker", f"acknowledges {seqs}")

    def deliver_report(self, index: int = 0, *, keep: bool = False) -> None:
        """One report reaches the source; ``keep`` = it is going to come again."""
        service, report = self.reports[index]
        if not keep:
            del self.reports[index]
        self.source.hear(service, report, self.now)
        self.said("network", f"report of {service} arrives: last_seq {report.last_seq}, expects {report.expected}")

    def rebalance(self, service: str, index: int) -> None:
        """The group gives the partition to another process; the old owner does not know yet."""
        self.owner[service] = self.consumers[service][index]

    def set_back(self, service: str, index: int = -1, *, noticed: bool = True, keeps_offset: bool = False) -> None:
        """A consuming database loses its last commits. Unnoticed = only a transaction in flight meets an error.

        ``keeps_offset``: the hint where to read on is not set back with the rest.
        """
        database = self.databases[service]
        in_flight, next_off = database.position_lock, database.state.next_off
        database.set_back(index)
        if keeps_offset:
            database.state = replace(database.state, next_off=next_off)
        for process in self.consumers[service]:
            if not noticed and process is not in_flight:
                process.incarnation = database.incarnation
        self.said("fault", f"database of {service} is set back to last_seq {database.state.position.last_seq}")

    def reread(self, service: str) -> None:
        """`aftercare consumer reread`: read the topic from its start, which may still hold what the outbox has dropped."""
        database = self.databases[service]
        database.state = replace(database.state, next_off=0)
        for process in self.consumers[service]:
            process.kill()
        self.said("operator", f"{service} reads the topic again from its start")
