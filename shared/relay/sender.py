"""Sends one batch per log and waits for the broker's word. After any error the producer is thrown away.

An idempotent producer stays broken for ever once its sequence numbers and the broker's differ, and a batch of it never expires: a new
producer and a time-out around each wait are the guards.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from aiokafka import AIOKafkaProducer

from shared import kafka, telemetry
from shared.kafka.records import OutboxRow, encode
from shared.outbox import Log

_log = telemetry.logger()


class Sender:
    """The producer of a relay."""

    def __init__(self, settings: kafka.KafkaSettings, *, timeout: float) -> None:
        self._settings = settings
        self._timeout = timeout
        self._producer: AIOKafkaProducer | None = None

    @property
    def is_connected(self) -> bool:
        """Whether a producer is there that has not failed yet."""
        return self._producer is not None

    async def connect(self) -> None:
        """Make a producer where there is none. Raises what `kafka.CLIENT_ERRORS` lists while the broker is away."""
        if self._producer is not None:
            return
        producer = kafka.new_producer(self._settings)
        try:
            async with asyncio.timeout(self._timeout):
                await producer.start()
        except BaseException:
            await kafka.close(producer)
            raise
        self._producer = producer

    async def close(self) -> None:
        """Let go of the producer."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await kafka.close(producer)

    async def send(self, batches: Mapping[Log, Sequence[OutboxRow]]) -> dict[Log, int]:
        """Send the rows of each log as one batch; log -> number of the last row that the broker has acknowledged.

        A log is missing where the send failed or nobody knows whether it did. What did not fit into a batch is left for the next round.
        """
        answers = await asyncio.gather(*(self._send(log, rows) for log, rows in batches.items()))
        return {log: last for log, last in zip(batches, answers, strict=True) if last is not None}

    async def _send(self, log: Log, rows: Sequence[OutboxRow]) -> int | None:
        assert self._producer is not None
        batch = self._producer.create_batch()
        last = rows[0].seq - 1
        for row in rows:
            if batch.append(key=row.key.encode(), value=row.payload, timestamp=None, headers=encode(row)) is None:
                break
            last = row.seq
        batch.close()
        try:
            async with asyncio.timeout(self._timeout):
                acknowledged = await self._producer.send_batch(batch, self._settings.physical(log[0]), partition=log[1])
                await acknowledged
        except kafka.CLIENT_ERRORS as error:
            _log.warning("batch_not_acknowledged", topic=log[0], part=log[1], from_seq=rows[0].seq, to_seq=last, error=type(error).__name__)
            return None
        return last
