"""The door of the bus: everything that the other services tell becomes lines of the event log, and counts."""

from __future__ import annotations

from collections.abc import Sequence

from services.metrics import handlers
from services.metrics.reduction import entry_of
from shared.consumer import Handle, Received
from shared.database import Transaction
from shared.runtime import AnyRuntime


def make_handler(_runtime: AnyRuntime) -> Handle:
    """The handler of this process."""
    return handle


async def handle(tx: Transaction, records: Sequence[Received]) -> None:
    """Record a batch. Metrics publishes nothing about single events, so the outbox is not touched."""
    await handlers.record(tx, [entry_of(record.topic, record.part, record.seq, record.event) for record in records])
