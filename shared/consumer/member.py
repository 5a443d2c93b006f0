"""A member of the consumer group: the client, and what happens when partitions come and go.

aiokafka hands out records before an assignment callback has finished its seek, only logs what the callback raises, and gives no sign when
it is stuck. So: nothing is polled before `ready`, the callback does not end before the database has told where to read on, every wait
has a time-out, and `is_stuck` tells when to throw the client away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable
from typing import Final

from aiokafka import ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import IllegalStateError

from shared import kafka, telemetry
from shared.backoff import backoff, pause
from shared.clock import monotonic
from shared.consumer import positions
from shared.consumer.logstate import LogState
from shared.database import Database, is_transient
from shared.events.topics import Topic
from shared.kafka.gathering import Gathering
from shared.kafka.pulse import Pulse
from shared.outbox import Log

_log = telemetry.logger()

START_TIMEOUT: Final = 60.0
POLL_TIMEOUT: Final = 10.0
COMMIT_TIMEOUT: Final = 2.0
QUIET_MS: Final = 500
"""Milliseconds that a fetch may stay unanswered while there is nothing: so long may a seek wait for it, too."""

Records = dict[Log, list[ConsumerRecord]]


class ClientFailed(Exception):
    """The client could not poll: it must be thrown away."""


class Member(ConsumerRebalanceListener):  # type: ignore[misc]
    """One client. Make a new one after any trouble."""

    def __init__(
        self, database: Database, settings: kafka.KafkaSettings, topics: Iterable[Topic], *, group: str, ordinal: int, max_records: int
    ) -> None:
        self.logs: dict[Log, LogState] = {}
        """The assigned logs."""
        self.ready = asyncio.Event()
        """Set while partitions are assigned and their positions known."""
        self.in_hand = asyncio.Lock()
        """Held while a batch is applied: partitions are not given up in the middle of it."""
        self.generation = 0
        """Raised when partitions are given up: what was polled before must not be applied."""
        self.must_seek = False
        self.waits_for_database = False
        self._database = database
        self._settings = settings
        self._topics = tuple(topics)
        self._max_records = max_records
        self._consumer = kafka.new_group_consumer(settings, group=group, instance=f"{group}-{ordinal}")
        self._pulse = Pulse(self._consumer)
        self._gathering = Gathering(self._consumer, gather_ms=settings.gather_ms, quiet_ms=QUIET_MS)
        self._closing = asyncio.Event()
        self._moved_at = monotonic()

    async def start(self, stop: asyncio.Event) -> None:
        """Join the group, unless told to stop meanwhile. Raises what `kafka.CLIENT_ERRORS` lists."""
        self._consumer.subscribe([self._settings.physical(topic.name) for topic in self._topics], listener=self)
        starting, stopping = asyncio.ensure_future(self._consumer.start()), asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait({starting, stopping}, timeout=START_TIMEOUT, return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
            elif not stopping.done():
                raise TimeoutError("the group gave no assignment")
        finally:
            starting.cancel()
            stopping.cancel()
            await asyncio.gather(starting, stopping, return_exceptions=True)

    async def close(self) -> None:
        """Let go of the client; a static member does not leave its group."""
        self._closing.set()
        self.ready.clear()
        await kafka.close(self._consumer)

    # --- rebalances ---

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Called by the client before it rejoins: end the batch in hand, poll no more."""
        self.generation += 1
        self.ready.clear()
        async with self.in_hand:
            self.logs.clear()

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Called by the client after it joined. An error here would only be logged, and reading go on from anywhere."""
        self.logs = {self._settings.log(partition): LogState() for partition in assigned}
        failures = 0
        while not self._closing.is_set():
            try:
                await self.seek()
            except Exception as error:
                if not is_transient(error):
                    _log.exception("seek_failed")
                failures += 1
                self.waits_for_database = True
                await pause(self._closing, backoff(failures, longest=5.0))
            else:
                self.waits_for_database = False
                self.moved()
                self.ready.set()
                return

    async def seek(self) -> None:
        """Go where the database says, in every assigned log."""
        logs = sorted(self.logs)
        async with self._database.transaction() as tx:
            await positions.ensure(tx, logs)
            stands = await positions.read(tx, logs)
        for log, stand in stands.items():
            if log in self.logs:
                self.logs[log].seek(stand)
                self._seek(log, stand.next_off)
        self.must_seek = False

    def _seek(self, log: Log, offset: int) -> None:
        try:
            self._consumer.seek(self._settings.partition(log), offset)
        except IllegalStateError:
            # given up in the meantime
            return

    # --- polling ---

    async def poll(self, timeout: float) -> Records | None:
        """The next records by log; None when they must not be used: partitions were given up meanwhile."""
        generation = self.generation
        try:
            async with asyncio.timeout(timeout + POLL_TIMEOUT):
                polled = await self._consumer.getmany(timeout_ms=int(timeout * 1000), max_records=self._max_records)
        except kafka.CLIENT_ERRORS as error:
            raise ClientFailed(type(error).__name__) from error
        self._gathering.answered(with_records=bool(polled))
        if generation != self.generation or not self.ready.is_set():
            # the client's position is behind them now; the database's is not
            self.must_seek = True
            return None
        return {self._settings.log(partition): records for partition, records in polled.items()}

    def pause(self, log: Log) -> None:
        """Fetch nothing more of a log."""
        self._if_assigned(self._consumer.pause, log)

    def resume(self, log: Log) -> None:
        """Fetch it again."""
        self._if_assigned(self._consumer.resume, log)

    def _if_assigned(self, action: Callable[[TopicPartition], None], log: Log) -> None:
        try:
            action(self._settings.partition(log))
        except IllegalStateError:
            return

    async def commit(self) -> None:
        """Tell Kafka where we are, for dashboards only: what counts is in the database."""
        offsets = {self._settings.partition(log): state.next_off for log, state in self.logs.items()}
        if not offsets or not self.ready.is_set():
            return
        try:
            async with asyncio.timeout(COMMIT_TIMEOUT):
                await self._consumer.commit(offsets)
        except (*kafka.CLIENT_ERRORS, IllegalStateError) as error:
            _log.debug("offsets_not_committed", error=type(error).__name__)

    # --- the watchdog ---

    def lag(self) -> dict[Log, int]:
        """Records on the broker that were not polled, as far as the client knows."""
        found = {}
        for log, state in self.logs.items():
            try:
                highwater = self._consumer.highwater(self._settings.partition(log))
            except IllegalStateError:
                continue
            if highwater is not None and state.stopped_until is None:
                found[log] = max(0, highwater - state.next_off)
        return found

    def moved(self) -> None:
        """Something was applied, or there is a reason why nothing could be."""
        self._moved_at = monotonic()
        self._pulse.excuse()

    def is_stuck(self, *, lagging: float, unassigned: float) -> bool:
        """Whether for `lagging` seconds records wait and nothing has moved, or no fetch was answered; or the group gave us no answer for
        `unassigned` seconds.

        Without partitions nobody seeks: a seek that was due when they were given up must not make an answer look as if it had come. And
        what the client knows of records that wait it knows from answers: one that has stopped to ask knows of none.
        """
        is_ready = self.ready.is_set()
        if self.waits_for_database or (is_ready and self.must_seek):
            self.moved()
        elif is_ready and not any(self.lag().values()):
            self._moved_at = monotonic()
        if not is_ready:
            return monotonic() - self._moved_at > unassigned
        read = [self._settings.partition(log) for log, state in self.logs.items() if state.stopped_until is None]
        return max(monotonic() - self._moved_at, self._pulse.silent_for(read)) > lagging
