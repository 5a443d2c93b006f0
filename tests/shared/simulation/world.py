"""Everything together: one log from its source to its consumers, with a clock that only the schedule moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from shared import protocol
from tests.shared.simulation import invariants
from tests.shared.simulation.broker import Broker, Record
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
        """Whether the relay has sent an event from after such a restore: no resume can tell the two histories in the topic apart."""
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
        for what in Append(self).transaction(key):
            self.said("producer", what)
        if poison:
            self.poison.add(self.committed[-1].event_id)
        return self.committed[-1]

    def deliver_report(self, index: int = 0, *, keep: bool = False) -> None:
        """One report reaches the source; ``keep`` = it is going to come again."""
        service, report = self.reports[index]
        if not keep:
            del self.reports[index]
        self.source.hear(service, report)
        self.said("network", f"report of {service} arrives: last_seq {report.last_seq}, expects {report.expected}")

    def rebalance(self, service: str, index: int) -> None:
        """The group gives the partition to another process; the old owner does not know yet."""
        self.owner[service] = self.consumers[service][index]

    def set_back(self, service: str, index: int = -1, *, noticed: bool = True) -> None:
        """A consuming database loses its last commits. Unnoticed = only a transaction in flight meets an error."""
        database = self.databases[service]
        in_flight = database.position_lock
        database.set_back(index)
        for process in self.consumers[service]:
            if not noticed and process is not in_flight:
                process.incarnation = database.incarnation
        self.said("fault", f"database of {service} is set back to last_seq {database.state.position.last_seq}")

    def drop_days(self, upto: int) -> None:
        """Retention of the outbox, all at once."""
        for what in drop_days(self, upto):
            self.said("retention", what)

    def replay(self, service: str, key: str) -> None:
        """The operator replays a parked key, all at once."""
        for what in Replay(self, self.databases[service]).run(key):
            self.said("operator", what)

    def reread(self, service: str) -> None:
        """`aftercare consumer reread`: read the topic from its start, which may still hold what the outbox has dropped."""
        database = self.databases[service]
        database.state = replace(database.state, next_off=0)
        for process in self.consumers[service]:
            process.kill()
        self.said("operator", f"{service} reads the topic again from its start")

    # --- a restored source database ---

    def restore(self, index: int) -> None:
        """The source database is what it was at that backup; later ones are of a history that is over. Relays start again."""
        del self.backups[index + 1 :]
        self.source = self.backups[index].backup()
        self.was_restored, self.restored_head = True, self.source.head
        for relay in self.relays:
            relay.kill()
        self.said("fault", f"source database restored: head {self.source.head}, cursor {self.source.cursor}")

    def stop_for_restore(self) -> None:
        """The first half of the procedure: every role stopped, and longer than the send time-out."""
        self.broker.network.clear()
        for relay in self.relays:
            relay.kill()
        for processes in self.consumers.values():
            for process in processes:
                process.kill()

    def resume_after_restore(self) -> protocol.ResumePlan:
        """`aftercare outbox resume-after-restore`, while everybody stands still."""
        source = self.source
        rows = source.after(source.cursor, len(source.rows))
        broker = {record.seq: record.numbered for record in self.broker.log if record is not None and record.seq > source.cursor}
        positions = [database.state.position for database in self.databases.values()]
        applied = {position.last_seq: position.last_id for position in positions if position.last_seq > source.cursor}
        plan = protocol.plan_resume(source.cursor, [row.numbered for row in rows], broker, applied, source.head)
        self.rewrite(rows, plan)
        source.stopped = None
        self.said("operator", f"resumes: head {source.head}, {len(plan.lost)} events only in the broker")
        return plan

    def rewrite(self, rows: Sequence[Record], plan: protocol.ResumePlan) -> None:
        """Give the rows above the cursor their planned numbers, each naming the one before it."""
        source = self.source
        by_id = {row.event_id: row for row in rows}
        source.epoch += 1
        for row in rows:
            del source.rows[row.seq]
        previous = source.id_of(source.cursor) or self.id_before(source.cursor, rows)
        for placed in plan.placed:
            event_id = placed.event_id or self.new_id()
            numbered = protocol.Numbered(source.epoch, placed.seq, event_id, previous)
            key = by_id[placed.row].key if placed.row else "filler"
            source.rows[placed.seq] = Record(numbered, key, is_filler=placed.row is None)
            previous = event_id
        source.head, source.head_id = plan.head, previous

    def id_before(self, cursor: int, rows: Sequence[Record]) -> UUID | None:
        """The id at the cursor when its row is dropped: what the next row names, or else the restored head."""
        return rows[0].numbered.previous_id if rows else self.source.head_id if self.source.head == cursor else None
