"""What tests of delivery ask of a log: its rows, its cursor, what Kafka holds of it."""

from __future__ import annotations

from collections.abc import Iterator

from shared import kafka as clients
from shared import outbox
from shared.database import Database
from shared.events.tickets import TicketOpened
from shared.events.topics import TICKETS
from shared.kafka import KafkaSettings
from shared.kafka.records import LogRecord, decode
from shared.outbox import Log
from shared.protocol import partition_of
from tests.shared.events import opened


def events_in(part: int, count: int) -> list[TicketOpened]:
    """So many events of one log of aftercare.tickets."""
    numbers = (number for number in keys_in(part))
    return [opened(next(numbers)) for _ in range(count)]


def keys_in(part: int) -> Iterator[str]:
    """Ticket numbers whose events go to that partition."""
    number = 0
    while True:
        number += 1
        if partition_of(f"T-{number}") == part:
            yield f"T-{number}"


async def append(database: Database, *events: TicketOpened) -> None:
    """One committed transaction that tells the events."""
    async with database.transaction() as tx:
        await outbox.append(tx, events)


async def cursor_of(database: Database, log: Log) -> int:
    """The cursor of a log."""
    async with database.transaction() as tx:
        return int(await tx.fetchval("SELECT seq FROM outbox_cursor WHERE (topic, part) = ($1, $2)", *log))


async def cursors_of(database: Database) -> dict[Log, int]:
    """All cursors."""
    async with database.transaction() as tx:
        return {(row["topic"], row["part"]): row["seq"] for row in await tx.fetch("SELECT topic, part, seq FROM outbox_cursor")}


async def execute(database: Database, statement: str, *args: object) -> None:
    """One committed statement."""
    async with database.transaction() as tx:
        await tx.execute(statement, *args)


async def records_in(kafka: KafkaSettings, log: Log) -> list[LogRecord]:
    """Everything of ours that the broker holds of a log of aftercare.tickets, in order of offsets."""
    reader = clients.new_reader(kafka)
    await reader.start()
    try:
        partition = kafka.partition(log)
        reader.assign([partition])
        end = (await reader.end_offsets([partition]))[partition]
        reader.seek(partition, 0)
        found: list[LogRecord] = []
        while await reader.position(partition) < end:
            for record in (await reader.getmany(partition, timeout_ms=200)).get(partition, []):
                decoded = decode(TICKETS, record)
                if decoded is not None:
                    found.append(decoded)
        return found
    finally:
        await clients.close(reader)


async def seqs_in(kafka: KafkaSettings, log: Log) -> list[int]:
    """Their numbers."""
    return [record.seq for record in await records_in(kafka, log)]
