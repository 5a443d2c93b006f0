"""A consumer without Kafka: takes polled batches, writes what it applied, refuses what it is told to refuse."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from uuid import UUID

from shared.consumer import Received
from shared.consumer.batch import Batches, Committed, Polled
from shared.consumer.logstate import LogState
from shared.consumer.received import arrive
from shared.database import Database, Transaction
from shared.events.envelope import Event
from shared.events.tickets import TicketOpened
from shared.events.topics import TICKETS
from shared.kafka.records import LogRecord, OutboxRow, encode, parse
from shared.outbox import Log
from tests.shared.events import AT, opened
from tests.shared.flow import note

LOG = (TICKETS.name, 3)
OTHER = (TICKETS.name, 5)


def record(
    seq: int, key: str = "T-1", *, log: Log = LOG, offset: int | None = None, value: bytes | None = None, type_: str | None = None
) -> LogRecord:
    """Record number `seq` of a log whose ids are its numbers."""
    previous = None if seq == 1 else UUID(int=seq - 1)
    body = opened(key).model_dump_json().encode() if value is None else value
    row = OutboxRow(log, seq, key, type_ or TicketOpened.TYPE, UUID(int=seq), previous, {"ce_epoch": "1", "ce_time": AT.isoformat()}, body)
    headers = {name: value.decode() for name, value in encode(row)}
    return parse(log, seq - 1 if offset is None else offset, key, headers, body)


def poison(seq: int, key: str = "T-1") -> LogRecord:
    return record(seq, key, value=b'{"ticket_number": 7}')


class Desk:
    """A consumer of one process: applies batches, and writes what it applied."""

    def __init__(
        self,
        database: Database,
        *,
        refuses: Collection[str] = (),
        error: Callable[[], Exception] = lambda: ValueError("refused"),
        reads: Collection[type[Event]] | None = None,
    ) -> None:
        self.database = database
        self.reads = reads
        self.refuses = refuses
        self.error = error
        self.logs: dict[Log, LogState] = {LOG: LogState(), OTHER: LogState()}
        self.results: list[Committed] = []
        self.batches = Batches(database, self.handle, self.committed)

    async def handle(self, tx: Transaction, received: Sequence[Received]) -> None:
        await note(tx, received)
        if any(each.key in self.refuses for each in received):
            raise self.error()

    def committed(self, result: Committed) -> None:
        self.results.append(result)
        self.logs[result.log].remember(result)

    async def take(self, *records: LogRecord) -> None:
        """Apply a polled batch."""
        offs: dict[Log, int] = {}
        for each in records:
            offs[each.log] = max(offs.get(each.log, 0), each.offset + 1)
        await self.batches.apply(Polled(tuple(arrive(each, self.reads) for each in records), offs), self.logs)


async def applied(database: Database, log: Log = LOG) -> list[int]:
    async with database.transaction() as tx:
        return [row["seq"] for row in await tx.fetch("SELECT seq FROM applied WHERE (topic, part) = ($1, $2) ORDER BY id", *log)]


async def parked(database: Database) -> list[tuple[int, str | None]]:
    async with database.transaction() as tx:
        rows = await tx.fetch("SELECT seq, error_class FROM dead_letter WHERE status = 'parked' ORDER BY topic, part, seq")
        return [(row["seq"], row["error_class"]) for row in rows]
