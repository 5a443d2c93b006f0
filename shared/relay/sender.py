"""Sends one batch per log and waits for the broker's word. After any error the producer is thrown away.

An idempotent producer stays broken for ever once its sequence numbers and the broker's differ, and a batch of it never expires: a new
producer and a time-out around each wait are the guards.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder

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
        under_way: dict[Log, _UnderWay] = {}
        try:
            async with asyncio.timeout(self._timeout):
                # a topic that the broker does not know holds up no other one
                await asyncio.gather(*(self._hand_over(topic, logs, under_way) for topic, logs in _by_topic(batches).items()))
                if under_way:
                    await asyncio.wait([batch.answer for batch in under_way.values()])
        except TimeoutError:
            # whoever has no answer by now counts as not sent
            _log.warning("broker_does_not_answer", batches=len(batches))
        finally:
            for batch in under_way.values():
                batch.answer.cancel()
        return {log: batch.last for log, batch in under_way.items() if _is_acknowledged(log, batch)}

    async def _hand_over(self, topic: str, batches: Mapping[Log, Sequence[OutboxRow]], under_way: dict[Log, _UnderWay]) -> None:
        """Give the batches of a topic to the client, which sends together what it gets together."""
        assert self._producer is not None
        for log, rows in batches.items():
            batch = self._producer.create_batch()
            last = _fill(batch, rows)
            try:
                answer = await self._producer.send_batch(batch, self._settings.physical(topic), partition=log[1])
            except kafka.CLIENT_ERRORS as error:
                _log.warning("batches_not_taken", topic=topic, part=log[1], from_seq=rows[0].seq, error=type(error).__name__)
                return
            under_way[log] = _UnderWay(rows[0].seq, last, answer)


@dataclass(frozen=True, slots=True)
class _UnderWay:
    """A batch, by the numbers of its first and last row."""

    first: int
    last: int
    answer: asyncio.Future[object]


def _by_topic(batches: Mapping[Log, Sequence[OutboxRow]]) -> dict[str, dict[Log, Sequence[OutboxRow]]]:
    found: dict[str, dict[Log, Sequence[OutboxRow]]] = {}
    for log, rows in batches.items():
        found.setdefault(log[0], {})[log] = rows
    return found


def _fill(batch: BatchBuilder, rows: Sequence[OutboxRow]) -> int:
    """The number of the last row that the batch took."""
    last = rows[0].seq - 1
    for row in rows:
        if batch.append(key=row.key.encode(), value=row.payload, timestamp=None, headers=encode(row)) is None:
            break
        last = row.seq
    batch.close()
    return last


def _is_acknowledged(log: Log, batch: _UnderWay) -> bool:
    """Raises what is no trouble of the broker or of the way to it."""
    error = TimeoutError() if batch.answer.cancelled() else batch.answer.exception()
    if error is None:
        return True
    if not isinstance(error, kafka.CLIENT_ERRORS):
        raise error
    _log.warning("batch_not_acknowledged", topic=log[0], part=log[1], from_seq=batch.first, to_seq=batch.last, error=type(error).__name__)
    return False
