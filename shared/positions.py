"""Where each consumer stands, told to the source on a topic of its own: for lag, heartbeats, gaps, and for how long rows must be kept.

Reports are safe to lose and may come late or twice. A consumer reads the number in its database for each report, and stamps it with its
clock from before that; the source keeps the report with the newest stamp. It is the one topic that others than the relay produce to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from shared import kafka, telemetry
from shared.backoff import backoff, pause
from shared.clock import real_now
from shared.database import Database, Transaction, is_transient
from shared.events.topics import PARTITIONS, POSITIONS_TOPIC, produced_by
from shared.kafka.gathering import Gathering
from shared.kafka.pulse import Pulse
from shared.outbox import Log
from shared.protocol import Report, newest

_log = telemetry.logger()

SEND_TIMEOUT: Final = 5.0
GATHER_MS: Final = 500
"""Milliseconds that reports wait for each other on the broker: each stands for a second or more, and nobody waits for one but a gap."""
QUIET_MS: Final = 2000
"""Milliseconds that the broker may wait for the first report where none comes."""
SILENCE: Final = 30.0
"""Seconds without an answer to a fetch after which the reading client is thrown away."""
CLOCK_TOLERANCE: Final = timedelta(minutes=5)
"""A report stamped further ahead of our clock is not believed."""


class ReportRecord(BaseModel):
    """A report as it travels."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    consumer: str = Field(pattern=r"^[a-z0-9_.-]{1,64}$")
    topic: str
    part: int = Field(ge=0, lt=PARTITIONS)
    last_seq: int = Field(ge=0)
    last_id: UUID | None = None
    expected: int | None = Field(default=None, ge=1)
    stamp: AwareDatetime

    @property
    def key(self) -> bytes:
        """The topic is compacted to the newest report of each."""
        return f"{self.consumer}/{self.topic}/{self.part}".encode()


# --- the consumer's side -------------------------------------------------------------------------------------------------------------


