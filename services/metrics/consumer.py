"""The door of the bus: everything that the other services tell becomes lines of the event log, and counts."""

from __future__ import annotations

from collections.abc import Sequence

from services.metrics import handlers, reduction
from services.metrics.reduction import Entry
from shared.consumer import Handle, Received
from shared.database import Transaction
from shared.events import Event
from shared.kafka.records import LogRecord
from shared.runtime import AnyRuntime


def read(contract: type[Event], record: LogRecord) -> Entry:
    """The line of the event log for a record; raises ValueError when its body is no event of the contract, or is about nothing."""
    topic, part = record.log
    return reduction.read(contract, topic, part, record.seq, record.value)


def make_handler(_runtime: AnyRuntime) -> Handle:
    """The handler of this process."""
    return handle


async def handle(tx: Transaction, records: Sequence[Received[Entry]]) -> None:
    """Record a batch. Metrics publishes nothing about single events, so the outbox is not touched."""
    await handlers.record(tx, [record.event for record in records])
