"""The contracts of the bus, one module per producing service: the only code that services share about each other."""

from __future__ import annotations

from collections.abc import Iterator

from shared.events import feedback, intake, notification, tickets
from shared.events.envelope import Event

_MODULES = (intake, tickets, feedback, notification)


def contracts() -> Iterator[type[Event]]:
    """Every concrete contract, in a stable order."""
    found = [
        item
        for module in _MODULES
        for item in vars(module).values()
        if isinstance(item, type) and issubclass(item, Event) and "TYPE" in vars(item) and item.__module__ == module.__name__
    ]
    yield from sorted(found, key=lambda contract: (contract.TOPIC.name, contract.TYPE))


REGISTRY: dict[tuple[str, str], type[Event]] = {(contract.TOPIC.name, contract.TYPE): contract for contract in contracts()}
"""Contract by (topic, type); a record whose pair is not here is of a type that this release does not know yet."""

__all__ = ["REGISTRY", "Event", "contracts"]
