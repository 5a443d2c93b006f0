"""`python -m tests.chaos.poison -m services.tickets consume`: the handler refuses marked requests while the flag of poison is up.

A refused request is parked with its key, and what comes later of that key waits behind it. The refusal is deterministic: it is the event
that is refused, by whichever consumer and however often it is tried.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from services.metrics import consumer as metrics
from services.tickets import consumer as tickets
from shared.consumer import Handle, Received
from shared.database import Transaction
from shared.events.intake import RequestReceived
from tests.chaos.story import MARK
from tests.chaos.wrapping import become

FLAG: Final = "poison"
"""A file in the home: while it is there, marked requests are refused."""
SERVICES: Final = ("tickets", "metrics")
WRAPPER: Final = ("-m", "tests.chaos.poison")


class Poisoned(Exception):
    """A marked request."""


def flag(home: Path) -> Path:
    """The file."""
    return home / FLAG


def refusing(make: Callable[[Any], Handle]) -> Callable[[Any], Handle]:
    """The same handler, that refuses marked requests."""

    def make_refusing(runtime: Any) -> Handle:
        handle = make(runtime)

        async def refuse(tx: Transaction, received: Sequence[Received]) -> None:
            if any(is_marked(record) for record in received) and flag(runtime.settings.home).exists():
                raise Poisoned("a marked request")
            await handle(tx, received)

        return refuse

    return make_refusing


def is_marked(record: Received) -> bool:
    """Whether the harness marked the request of this event."""
    return isinstance(record.event, RequestReceived) and record.event.subject == MARK


if __name__ == "__main__":
    setattr(tickets, "create_handler", refusing(tickets.create_handler))  # noqa: B010 - mypy knows functions as final
    setattr(metrics, "make_handler", refusing(metrics.make_handler))  # noqa: B010
    become(sys.argv[1:])
