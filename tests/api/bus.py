"""Carries what one service told to another, without a broker: the records as they would lie on Kafka, given to the reader's handler."""

from __future__ import annotations

from collections.abc import Sequence

from shared.consumer.received import Received, arrive
from shared.database import Database, from_json
from shared.events.topics import consumed_by
from shared.kafka.records import OutboxRow, encode, parse
from tests.api.houses import SERVICES, House


async def carry(source: House, reader: House) -> int:
    """Hand everything that the source told and the reader reads to the reader's handler, in one batch; how many records."""
    topics = {topic.name for topic in consumed_by(reader.name)}
    records = [row for row in await outbox(source.database) if row.log[0] in topics]
    make_handler = SERVICES[reader.name].handle
    assert make_handler is not None
    async with reader.database.transaction() as tx:
        await make_handler(reader.runtime)(tx, received(records))
    return len(records)


def received(rows: Sequence[OutboxRow]) -> list[Received]:
    """The rows as the consumer would decode them."""
    found = []
    for row in rows:
        headers = {name: value.decode() for name, value in encode(row)}
        arrived = arrive(parse(row.log, row.seq - 1, row.key, headers, row.payload))
        assert arrived.error is None, arrived.error
        assert arrived.received is not None
        found.append(arrived.received)
    return found


async def outbox(database: Database) -> list[OutboxRow]:
    """Everything that a service told, in order."""
    async with database.transaction() as tx:
        rows = await tx.fetch(
            "SELECT topic, part, seq, key, type, event_id, previous_id, headers, payload FROM outbox ORDER BY topic, part, seq"
        )
    return [
        OutboxRow(
            (row["topic"], row["part"]),
            row["seq"],
            row["key"],
            row["type"],
            row["event_id"],
            row["previous_id"],
            from_json(row["headers"]),
            row["payload"],
        )
        for row in rows
    ]
