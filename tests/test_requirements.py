"""docs/requirements.md tells the truth: what it names exists, and no requirement is forgotten."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.pure

ROOT = Path(__file__).parents[1]
ROW = re.compile(
    r"^\| (?P<id>[RD]\d+) \| (?P<what>.+?) \| (?P<state>open|part|done)(?P<rest>[^|]*) \| (?P<place>[^|]*) \| (?P<test>[^|]*) \|$"
)
LINES = [line for line in (ROOT / "docs" / "requirements.md").read_text().splitlines() if re.match(r"^\| [RD]\d", line)]
ROWS = [match.groupdict() for line in LINES if (match := ROW.match(line))]
DECISIONS = {f"D{number:02}" for number in range(1, 14)}
COUNT = 250


def test_every_requirement_and_decision_has_one_readable_row() -> None:
    ids = [row["id"] for row in ROWS]

    assert len(LINES) == len(ids) == len(set(ids)) == COUNT
    assert set(ids) >= DECISIONS | {"R001", "R269"}


def test_named_places_exist() -> None:
    named = {(row["id"], path) for row in ROWS for path in re.findall(r"`([^`]+)`", row["place"])}

    assert {(row, path) for row, path in named if not (ROOT / path).exists()} == set()


def test_named_tests_exist() -> None:
    named = {(row["id"], test) for row in ROWS for test in re.findall(r"`([^`]+)`", row["test"])}

    assert {(row, test) for row, test in named if not _exists(test)} == set()


def test_what_is_not_open_names_its_place_and_its_test() -> None:
    assert [row["id"] for row in ROWS if row["state"] != "open" and not ("`" in row["place"] and "`" in row["test"])] == []


def _exists(test: str) -> bool:
    path, _, name = test.partition("::")
    return (ROOT / path).is_file() and bool(re.search(rf"\b(def|class) {re.escape(name)}\b", (ROOT / path).read_text()))
