"""Kafka as a channel that may lose, repeat and reorder: its clients with the settings that the delivery protocol needs.

Records, topics and the end of a log have modules of their own: `records`, `topics`, `tail`. The protocol's guarantees do not rest on any
setting here; they decide how long a fault lasts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from shared import telemetry
from shared.events.topics import Topic
from shared.kafka.gathering import AT_ONCE, GATHER_BYTES
from shared.outbox import Log

CLOSE_TIMEOUT: Final = 3.0
"""Seconds that closing a client may take: a producer with an undeliverable batch would wait for ever."""

CLIENT_ERRORS: Final = (KafkaError, OSError, TimeoutError)
"""What a client raises when the broker is away or in trouble."""

_log = telemetry.logger()


@dataclass(frozen=True)
class KafkaSettings:
    """Where the broker is and how patient the clients are. Times are milliseconds."""

    bootstrap_servers: str
    topic_prefix: str = ""
    """Put before every topic's and group's name, so that several platforms can share one broker."""
    compression: str | None = "lz4"
    request_timeout_ms: int = 7000
    session_timeout_ms: int = 10_000
    rebalance_timeout_ms: int = 10_000
    gather_ms: int = 100
    """So long the broker holds a consumer's fetch back while there are less than `GATHER_BYTES` for it: what arrives meanwhile shares an
    answer and a transaction. It is the price in latency of one hop when events come one by one; under load the bytes come first, and after
    a quiet time the first event (`gathering`)."""

    def physical(self, topic: str) -> str:
        """The name that a topic has on the broker."""
        return self.topic_prefix + topic

    def logical(self, name: str) -> str:
        """The topic that has this name on the broker."""
        return name.removeprefix(self.topic_prefix)

    def partition(self, log: Log) -> TopicPartition:
        """Where a log lives on the broker."""
        return TopicPartition(self.physical(log[0]), log[1])

    def log(self, partition: TopicPartition) -> Log:
        """The log that lives there."""
        return self.logical(partition.topic), partition.partition


def new_producer(settings: KafkaSettings) -> AIOKafkaProducer:
    """A producer of numbered logs. Idempotence finds holes early; it is not what makes an effect happen once."""
    return AIOKafkaProducer(
        bootstrap_servers=settings.bootstrap_servers,
        acks="all",
        enable_idempotence=True,
        max_batch_size=512 * 1024,
        max_request_size=1 << 20,
        linger_ms=0,
        compression_type=settings.compression,
        request_timeout_ms=settings.request_timeout_ms,
        retry_backoff_ms=100,
        metadata_max_age_ms=60_000,
    )


def new_group_consumer(settings: KafkaSettings, *, group: str, instance: str) -> AIOKafkaConsumer:
    """A member of a consumer group. Membership is static: a member that comes back under its name causes no rebalance."""
    return AIOKafkaConsumer(
        bootstrap_servers=settings.bootstrap_servers,
        group_id=settings.topic_prefix + group,
        group_instance_id=settings.topic_prefix + instance,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=settings.session_timeout_ms,
        heartbeat_interval_ms=settings.session_timeout_ms // 5,
        rebalance_timeout_ms=settings.rebalance_timeout_ms,
        # the broker holds JoinGroup up to the rebalance timeout; a client that gives up before leaves a phantom member behind
        request_timeout_ms=3 * settings.rebalance_timeout_ms,
        max_poll_interval_ms=300_000,
        fetch_min_bytes=GATHER_BYTES,
        fetch_max_wait_ms=settings.gather_ms,
        **_FETCHING,
    )


def new_reader(settings: KafkaSettings, *, gather_ms: int | None = None) -> AIOKafkaConsumer:
    """A consumer without a group, to be assigned by hand; an offset that is not there is an error.

    Args:
        gather_ms: so long may the broker hold a fetch back while there is little for it; None: it answers with the first record.
    """
    return AIOKafkaConsumer(
        bootstrap_servers=settings.bootstrap_servers,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="none",
        request_timeout_ms=settings.request_timeout_ms,
        fetch_min_bytes=AT_ONCE if gather_ms is None else GATHER_BYTES,
        fetch_max_wait_ms=200 if gather_ms is None else gather_ms,
        **_FETCHING,
    )


_FETCHING: Final[dict[str, Any]] = {
    "fetch_max_bytes": 16 << 20,
    "max_partition_fetch_bytes": 1 << 20,
    "metadata_max_age_ms": 30_000,
}


def partitions_of(settings: KafkaSettings, topics: Iterable[Topic], parts: int) -> list[TopicPartition]:
    """All partitions of the topics."""
    return [TopicPartition(settings.physical(topic.name), part) for topic in topics for part in range(parts)]


async def close(client: AIOKafkaProducer | AIOKafkaConsumer) -> None:
    """Close a client, whatever state it is in; what it could not say in time is lost, which the protocol allows."""
    # RuntimeError: one of its tasks wrote to a connection that the event loop had closed, and tells it only now
    with suppress(*CLIENT_ERRORS, RuntimeError):
        async with asyncio.timeout(CLOSE_TIMEOUT):
            await client.stop()
            return
    _log.warning("kafka_client_not_closed_cleanly", kind=type(client).__name__)
