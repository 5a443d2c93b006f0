"""The platform's topics on the broker: created as `shared/events/topics.py` describes them, and compared with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaTimeoutError

from shared.events.topics import NUMBERED, PARTITIONS, POSITIONS_TOPIC, Kind, Topic
from shared.kafka import KafkaSettings, close, new_reader

TOPIC_EXISTS: Final = 36
"""Kafka's error code; creating a topic raises nothing, the codes are in the response."""

LEADER_TIMEOUT: Final = 30.0
"""Seconds until every partition must have a leader."""

_DAY_MS: Final = 24 * 3600 * 1000


class TopicRefused(Exception):
    """The broker did not create a topic, or has it with another number of partitions."""


@dataclass(frozen=True)
class Described:
    """A topic as it is on the broker."""

    name: str
    partitions: int
    """0 = it is not there."""
    differences: Mapping[str, tuple[str, str | None]]
    """Setting -> (wanted, found)."""


async def apply(settings: KafkaSettings, *, replication: int = 1) -> list[str]:
    """Create what is missing and correct settings that differ; the names of the topics that were created.

    Raises:
        TopicRefused: the broker refused, or a topic has another number of partitions. Numbers of logs cannot be spread anew.
    """
    async with _admin(settings) as admin:
        created = await _create(admin, settings, replication)
        if created:
            await _await_leaders(settings, created)
        for topic in await _describe(admin, settings):
            if topic.partitions != PARTITIONS:
                raise TopicRefused(f"{topic.name} has {topic.partitions} partitions, not {PARTITIONS}")
            if topic.differences:
                await _correct(admin, topic.name, wanted_settings(settings, replication)[topic.name])
    return created


async def remove(settings: KafkaSettings) -> None:
    """Delete the platform's topics with everything in them: for a platform that is thrown away."""
    async with _admin(settings) as admin:
        await admin.delete_topics(list(wanted_settings(settings)))


async def describe(settings: KafkaSettings) -> list[Described]:
    """Each of the platform's topics as the broker has it."""
    async with _admin(settings) as admin:
        return await _describe(admin, settings)


def wanted_settings(settings: KafkaSettings, replication: int = 1) -> dict[str, dict[str, str]]:
    """Name on the broker -> settings."""
    wanted = {settings.physical(topic.name): _settings_of(topic) for topic in NUMBERED}
    wanted[settings.physical(POSITIONS_TOPIC)] = {"cleanup.policy": "compact", "segment.ms": str(_DAY_MS)}
    if replication >= 3:
        for options in wanted.values():
            options["min.insync.replicas"] = "2"
    return wanted


def _settings_of(topic: Topic) -> dict[str, str]:
    options = {"cleanup.policy": "delete", "retention.ms": str(topic.retention_ms), "retention.bytes": "-1"}
    if topic.kind is Kind.CONTENT:
        # the newest segment is never deleted: without an end of its own it could hold personal data for ever
        options["segment.ms"] = str(_DAY_MS)
    return options


async def _create(admin: AIOKafkaAdminClient, settings: KafkaSettings, replication: int) -> list[str]:
    wanted = wanted_settings(settings, replication)
    response = await admin.create_topics(
        [NewTopic(name, PARTITIONS, replication, topic_configs=options) for name, options in wanted.items()]
    )
    created = []
    for name, code, *message in response.topic_errors:
        if code == 0:
            created.append(name)
        elif code != TOPIC_EXISTS:
            raise TopicRefused(f"{name}: Kafka's error {code} {' '.join(str(part) for part in message if part)}")
    return created


async def _await_leaders(settings: KafkaSettings, names: Sequence[str]) -> None:
    """A topic that the controller has accepted can be used a moment later: when each partition tells its end."""
    reader = new_reader(settings)
    try:
        await reader.start()
        async with asyncio.timeout(LEADER_TIMEOUT):
            await _ends_told(reader, [TopicPartition(name, part) for name in names for part in range(PARTITIONS)])
    except TimeoutError as error:
        raise TopicRefused(f"not every partition has a leader {LEADER_TIMEOUT:.0f} s after its creation") from error
    finally:
        await close(reader)


async def _ends_told(reader: AIOKafkaConsumer, partitions: Sequence[TopicPartition]) -> None:
    """The client's own patience is that of one request; a broker on a busy machine may need several."""
    while True:
        try:
            await reader.end_offsets(partitions)
        except KafkaTimeoutError:
            continue
        return


async def _describe(admin: AIOKafkaAdminClient, settings: KafkaSettings) -> list[Described]:
    wanted = wanted_settings(settings)
    partitions = {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics(list(wanted))}
    present = [name for name in wanted if partitions.get(name)]
    found = await _read_settings(admin, present)
    return [
        Described(
            name,
            partitions.get(name, 0),
            {key: (value, found[name].get(key)) for key, value in options.items() if name in found and found[name].get(key) != value},
        )
        for name, options in wanted.items()
    ]


async def _read_settings(admin: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, dict[str, str]]:
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    found: dict[str, dict[str, str]] = {}
    for response in await admin.describe_configs(resources) if resources else ():
        for code, _message, _kind, name, entries in (resource[:5] for resource in response.resources):
            if code == 0:
                found[name] = {entry[0]: entry[1] for entry in entries}
    return found


async def _correct(admin: AIOKafkaAdminClient, name: str, options: dict[str, str]) -> None:
    responses: list[Any] = await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, configs=options)])
    for response in responses:
        for code, message, *_ in response.resources:
            if code != 0:
                raise TopicRefused(f"{name}: Kafka's error {code} {message or ''}")


@asynccontextmanager
async def _admin(settings: KafkaSettings) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.bootstrap_servers, request_timeout_ms=settings.request_timeout_ms)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()
