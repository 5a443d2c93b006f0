"""Records that Kafka should not hold: written twice, in another order, by somebody else; and records that it no longer holds."""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING, ClassVar, Final
from uuid import UUID

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete

from shared.events.topics import NUMBERED, PARTITIONS, POSITIONS_TOPIC, Topic
from shared.kafka import KafkaSettings
from shared.kafka.records import OutboxRow
from tests.chaos.faults import writing
from tests.chaos.faults.fault import ANY_CLUSTER, Kind, Skipped
from tests.chaos.faults.processes import frozen, in_order
from tests.chaos.faults.writing import Forged, copy_of, patiently

if TYPE_CHECKING:
    from tests.chaos.platform import Platform

MOST_LOGS: Final = 6
MOST_ROWS: Final = 20
UNSENT_TIME: Final = 6.0
"""Seconds for which a process is frozen at the most, until there is something that it has not done."""
READ: Final = [topic for topic in NUMBERED if topic.consumers]
UP_TO_THE_END: Final = -1


class RecordsRepeated:
    """Pieces of logs are in their topic once more, long after they were sent."""

    name: ClassVar = "records-repeated"
    kind: ClassVar = Kind.TOPIC
    lasts: ClassVar = 1.0
    brokers: ClassVar = ANY_CLUSTER

    async def strike(self, platform: Platform, random: Random) -> str:
        """See `Fault`."""
        topic, sent = await topic_with_traffic(platform, random)
        above = {part: random.randrange(sent[part]) for part in random.sample(sorted(sent), min(MOST_LOGS, len(sent)))}
        found = await patiently(writing.rows, platform, topic, above, limit=random.randint(1, MOST_ROWS))
        sent_rows = {part: [row for row in rows if row.seq <= sent[part]] for part, rows in found.items()}
        batches = {part: [copy_of(row) for row in rows] for part, rows in sent_rows.items() if rows}
        if not batches:
            raise Skipped(f"the outbox holds nothing any more of what was sent of {topic.name}")
        count = await patiently(writing.write, platform, topic, batches)
        return f"{count} of {topic.name}"


class RecordsReordered:
    """Rows that the frozen relay has not sent yet are in the topic before those that precede them."""

    name: ClassVar = "records-reordered"
    kind: ClassVar = Kind.TOPIC
    lasts: ClassVar = 4.0
    brokers: ClassVar = ANY_CLUSTER

    async def strike(self, platform: Platform, random: Random) -> str:
        """See `Fault`."""
        topic, _ = await topic_with_traffic(platform, random)
        relays = [child for child in in_order(platform, "relay") if child.service == topic.source]
        async with frozen(relays):
            unsent = await self._unsent(platform, topic)
            if not unsent:
                raise Skipped(f"nothing of {topic.name} was unsent within {UNSENT_TIME:.0f} s")
            batches = {part: [copy_of(row) for row in reversed(rows)] for part, rows in unsent.items()}
            count = await patiently(writing.write, platform, topic, batches)
        return f"{count} of {topic.name}"

    async def _unsent(self, platform: Platform, topic: Topic) -> dict[int, list[OutboxRow]]:
        """At least two rows above the cursor, per log."""
        until = asyncio.get_running_loop().time() + UNSENT_TIME
        while True:
            cursors = await patiently(writing.cursors, platform, topic)
            found = await patiently(writing.rows, platform, topic, cursors, limit=5)
            unsent = {part: rows for part, rows in found.items() if len(rows) >= 2}
            if len(unsent) >= MOST_LOGS or asyncio.get_running_loop().time() > until:
                return unsent
            await asyncio.sleep(0.2)


class RecordsForeign:
    """Records of somebody else, in the middle of the logs: none of them may have an effect, and none may stop a log.

    A used number comes with another event, but never as the last record of a log: that would be the sign of a restored database, upon
    which the relay stops the log and calls for an operator, as it should.
    """

    name: ClassVar = "records-foreign"
    kind: ClassVar = Kind.TOPIC
    lasts: ClassVar = 1.0
    brokers: ClassVar = ANY_CLUSTER

    async def strike(self, platform: Platform, random: Random) -> str:
        """See `Fault`."""
        topic, sent = await topic_with_traffic(platform, random)
        everybody = [await patiently(writing.applied, platform, topic, service) for service in topic.consumers]
        used = {part: min(applied.get(part, 0) for applied in everybody) - 1 for part in sent}
        usable = sorted(part for part in sent if used[part] > 0)
        if not usable:
            raise Skipped(f"no number of {topic.name} is used up yet")
        chosen = random.sample(usable, min(MOST_LOGS, len(usable)))
        last = await patiently(writing.rows, platform, topic, {part: sent[part] - 1 for part in chosen}, limit=1)
        batches = {part: [*foreign_to(row, random.randint(1, used[part]), random), copy_of(row)] for part, [row] in last.items()}
        count = await patiently(writing.write, platform, topic, batches) - len(batches)
        await patiently(writing.write, platform, POSITIONS, {random.randrange(PARTITIONS): [Forged(b"nobody", b"not a report", ())]})
        return f"{count} of {topic.name}"


