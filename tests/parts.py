"""The parts of the suite: which tests they hold, and in which order they are begun.

A plugin of pytest that `make test` loads: it sorts the tests by their parts and notes each test's part in pytest's report. The long and the
waiting ones are begun first, so that at the end there are many short ones for whichever worker is free. Until all tests are known nothing
is thrown away, and afterwards all of it stays, so no garbage is looked for there.
"""

from __future__ import annotations

import gc
from collections.abc import Generator, Set
from dataclasses import dataclass
from typing import Final

import pytest

NOTE: Final = "part"
"""The property of a test in the report."""


@dataclass(frozen=True)
class Part:
    """The tests with one of these markers that no part before it has. `budget` in seconds of a worker is a wish, not a limit."""

    name: str
    markers: frozenset[str]
    budget: int


PARTS: Final = (
    Part("chaos", frozenset({"chaos"}), 200),
    Part("schemathesis", frozenset({"schemathesis"}), 60),
    Part("journeys", frozenset({"journey"}), 60),
    Part("Kafka", frozenset({"kafka", "apache_kafka"}), 200),
    Part("PostgreSQL", frozenset({"postgres", "api"}), 200),
    Part("pure", frozenset({"pure"}), 80),
    Part("everything else", frozenset(), 60),
)
"""In the order in which they are begun."""


def place_of(markers: Set[str]) -> int:
    """Where in `PARTS` a test with these markers belongs; without any of a part it still runs, with everything else."""
    return next((place for place, part in enumerate(PARTS) if part.markers & markers), len(PARTS) - 1)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Called around the search for tests."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Called when all tests are known."""
    places = {item: place_of({marker.name for marker in item.iter_markers()}) for item in items}
    items.sort(key=places.__getitem__)
    for item, place in places.items():
        item.user_properties.append((NOTE, PARTS[place].name))