class Reporter:
    """Sends reports. A report that cannot be sent is dropped: the next one says the same, or something newer."""

    def __init__(self, settings: kafka.KafkaSettings, consumer: str) -> None:
        self._settings = settings
        self._consumer = consumer
        self._producer: AIOKafkaProducer | None = None

    async def send(self, reports: Mapping[Log, Report]) -> bool:
        """Whether the broker has them all."""
        try:
            async with asyncio.timeout(SEND_TIMEOUT):
                producer = await self._started()
                topic = self._settings.physical(POSITIONS_TOPIC)
                for log, report in reports.items():
                    record = _record(self._consumer, log, report)
                    await producer.send(topic, record.model_dump_json().encode(), key=record.key)
                await producer.flush()
        except kafka.CLIENT_ERRORS as error:
            _log.info("reports_not_sent", count=len(reports), error=type(error).__name__)
            await self.close()
            return False
        return True

    async def close(self) -> None:
        """Let go of the producer."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await kafka.close(producer)

    async def _started(self) -> AIOKafkaProducer:
        if self._producer is None:
            producer = AIOKafkaProducer(
                bootstrap_servers=self._settings.bootstrap_servers, acks=1, request_timeout_ms=self._settings.request_timeout_ms
            )
            try:
                await producer.start()
            except BaseException:
                await kafka.close(producer)
                raise
            self._producer = producer
        return self._producer


def _record(consumer: str, log: Log, report: Report) -> ReportRecord:
    return ReportRecord(
        consumer=consumer,
        topic=log[0],
        part=log[1],
        last_seq=report.last_seq,
        last_id=report.last_id,
        expected=report.expected,
        stamp=report.stamp,
    )


# --- the source's side ---------------------------------------------------------------------------------------------------------------


class PositionsReader:
    """Reads what consumers report of this service's logs, without a group and from the topic's end, and keeps the newest of each."""

    def __init__(self, database: Database, settings: kafka.KafkaSettings, service: str) -> None:
        self._database = database
        self._settings = settings
        self._topics = frozenset(topic.name for topic in produced_by(service))
        self.is_reading = asyncio.Event()
        """Set once the end of the topic was found: a report sent after that will be read."""

    async def run(self, stop: asyncio.Event) -> None:
        """Read until told to stop; Kafka and the database may be away."""
        failures = 0
        while not stop.is_set():
            reader = kafka.new_reader(self._settings, gather_ms=GATHER_MS)
            try:
                await self._read(reader, stop)
                failures = 0
            except Exception as error:
                if not (isinstance(error, kafka.CLIENT_ERRORS) or is_transient(error)):
                    raise
                failures += 1
                _log.warning("positions_not_read", attempt=failures, error=type(error).__name__)
            finally:
                await kafka.close(reader)
            if failures and not stop.is_set():
                await pause(stop, backoff(failures))

    async def _read(self, reader: AIOKafkaConsumer, stop: asyncio.Event) -> None:
        partitions = [TopicPartition(self._settings.physical(POSITIONS_TOPIC), part) for part in range(PARTITIONS)]
        async with asyncio.timeout(30):
            await reader.start()
            reader.assign(partitions)
            for partition, end in (await reader.end_offsets(partitions)).items():
                reader.seek(partition, end)
        self.is_reading.set()
        pulse, gathering = Pulse(reader), Gathering(reader, gather_ms=GATHER_MS, quiet_ms=QUIET_MS)
        while not stop.is_set():
            if pulse.silent_for(partitions) > SILENCE:
                raise TimeoutError("the broker does not answer")
            polled = await reader.getmany(timeout_ms=GATHER_MS, max_records=2000)
            gathering.answered(with_records=bool(polled))
            found = (parse_report(record.value) for records in polled.values() for record in records)
            reports = [report for report in found if report is not None and report.topic in self._topics]
            if reports:
                async with self._database.transaction() as tx:
                    await keep_newest(tx, reports)


def parse_report(value: bytes | None) -> ReportRecord | None:
    """The report in a record of the topic; None where there is none that can be believed."""
    try:
        report = ReportRecord.model_validate_json(value or b"")
    except ValidationError:
        _log.warning("report_not_understood")
        return None
    if report.stamp > real_now() + CLOCK_TOLERANCE:
        # it would hide every true report until that time has come
        _log.warning("report_from_the_future", consumer=report.consumer, topic=report.topic, part=report.part)
        return None
    return report


async def keep_newest(tx: Transaction, reports: Sequence[ReportRecord]) -> None:
    """Take in reports; a consumer that nobody knew enters by its first one."""
    logs = sorted({(report.consumer, report.topic, report.part) for report in reports})
    rows = await tx.fetch(
        """
        SELECT k.consumer, k.topic, k.part, k.last_seq, k.last_id, k.expected, k.stamp
          FROM outbox_known k JOIN unnest($1::text[], $2::text[], $3::smallint[]) w(consumer, topic, part) USING (consumer, topic, part)
         ORDER BY k.consumer, k.topic, k.part FOR UPDATE OF k
        """,
        [consumer for consumer, _, _ in logs],
        [topic for _, topic, _ in logs],
        [part for _, _, part in logs],
    )
    before = {
        (row["consumer"], row["topic"], row["part"]): Report(row["last_seq"], row["last_id"], row["expected"], row["stamp"]) for row in rows
    }
    after = dict(before)
    for report in reports:
        key = (report.consumer, report.topic, report.part)
        after[key] = newest(after.get(key), Report(report.last_seq, report.last_id, report.expected, report.stamp))
    await _save(tx, {key: report for key, report in after.items() if report is not before.get(key)})


async def _save(tx: Transaction, reports: Mapping[tuple[str, str, int], Report]) -> None:
    """`expected_at` is this database's time of hearing it: the consumer's clock may be wrong, and a nack must not stay unheard for that."""
    if not reports:
        return
    keys = sorted(reports)
    found = [reports[key] for key in keys]
    await tx.execute(
        """
        INSERT INTO outbox_known AS k (consumer, topic, part, last_seq, last_id, expected, expected_at, stamp)
        SELECT consumer, topic, part, last_seq, last_id, expected, CASE WHEN expected IS NULL THEN NULL ELSE clock_timestamp() END, stamp
          FROM unnest($1::text[], $2::text[], $3::smallint[], $4::bigint[], $5::uuid[], $6::bigint[], $7::timestamptz[])
               r(consumer, topic, part, last_seq, last_id, expected, stamp)
        ON CONFLICT (consumer, topic, part) DO UPDATE
           SET last_seq = excluded.last_seq, last_id = excluded.last_id, expected = excluded.expected,
               expected_at = excluded.expected_at, stamp = excluded.stamp
         WHERE k.stamp <= excluded.stamp
        """,
        [consumer for consumer, _, _ in keys],
        [topic for _, topic, _ in keys],
        [part for _, _, part in keys],
        [report.last_seq for report in found],
        [report.last_id for report in found],
        [report.expected for report in found],
        [report.stamp for report in found],
    )


async def forget(tx: Transaction, consumer: str) -> int:
    """End a consumer, which must not run any more: its next report would bring it back. The number of logs that it read."""
    tag = await tx.execute("DELETE FROM outbox_known WHERE consumer = $1", consumer)
    return int(tag.split()[-1])
