"""What a broker does when it crashes, freezes or forgets: nothing of it loses an event or doubles an effect."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from deploy.local.kafka import KafkaServer
from shared.database import Database
from shared.events.topics import TICKETS
from shared.kafka import KafkaSettings
from shared.relay import Relay
from tests.kafka.damage import cut
from tests.kafka.pipeline import Pipeline
from tests.shared.logs import append, cursor_of, events_in, seqs_in
from tests.waiting import eventually

pytestmark = [pytest.mark.postgres, pytest.mark.kafka, pytest.mark.apache_kafka]

LOG = (TICKETS.name, 3)


async def sent(source: Database, upto: int) -> None:
    """Wait until the relay knows that the broker has them."""
    await eventually(lambda: cursor_of(source, LOG), lambda cursor: cursor == upto)


async def crash_and_lose(broker: KafkaServer, kafka: KafkaSettings, *, end: int) -> None:
    """kill -9, and when it is back it holds only the records before the offset `end`."""
    broker.kill()
    assert cut(broker, kafka, LOG, end=end) > end
    await asyncio.to_thread(broker.start)


async def test_a_lost_tail_is_sent_again_when_more_events_follow(
    source: Database, reader: Database, own_broker: KafkaServer, own_kafka: KafkaSettings
) -> None:
    pipeline = Pipeline(source, reader, own_kafka)
    async with pipeline.running():
        await append(source, *events_in(LOG[1], 10))
        await pipeline.until_applied({LOG: 10})
    async with pipeline.running(consumes=False):
        await append(source, *events_in(LOG[1], 10))
        await sent(source, 20)

        await crash_and_lose(own_broker, own_kafka, end=10)
        await append(source, *events_in(LOG[1], 5))

        async with pipeline.running():
            await pipeline.until_applied({LOG: 25})


async def test_a_lost_tail_is_sent_again_though_the_log_is_quiet(
    source: Database, reader: Database, own_broker: KafkaServer, own_kafka: KafkaSettings
) -> None:
    pipeline = Pipeline(source, reader, own_kafka, quiet=timedelta(seconds=1))
    async with pipeline.running(consumes=False):
        await append(source, *events_in(LOG[1], 10))
        await sent(source, 10)

        await crash_and_lose(own_broker, own_kafka, end=0)

        async with pipeline.running():
            await pipeline.until_applied({LOG: 10})


async def test_a_broker_that_freezes_for_ten_seconds_costs_time_only(
    source: Database, reader: Database, own_broker: KafkaServer, own_kafka: KafkaSettings
) -> None:
    pipeline = Pipeline(source, reader, own_kafka)
    async with pipeline.running():
        await append(source, *events_in(LOG[1], 10))
        await pipeline.until_applied({LOG: 10})

        own_broker.pause()
        for _ in range(20):
            await append(source, *events_in(LOG[1], 2))
            await asyncio.sleep(0.5)
        own_broker.resume()

        await pipeline.until_applied({LOG: 50})


async def test_a_producer_whose_numbers_no_longer_fit_is_replaced(source: Database, kafka: KafkaSettings) -> None:
    relay = Relay(source, kafka)
    await append(source, *events_in(LOG[1], 3))
    await eventually(lambda: relay_once(relay, source), lambda cursor: cursor == 3)

    # what aiokafka does itself when it gives up a batch whose sequence numbers it has already taken
    relay._sender._producer._txn_manager.increment_sequence_number(kafka.partition(LOG), 5)  # type: ignore[union-attr]
    await append(source, *events_in(LOG[1], 3))

    await eventually(lambda: relay_once(relay, source), lambda cursor: cursor == 6)
    await relay.close()
    assert await seqs_in(kafka, LOG) == [1, 2, 3, 4, 5, 6]


async def relay_once(relay: Relay, source: Database) -> int:
    """One round, and where the cursor is then."""
    await relay.round()
    return await cursor_of(source, LOG)
