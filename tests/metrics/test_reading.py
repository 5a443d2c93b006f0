"""Reading straight from the bytes means what reading through the contracts means, for whatever may arrive."""

from __future__ import annotations

import json
import random
from datetime import timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from benchmarks import lives
from services.metrics.reduction import KEPT, Entry, NoIdentity, entry_of, reading
from services.metrics.reduction.reading import read
from shared.events import REGISTRY
from shared.events.envelope import Event
from shared.events.examples import EXAMPLES
from shared.events.topics import consumed_by

pytestmark = pytest.mark.pure

CONTRACTS = [contract for contract in REGISTRY.values() if contract.TOPIC in consumed_by("metrics")]

INSTANTS = [
    *("2026-03-02T08:00:00Z", "2026-03-02 08:00:00Z", "2026-03-02T08:00:00", "2026-03-02T08:00:00.1234567Z", "2026-03-02T08:00:00,5Z"),
    *("2026-03-02T08:00:00+08:00", "2026-03-02T24:00:00Z", "2026-02-30T08:00:00Z", "0001-01-01T00:00:00+08:00", "2026-03-02", "17724384"),
]
IDS = [
    *("3f2b8a52-0f0e-4a0c-9a55-0d7d0c5f6b11", "3F2B8A52-0F0E-4A0C-9A55-0D7D0C5F6B11", "3f2b8a520f0e4a0c9a550d7d0c5f6b11"),
    *("yes", "Li Wei", "13800138000", "agent-1", "AS-1", "repair", "true", "12", ""),
]
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 12),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from(INSTANTS),
    st.sampled_from(IDS),
    st.lists(st.text(max_size=3), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)
NO_BODIES = [b"", b"{}", b"[]", b"null", b"{", b'{"a":1}{', b'"x"', b"\xff"]


def outcome(function: Any, *arguments: Any) -> Entry | str:
    """A line of the event log, or how it was refused."""
    try:
        return function(*arguments)  # type: ignore[no-any-return]
    except (ValidationError, NoIdentity) as error:
        return type(error).__name__


def through_the_contract(contract: type[Event], topic: str, part: int, seq: int, value: bytes) -> Entry:
    """The slow way."""
    return entry_of(topic, part, seq, contract.model_validate_json(value))


def example_of(contract: type[Event]) -> dict[str, Any]:
    """A body as its producer writes it."""
    event = next(event for event in EXAMPLES if type(event) is contract)
    return orjson.loads(event.model_dump_json())  # type: ignore[no-any-return]


@given(st.data())
def test_whatever_arrives_is_read_as_the_contract_reads_it(data: st.DataObject) -> None:
    contract = data.draw(st.sampled_from(CONTRACTS))
    body = example_of(contract)
    for _ in range(data.draw(st.integers(1, 3))):
        place = body
        nested = [name for name, value in body.items() if isinstance(value, dict)]
        if nested and data.draw(st.booleans()):
            place = body[data.draw(st.sampled_from(nested))]
        name = data.draw(st.sampled_from([*place, "unheard_of"]))
        if data.draw(st.booleans()):
            place[name] = data.draw(ODD)
        else:
            place.pop(name, None)
    value = json.dumps(body).encode()  # also numbers that no machine word holds

    arguments = (contract, "aftercare.tickets", 3, 7, value)
    assert outcome(read, *arguments) == outcome(through_the_contract, *arguments)


@given(st.sampled_from(CONTRACTS), st.binary(max_size=20) | st.sampled_from(NO_BODIES))
def test_what_is_no_event_is_refused_as_the_contract_refuses_it(contract: type[Event], value: bytes) -> None:
    arguments = (contract, "aftercare.tickets", 3, 7, value)
    assert outcome(read, *arguments) == outcome(through_the_contract, *arguments)


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.TYPE)
def test_what_producers_write_is_plain(contract: type[Event], monkeypatch: pytest.MonkeyPatch) -> None:
    body = example_of(contract)

    def refuse(*_: object) -> Entry:
        raise AssertionError("was not read in the fast way")

    expected = through_the_contract(contract, contract.TOPIC.name, 3, 7, orjson.dumps(body))
    monkeypatch.setattr(reading, "entry_of", refuse)

    entry = read(contract, contract.TOPIC.name, 3, 7, orjson.dumps(body))
    assert entry == expected
    assert orjson.dumps(entry.data, option=orjson.OPT_SORT_KEYS) == orjson.dumps(expected.data, option=orjson.OPT_SORT_KEYS)


def test_the_lives_of_the_benchmarks_are_such_events(monkeypatch: pytest.MonkeyPatch) -> None:
    found = lives.records(30, within=timedelta(days=1), seed=random.Random(1).randrange(9))
    expected = [through_the_contract(REGISTRY[r.row.log[0], r.row.type], *r.row.log, r.row.seq, r.row.payload) for r in found]

    monkeypatch.setattr(reading, "entry_of", lambda *_: None)
    entries = [read(REGISTRY[r.row.log[0], r.row.type], *r.row.log, r.row.seq, r.row.payload) for r in found]

    assert entries == expected
    assert {REGISTRY[r.row.log[0], r.row.type] for r in found} <= KEPT.keys()
