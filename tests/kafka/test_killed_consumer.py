"""kill -9 of a consuming process, at the two places that matter: before COMMIT, and between COMMIT and Kafka's offset commit."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from shared.database import Database
from shared.events.topics import TICKETS
from shared.kafka import KafkaSettings
from tests.kafka.pipeline import Pipeline
from tests.shared.logs import append, events_in

pytestmark = [pytest.mark.postgres, pytest.mark.kafka]

LOG = (TICKETS.name, 3)
ROOT = Path(__file__).parents[2]


@asynccontextmanager
async def consumer_process(reader: Database, kafka: KafkaSettings, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A consumer that lives until it is killed at the end of the block."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.kafka.consumer_process", *arguments),
        cwd=ROOT,
        env={
            **os.environ,
            "DATABASE_URL": reader.url,
            "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
            "TOPIC_PREFIX": kafka.topic_prefix,
        },
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        process.kill()
        await process.wait()


async def committed_offset(kafka: KafkaSettings) -> int | None:
    """What Kafka knows of the group in the log; None = nothing."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    try:
        offsets = await admin.list_consumer_group_offsets(kafka.topic_prefix + "feedback")
        found = offsets.get(TopicPartition(kafka.physical(LOG[0]), LOG[1]))
        return None if found is None or found.offset < 0 else found.offset
    finally:
        await admin.close()


async def test_a_consumer_that_is_killed_at_any_point_repeats_nothing_and_misses_nothing(
    source: Database, reader: Database, kafka: KafkaSettings
) -> None:
    pipeline = Pipeline(source, reader, kafka)
    async with pipeline.running(consumes=False):
        await append(source, *events_in(LOG[1], 20))
        async with consumer_process(reader, kafka, "stalling") as process:
            assert process.stdout is not None
            async with asyncio.timeout(30):
                assert await process.stdout.readline() == b"written\n"
        assert await pipeline.applied() == {}, "what was not committed had an effect"

        async with consumer_process(reader, kafka):
            await pipeline.until_applied({LOG: 20})
        assert await committed_offset(kafka) is None, "killed too late: Kafka's offset was committed"

        await append(source, *events_in(LOG[1], 5))
        async with consumer_process(reader, kafka):
            await pipeline.until_applied({LOG: 25})
