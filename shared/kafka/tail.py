"""What the broker really holds at the end of a log: the evidence on which the relay lowers its cursor."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from shared import kafka, telemetry
from shared.events.topics import Topic, topic_named
from shared.kafka.records import last_of_ours
from shared.outbox import Log
from shared.protocol import Tail

TIMEOUT: Final = 4.0
"""Seconds for the tails of all logs together."""

_log = telemetry.logger()

_FIRST_LOOK: Final = 1
_WIDER: Final = 20
"""Each further look back takes so many times as many records."""


class TailReader:
    """Reads tails with a consumer of its own, made when needed and thrown away after a time-out."""

    def __init__(self, settings: kafka.KafkaSettings, *, timeout: float = TIMEOUT) -> None:
        self._settings = settings
        self._timeout = timeout
        self._consumer: AIOKafkaConsumer | None = None

    async def read(self, logs: Sequence[Log]) -> Mapping[Log, Tail]:
        """The tails that could be read in time; a log whose tail could not is missing."""
        found: dict[Log, Tail] = {}
        try:
            async with asyncio.timeout(self._timeout):
                await self._read(logs, found)
        except kafka.CLIENT_ERRORS:
            await self.close()
        return found

    async def close(self) -> None:
        """Let go of the consumer."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await kafka.close(consumer)

    async def _read(self, logs: Sequence[Log], found: dict[Log, Tail]) -> None:
        consumer = await self._started()
        partitions = {self._settings.partition(log): log for log in logs}
        consumer.assign(list(partitions))
        try:
            # each for itself, so that a partition without a leader holds up nobody else
            async with asyncio.TaskGroup() as looks:
                for partition, log in partitions.items():
                    looks.create_task(self._look(consumer, partition, log, found))
        finally:
            consumer.unsubscribe()

    async def _started(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            consumer = kafka.new_reader(self._settings)
            try:
                await consumer.start()
            except BaseException:
                await kafka.close(consumer)
                raise
            self._consumer = consumer
        return self._consumer

    async def _look(self, consumer: AIOKafkaConsumer, partition: TopicPartition, log: Log, found: dict[Log, Tail]) -> None:
        try:
            found[log] = await _tail(consumer, partition, topic_named(log[0]))
        except kafka.CLIENT_ERRORS as error:
            _log.info("tail_not_read", topic=log[0], part=log[1], error=type(error).__name__)


async def _tail(consumer: AIOKafkaConsumer, partition: TopicPartition, topic: Topic) -> Tail:
    end = (await consumer.end_offsets([partition]))[partition]
    if end == 0:
        return Tail(end_offset=0)
    begin = (await consumer.beginning_offsets([partition]))[partition]
    stop, width = end, _FIRST_LOOK
    while stop > begin:
        start = max(begin, stop - width)
        last = last_of_ours(topic, await _records(consumer, partition, start, stop))
        if last is not None:
            return Tail(end, last.seq, last.numbered.event_id)
        stop, width = start, width * _WIDER
    return Tail(end_offset=end)


async def _records(
    consumer: AIOKafkaConsumer, partition: TopicPartition, start: int, stop: int
) -> list[ConsumerRecord[bytes | None, bytes | None]]:
    """The records with offsets in [start, stop); offsets may be missing inside."""
    consumer.seek(partition, start)
    records: list[ConsumerRecord[bytes | None, bytes | None]] = []
    while await consumer.position(partition) < stop:
        batch = await consumer.getmany(partition, timeout_ms=200)
        records.extend(record for record in batch.get(partition, []) if record.offset < stop)
    return records
