"""`python -m tests.chaos.poison -m services.tickets consume`: the handler refuses marked requests while the flag of poison is up.

A refused request is parked with its key, and what comes later of that key waits behind it. The refusal is deterministic: it is the event
that is refused, by whichever consumer and however often it is tried. Metrics keeps no subjects, so there the mark is looked for where a
body is read, and goes on with the line of the event log that is made of it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from services.metrics import consumer as metrics
from services.metrics.reduction import Entry
from services.tickets import consumer as tickets
from shared.consumer import Handle, Read, Received
from shared.database import Transaction
from shared.events import Event
from shared.events.intake import RequestReceived
from shared.kafka.records import LogRecord
from tests.chaos.story import MARK
from tests.chaos.wrapping import become

FLAG: Final = "poison"
"""A file in the home: while it is there, marked requests are refused."""
SERVICES: Final = ("tickets", "metrics")
WRAPPER: Final = ("-m", "tests.chaos.poison")


class Poisoned(Exception):
    """A marked request."""


class MarkedEntry(Entry):
    """What metrics reads of a marked request: an entry like any other."""


def flag(home: Path) -> Path:
    """The file."""
    return home / FLAG


def refusing(make: Callable[[Any], Handle]) -> Callable[[Any], Handle]:
    """The same handler, that refuses marked requests."""

    def make_refusing(runtime: Any) -> Handle:
        handle = make(runtime)

        async def refuse(tx: Transaction, received: Sequence[Received[Any]]) -> None:
            if any(is_marked(record) for record in received) and flag(runtime.settings.home).exists():
                raise Poisoned("a marked request")
            await handle(tx, received)

        return refuse

    return make_refusing


def marking(read: Read) -> Read:
    """The same way to read a body as an entry, that still knows of marked requests."""

    def read_marking(contract: type[Event], record: LogRecord) -> Entry:
        entry: Entry = read(contract, record)
        if contract is RequestReceived and RequestReceived.model_validate_json(record.value).subject == MARK:
            return MarkedEntry(*entry)
        return entry

    return read_marking


def is_marked(record: Received[Any]) -> bool:
    """Whether the harness marked the request of this event."""
    event = record.event
    return isinstance(event, MarkedEntry) or (isinstance(event, RequestReceived) and event.subject == MARK)


if __name__ == "__main__":
    # before the services' modules take these names from them; mypy knows functions as final
    setattr(tickets, "create_handler", refusing(tickets.create_handler))  # noqa: B010
    setattr(metrics, "make_handler", refusing(metrics.make_handler))  # noqa: B010
    setattr(metrics, "read", marking(metrics.read))  # noqa: B010
    become(sys.argv[1:])