POSITIONS: Final = Topic(POSITIONS_TOPIC, "", NUMBERED[0].kind, (), "where consumers stand")


def foreign_to(row: OutboxRow, used: int, random: Random) -> list[Forged]:
    """What others may write beside a row: under a used number, from another source, without a number of a log, without anything."""
    whole = copy_of(row)
    headers = dict(whole.headers)

    def with_headers(**changed: bytes | None) -> Forged:
        return Forged(whole.key, whole.value, [(name, value) for name, value in (headers | changed).items() if value is not None])

    another = str(UUID(int=random.getrandbits(128), version=4)).encode()
    return [
        with_headers(ce_sequence=b"%d" % used, ce_id=another, ce_previous=None),
        with_headers(ce_sequence=b"%d" % (row.seq + 1), ce_id=another, ce_source=b"/somebody/else"),
        with_headers(ce_sequence=None),
        with_headers(ce_sequence=b"the next one"),
        with_headers(ce_sequence=b"9" * 19),
        Forged(None, None, ()),
        Forged(b"\xff", b"\xff\xfe", [("ce_source", b"\xff")]),
    ]


class HoleInTopic:
    """Records are gone from the topic before a frozen service has read them, though the relay knows them to be sent.

    The next record shows a gap, which the service reports until the relay has sent the missing ones again. In a log where nothing
    follows, the heartbeat is that next record, 30 s later.
    """

    name: ClassVar = "hole-in-topic"
    kind: ClassVar = Kind.TOPIC
    lasts: ClassVar = 5.0
    brokers: ClassVar = ANY_CLUSTER

    async def strike(self, platform: Platform, random: Random) -> str:
        """See `Fault`."""
        topic, _ = await topic_with_traffic(platform, random)
        service = random.choice(topic.consumers)
        async with frozen([child for child in in_order(platform, "consume") if child.service == service]):
            unread = await self._unread(platform, topic, service)
            if not unread:
                raise Skipped(f"{service} had read all of {topic.name} within {UNSENT_TIME:.0f} s")
            await patiently(delete, platform, topic, list(unread))
        return f"{sum(unread.values())} of {topic.name} that {service} had not read"

    async def _unread(self, platform: Platform, topic: Topic, service: str) -> dict[int, int]:
        until = asyncio.get_running_loop().time() + UNSENT_TIME
        while True:
            sent = await patiently(writing.cursors, platform, topic)
            applied = await patiently(writing.applied, platform, topic, service)
            unread = {part: cursor - applied.get(part, 0) for part, cursor in sent.items() if cursor > applied.get(part, 0)}
            if len(unread) >= MOST_LOGS or asyncio.get_running_loop().time() > until:
                return unread
            await asyncio.sleep(0.2)


async def delete(platform: Platform, topic: Topic, parts: list[int]) -> None:
    """Kafka forgets everything that these partitions hold; their offsets go on."""
    settings = KafkaSettings(platform.bootstrap)
    admin = AIOKafkaAdminClient(bootstrap_servers=platform.bootstrap, request_timeout_ms=5000)
    try:
        await admin.start()
        await admin.delete_records({settings.partition((topic.name, part)): RecordsToDelete(UP_TO_THE_END) for part in parts})
    finally:
        await admin.close()


async def topic_with_traffic(platform: Platform, random: Random) -> tuple[Topic, dict[int, int]]:
    """A topic that somebody reads and that holds something, and how far each of its logs is sent."""
    until = asyncio.get_running_loop().time() + writing.PATIENCE
    while True:
        for topic in random.sample(READ, len(READ)):
            cursors = await patiently(writing.cursors, platform, topic)
            if sent := {part: seq for part, seq in cursors.items() if seq > 0}:
                return topic, sent
        if asyncio.get_running_loop().time() > until:
            raise Skipped("no topic holds anything")
        await asyncio.sleep(0.2)
