"""The consumer applies each event of the logs that it reads exactly once, in order, whatever Kafka does.

`received` decodes, `batch` is the transaction, `positions` where the consumer stands, `member` the client and its rebalances, `logstate`
what is remembered between batches. Everything that must be right is in the transaction; the rest decides how soon.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Final

from shared import kafka, protocol, telemetry
from shared.backoff import backoff, pause
from shared.clock import monotonic, real_now
from shared.consumer import figures, positions
from shared.consumer.batch import Batches, BreakerOpened, Committed, Polled, is_waited_out
from shared.consumer.member import ClientFailed, Member, Records
from shared.consumer.received import Arrived, Handle, Read, Received, apply_with, arrive, read_contract
from shared.database import Database, is_transient
from shared.events.envelope import Event
from shared.events.topics import Topic
from shared.health import Finding
from shared.kafka.records import decode
from shared.outbox import Log
from shared.positions import Reporter
from shared.protocol import Report

__all__ = ["Consumer", "Handle", "Read", "Received", "Stuck", "apply_with", "read_contract"]

_log = telemetry.logger()

TICK: Final = 0.2
"""Seconds between two looks whether a report is due."""
COMMIT_EVERY: Final = 5.0
SHOW_EVERY: Final = 5.0
MOST_REBUILDS: Final = 5
"""New clients in a row that got stuck as well; after that the loop gives up, and the process is restarted."""


class Stuck(Exception):
    """The client gives no records although there are some, or no assignment."""


class Consumer:
    """The consumer of one process of a service."""

    def __init__(
        self,
        database: Database,
        service: str,
        ordinal: int,
        topics: Sequence[Topic],
        handle: Handle,
        settings: kafka.KafkaSettings,
        *,
        reads: Collection[type[Event]] | None = None,
        read: Read = read_contract,
        wakeup: Callable[[], None] | None = None,
        max_records: int = 500,
        poll_timeout: float = 0.2,
        stuck_after: float = 30.0,
        unassigned_after: float = 20.0,
        stop_retry: float = 30.0,
    ) -> None:
        """Times are seconds.

        Args:
            ordinal: number of this instance, stable over restarts: its name in the group.
            reads: the types that the handler looks at; None: all. Others are numbered and counted, not decoded.
            read: how a body becomes what the handler gets.
            wakeup: called after each COMMIT, for the relay of this process.
            stop_retry: after so long a stopped log is tried again; it stops again while the reason is still there.
        """
        self._database = database
        self._service = service
        self._ordinal = ordinal
        self._topics = {topic.name: topic for topic in topics}
        self._settings = settings
        self._reads = None if reads is None else frozenset(reads)
        self._read = read
        self._wakeup = wakeup
        self._max_records = max_records
        self._poll_timeout = poll_timeout
        self._stuck_after = stuck_after
        self._unassigned_after = unassigned_after
        self._stop_retry = stop_retry
        self._batches = Batches(database, handle, self._committed)
        self._member: Member | None = None
        self._rebuilds = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until told to stop; the batch in hand is finished. Kafka and the database may be away for any time.

        Raises:
            Stuck: new clients did not help.
        """
        failures = 0
        while not stop.is_set():
            try:
                await self._consume(stop)
                failures = 0
            except Stuck:
                self._rebuilds += 1
                figures.REBUILDS.labels(self._service).inc()
                _log.warning("consumer_stuck", attempt=self._rebuilds)
                if self._rebuilds > MOST_REBUILDS:
                    raise
            except (*kafka.CLIENT_ERRORS, ClientFailed) as error:
                failures += 1
                _log.warning("consumer_client_failed", attempt=failures, error=type(error).__name__)
                await pause(stop, backoff(failures))

    @property
    def stopped_logs(self) -> list[Log]:
        """Logs of this process that are not read on."""
        return [log for log, state in self._member.logs.items() if state.stopped_until is not None] if self._member else []

    async def partitions(self) -> Finding:
        """Observes how many logs the group has given to this process. None is right for one process too many, so it passes."""
        return Finding(passes=True, observed=len(self._member.logs) if self._member else 0, unit="partitions")

    async def lag(self) -> Finding:
        """Observes how many records of these logs wait on the broker. Being behind is no reason to be sent no requests, so it passes."""
        return Finding(passes=True, observed=sum(self._member.lag().values()) if self._member else 0, unit="records")

    async def _consume(self, stop: asyncio.Event) -> None:
        """The life of one client."""
        member = Member(
            self._database,
            self._settings,
            self._topics.values(),
            group=self._service,
            ordinal=self._ordinal,
            max_records=self._max_records,
        )
        self._member = member
        reports = asyncio.create_task(self._report(member, stop), name="consumer-reports")
        try:
            await member.start(stop)
            await self._poll(member, stop, reports)
            await member.commit()
        finally:
            reports.cancel()
            await asyncio.gather(reports, return_exceptions=True)
            await member.close()

    # --- batches ---

    async def _poll(self, member: Member, stop: asyncio.Event, reports: asyncio.Task[None]) -> None:
        failures, committed_at = 0, monotonic()
        while not stop.is_set():
            if reports.done():
                reports.result()
            if member.is_stuck(lagging=self._stuck_after, unassigned=self._unassigned_after):
                raise Stuck
            if not member.ready.is_set():
                await pause(stop, self._poll_timeout)
                continue
            try:
                await self._step(member)
                failures = 0
            except Exception as error:
                if not is_waited_out(error):
                    raise
                failures += 1
                member.must_seek = True
                _log.warning("batch_waits", attempt=failures, error=type(error).__name__)
                await pause(stop, backoff(failures))
            if monotonic() - committed_at >= COMMIT_EVERY:
                await member.commit()
                committed_at = monotonic()

    async def _step(self, member: Member) -> None:
        """Seek where that is due, poll, apply."""
        self._retry_stopped(member)
        if member.must_seek:
            await member.seek()
        polled = await member.poll(self._poll_timeout)
        if not polled:
            return
        generation = member.generation
        batch = self._decode(polled)
        async with member.in_hand:
            if generation != member.generation:
                member.must_seek = True
                return
            await self._apply(member, batch)

    def _decode(self, polled: Records) -> Polled:
        """Outside the transaction: what is ours, and what it says."""
        arrived: list[Arrived] = []
        for log in sorted(polled):
            records = [record for each in polled[log] if (record := decode(self._topics[log[0]], each)) is not None]
            if foreign := len(polled[log]) - len(records):
                figures.FOREIGN.labels(self._service, log[0]).inc(foreign)
            arrived.extend([arrive(record, self._reads, self._read) for record in records])
        return Polled(tuple(arrived), {log: records[-1].offset + 1 for log, records in polled.items()})

    async def _apply(self, member: Member, batch: Polled) -> None:
        for log in [log for log in batch.next_offs if log not in member.logs or member.logs[log].stopped_until is not None]:
            batch = batch.without(log)
        while batch.next_offs:
            try:
                await self._batches.apply(batch, member.logs)
                return
            except BreakerOpened as opened:
                await self._stop(member, opened.log, str(opened))
                batch = batch.without(opened.log)

    def _committed(self, result: Committed) -> None:
        member = self._member
        assert member is not None
        state = member.logs[result.log]
        state.remember(result)
        member.moved()
        self._rebuilds = 0
        if result.admission.broken is not None:
            self._leave_alone(member, result.log, result.admission.broken.reason)
        self._count(result)
        if self._wakeup is not None and result.applied:
            self._wakeup()

    def _count(self, result: Committed) -> None:
        labels = (self._service, result.log[0])
        figures.APPLIED.labels(*labels).inc(result.applied)
        figures.DUPLICATES.labels(*labels).inc(result.admission.duplicates)
        figures.AHEAD.labels(*labels).inc(result.admission.ahead)
        figures.PARKED.labels(*labels).inc(result.parked)
        figures.UNKNOWN.labels(*labels).inc(result.unknown)
        if result.parked:
            _log.error("events_parked", topic=result.log[0], part=result.log[1], count=result.parked)

    # --- logs that stop ---

    async def _stop(self, member: Member, log: Log, reason: str) -> None:
        async with self._database.transaction() as tx:
            await positions.mark_stopped(tx, log, reason)
        self._leave_alone(member, log, reason)

    def _leave_alone(self, member: Member, log: Log, reason: str) -> None:
        member.logs[log].stop(self._stop_retry)
        member.pause(log)
        figures.STOPPED.labels(self._service).set(len(self.stopped_logs))
        _log.critical("consumer_log_stopped", topic=log[0], part=log[1], reason=reason, last_seq=member.logs[log].position.last_seq)

    def _retry_stopped(self, member: Member) -> None:
        for log, state in member.logs.items():
            if state.stopped_until is not None and monotonic() >= state.stopped_until:
                state.stopped_until = None
                member.resume(log)
                member.must_seek = True
        figures.STOPPED.labels(self._service).set(len(self.stopped_logs))

    # --- reports ---

    async def _report(self, member: Member, stop: asyncio.Event) -> None:
        """Tell the sources where we stand. The number is read from the database each time, after the stamp is taken."""
        reporter = Reporter(self._settings, self._service)
        shown_at = float("-inf")
        try:
            while not stop.is_set():
                due = [log for log, state in member.logs.items() if state.is_report_due()] if member.ready.is_set() else []
                if due:
                    await self._send_reports(member, reporter, due)
                if monotonic() - shown_at >= SHOW_EVERY:
                    await self._show(member)
                    shown_at = monotonic()
                await pause(stop, TICK)
        finally:
            await reporter.close()

    async def _send_reports(self, member: Member, reporter: Reporter, due: Sequence[Log]) -> None:
        stamp = real_now()
        states = {log: member.logs[log] for log in due}
        for state in states.values():
            state.reported()
        try:
            async with self._database.single_statements() as tx:
                stands = await positions.read(tx, due)
        except Exception as error:
            if not is_transient(error):
                raise
            member.must_seek = True
            return
        for log, stand in stands.items():
            if stand.next_off != states[log].next_off and not member.in_hand.locked():
                member.must_seek = True
        await reporter.send({log: _report_of(stand.position, states[log].gap, stamp) for log, stand in stands.items()})

    async def _show(self, member: Member) -> None:
        lag = member.lag()
        for topic in self._topics:
            figures.LAG.labels(self._service, topic).set(sum(behind for log, behind in lag.items() if log[0] == topic))
        try:
            async with self._database.transaction() as tx:
                await figures.show_dead_letters(tx, self._service, list(self._topics))
        except Exception as error:
            if not is_transient(error):
                raise
            _log.info("figures_wait", error=type(error).__name__)


def _report_of(position: protocol.Position, gap: protocol.Gap | None, stamp: datetime) -> Report:
    return Report(position.last_seq, position.last_id, protocol.expected_number(position, gap), stamp)
