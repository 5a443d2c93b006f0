"""What a record turns out to be, decided outside any transaction: an event for the handler, nothing to us, or poison."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime
from typing import Any, Generic, NamedTuple
from uuid import UUID

from typing_extensions import TypeVar

from shared.database import Transaction
from shared.events import REGISTRY, Event
from shared.events.envelope import FILLER_TYPE
from shared.kafka.records import LogRecord

E = TypeVar("E", default=Event)
"""What a body is read as: its contract, unless the service reads it in another way."""


class Received(NamedTuple, Generic[E]):
    """An event as the handler gets it: of a known type, with a body that its contract accepts."""

    topic: str
    part: int
    seq: int
    event_id: UUID
    type: str
    key: str
    time: datetime
    event: E
    offset: int


Handle = Callable[[Transaction, Sequence[Received[Any]]], Awaitable[None]]
"""A service's handler: the admitted events of one polled batch, several logs possible, each log in order. It works set-based, may call
`outbox.append` once, as its last work, and must not commit."""

Read = Callable[[type[Event], LogRecord], Any]
"""How a service reads a body of a contract: something with an ``occurred_at``. Raises ValueError when it is no such event."""


def read_contract(contract: type[Event], record: LogRecord) -> Event:
    """As the contract itself; pydantic's ValidationError is a ValueError."""
    return contract.model_validate_json(record.value)


class Arrived(NamedTuple):
    """A record and what became of decoding it."""

    record: LogRecord
    received: Received[Any] | None = None
    error: Exception | None = None
    """Why the body of a known type is no event of that type. Neither an event nor an error: a filler, or a type that is not known yet."""
    passes_by: bool = False
    """Of a known type that this service does not read."""


def arrive(record: LogRecord, reads: Collection[type[Event]] | None = None, read: Read = read_contract) -> Arrived:
    """Decode the body, if it is of a type that the service ``reads``; None: it reads all. ``read`` is its way to do so."""
    contract = REGISTRY.get((record.log[0], record.type))
    if contract is None:
        return Arrived(record)
    if reads is not None and contract not in reads:
        return Arrived(record, passes_by=True)
    try:
        event = read(contract, record)
    except ValueError as error:
        return Arrived(record, error=error)
    topic, part = record.log
    time = record.time or event.occurred_at
    number = record.numbered
    return Arrived(record, Received(topic, part, number.seq, number.event_id, record.type, record.key, time, event, record.offset))


def is_unknown(arrived: Arrived) -> bool:
    """Whether the record is of a type that this release does not know: skipped, but its number counts."""
    return arrived.received is None and arrived.error is None and not arrived.passes_by and arrived.record.type != FILLER_TYPE


def apply_with(handle: Handle, read: Read = read_contract) -> Callable[[Transaction, Sequence[LogRecord]], Awaitable[None]]:
    """What a replay runs: decode with today's contracts, then the service's handler."""

    async def apply(tx: Transaction, records: Sequence[LogRecord]) -> None:
        arrived = [arrive(record, read=read) for record in records]
        for each in arrived:
            if each.error is not None:
                raise each.error
        received = [each.received for each in arrived if each.received is not None]
        if received:
            await handle(tx, received)

    return apply
