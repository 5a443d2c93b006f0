"""Records, topics and tails on a real broker."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaTimeoutError

from shared import kafka as clients
from shared.events.envelope import FILLER_TYPE
from shared.events.topics import INTAKE, NUMBERED, PARTITIONS, POSITIONS_TOPIC, TICKETS
from shared.kafka import KafkaSettings, topics
from shared.kafka.gathering import Gathering
from shared.kafka.records import OutboxRow, encode
from shared.kafka.tail import TailReader
from shared.protocol import Tail
from tests.waiting import eventually

pytestmark = pytest.mark.kafka

LOG = (TICKETS.name, 3)


def row(seq: int) -> OutboxRow:
    previous = UUID(int=seq - 1) if seq > 1 else None
    return OutboxRow(LOG, seq, "T-1", FILLER_TYPE, UUID(int=seq), previous, {"ce_epoch": "1"}, b"{}")


async def send(kafka: KafkaSettings, *headers: list[tuple[str, bytes]]) -> None:
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers) as producer:
        for each in headers:
            await producer.send_and_wait(kafka.physical(LOG[0]), b"{}", partition=LOG[1], headers=each)


async def test_topics_are_created_once_and_described_as_wanted(kafka: KafkaSettings) -> None:
    created_again = await topics.apply(kafka)
    described = {topic.name: topic for topic in await topics.describe(kafka)}

    assert created_again == []
    assert set(described) == {kafka.physical(name) for name in [*(topic.name for topic in NUMBERED), POSITIONS_TOPIC]}
    assert all(topic.partitions == PARTITIONS for topic in described.values())
    assert all(topic.differences == {} for topic in described.values())


@pytest.mark.apache_kafka
async def test_a_topic_that_somebody_changed_is_brought_back(kafka: KafkaSettings) -> None:
    async def differences() -> dict[str, tuple[str, str | None]]:
        return {key: value for topic in await topics.describe(kafka) for key, value in topic.differences.items()}

    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    changed = ConfigResource(ConfigResourceType.TOPIC, kafka.physical(INTAKE.name), configs={"retention.ms": "1000"})
    await admin.alter_configs([changed])
    await admin.close()
    assert (await eventually(differences))["retention.ms"] == (str(INTAKE.retention_ms), "1000")

    await topics.apply(kafka)

    await eventually(differences, lambda found: not found)


async def test_a_topic_with_another_number_of_partitions_is_refused(kafka: KafkaSettings) -> None:
    other = replace(kafka, topic_prefix=f"{kafka.topic_prefix}other.")
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    await admin.create_topics([NewTopic(other.physical(INTAKE.name), 3, 1)])
    await admin.close()

    with pytest.raises(topics.TopicRefused, match="3 partitions"):
        await topics.apply(other)

    await topics.remove(other)


async def test_leaders_that_come_late_are_waited_for(kafka: KafkaSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = replace(kafka, topic_prefix=f"{kafka.topic_prefix}late.")
    end_offsets, asked = AIOKafkaConsumer.end_offsets, []

    async def late(reader: AIOKafkaConsumer, partitions: object) -> object:
        asked.append(partitions)
        if len(asked) == 1:
            raise KafkaTimeoutError
        return await end_offsets(reader, partitions)

    monkeypatch.setattr(AIOKafkaConsumer, "end_offsets", late)

    created = await topics.apply(settings)
    await topics.remove(settings)

    assert len(created) == len(NUMBERED) + 1
    assert len(asked) == 2


async def test_the_tail_of_a_new_log_is_empty(kafka: KafkaSettings) -> None:
    reader = TailReader(kafka)

    tails = await reader.read([(topic.name, part) for topic in NUMBERED for part in range(2)])

    await reader.close()
    assert set(tails.values()) == {Tail(end_offset=0)}
    assert len(tails) == 2 * len(NUMBERED)


async def test_the_tail_is_the_last_record_of_ours(kafka: KafkaSettings) -> None:
    await send(kafka, encode(row(1)), encode(row(2)))
    reader = TailReader(kafka)

    tails = await reader.read([LOG])

    await reader.close()
    assert tails[LOG] == Tail(2, 2, UUID(int=2))


async def test_the_tail_looks_past_records_of_others(kafka: KafkaSettings) -> None:
    forged = [(name, b"/elsewhere" if name == "ce_source" else value) for name, value in encode(row(9))]
    unnumbered = [(name, b"ten" if name == "ce_sequence" else value) for name, value in encode(row(10))]
    await send(kafka, encode(row(1)), *([forged, unnumbered, []] * 20))
    reader = TailReader(kafka)

    tails = await reader.read([LOG])
    again = await reader.read([LOG])

    await reader.close()
    assert tails[LOG] == again[LOG] == Tail(61, 1, UUID(int=1))


async def test_a_log_of_others_alone_is_no_evidence(kafka: KafkaSettings) -> None:
    await send(kafka, [], [])
    reader = TailReader(kafka)

    tails = await reader.read([LOG])

    await reader.close()
    assert tails[LOG] == Tail(end_offset=2)


async def test_a_broker_that_is_away_gives_no_tail_and_no_error(kafka: KafkaSettings) -> None:
    reader = TailReader(replace(kafka, bootstrap_servers="127.0.0.1:1"), timeout=1)

    tails = await reader.read([LOG])

    await reader.close()
    assert tails == {}


async def test_a_client_of_a_broker_that_is_away_closes(kafka: KafkaSettings) -> None:
    producer = clients.new_producer(replace(kafka, bootstrap_servers="127.0.0.1:1"))

    with pytest.raises(clients.CLIENT_ERRORS):
        await producer.start()

    await clients.close(producer)


async def test_what_comes_after_a_quiet_time_is_fetched_at_once(kafka: KafkaSettings) -> None:
    """Where events flow the broker would keep the record back for as long as the client waits for it here."""
    reader = clients.new_reader(kafka, gather_ms=6_000)
    gathering = Gathering(reader, gather_ms=6_000, quiet_ms=6_000)
    gathering.answered(with_records=False)
    await reader.start()
    reader.assign([kafka.partition(LOG)])
    reader.seek(kafka.partition(LOG), 0)
    gathering.answered(with_records=False)

    await send(kafka, encode(row(1)))
    polled = await reader.getmany(timeout_ms=5_000)

    await clients.close(reader)
    assert [record.offset for record in polled[kafka.partition(LOG)]] == [0]


async def test_where_events_flow_they_are_fetched_together(kafka: KafkaSettings) -> None:
    reader = clients.new_reader(kafka, gather_ms=1_000)
    gathering = Gathering(reader, gather_ms=1_000, quiet_ms=6_000)
    await reader.start()
    reader.assign([kafka.partition(LOG)])
    reader.seek(kafka.partition(LOG), 0)
    gathering.answered(with_records=True)

    await send(kafka, encode(row(1)), encode(row(2)))
    polled = await reader.getmany(timeout_ms=5_000)

    await clients.close(reader)
    assert [record.offset for record in polled[kafka.partition(LOG)]] == [0, 1]
