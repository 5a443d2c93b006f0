"""A full topic: records of lives sent as fast as the broker takes them, before anybody reads."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder

from benchmarks import lives
from benchmarks.lives import Record
from shared import kafka
from shared.kafka import KafkaSettings
from shared.outbox import Log

_IN_A_BATCH = 500


async def fill(settings: KafkaSettings, records: Sequence[Record]) -> None:
    """Send the records into their logs, in order."""
    producer = kafka.new_producer(settings)
    await producer.start()
    try:
        await asyncio.gather(*(_send(producer, settings, log, found) for log, found in lives.by_log(records).items()))
    finally:
        await kafka.close(producer)


async def _send(producer: AIOKafkaProducer, settings: KafkaSettings, log: Log, records: Sequence[Record]) -> None:
    for start in range(0, len(records), _IN_A_BATCH):
        batch = producer.create_batch()
        for record in records[start : start + _IN_A_BATCH]:
            added = batch.append(key=record.row.key.encode(), value=record.row.payload, timestamp=None, headers=record.headers)
            if added is None:  # full
                await _send_batch(producer, settings, log, batch)
                batch = producer.create_batch()
                batch.append(key=record.row.key.encode(), value=record.row.payload, timestamp=None, headers=record.headers)
        await _send_batch(producer, settings, log, batch)


async def _send_batch(producer: AIOKafkaProducer, settings: KafkaSettings, log: Log, batch: BatchBuilder) -> None:
    sent = await producer.send_batch(batch, settings.physical(log[0]), partition=log[1])
    await sent
