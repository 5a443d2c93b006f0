"""Nothing personal enters the event log, and no contract is forgotten."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal, get_args, get_origin
from uuid import UUID

import orjson
import pytest
from pydantic import AwareDatetime, BaseModel

from services.metrics.reduction import KEPT, UNKNOWN, NoIdentity, code, entry_of, identifier, reduce
from shared.events import contracts, examples
from shared.events.envelope import Event
from shared.events.tickets import Dimensions
from shared.events.topics import consumed_by
from tests.metrics.builders import answer, request

pytestmark = pytest.mark.pure

PERSONAL = (
    "林小姐",
    "Lin Wei",
    "lin.wei@example.com",
    "+86 138 0013 8000",
    "13800138000",
    "138-0013-8000",
    "上海市南京路1号",
    "My kettle leaks!",
)
AT = datetime(2026, 3, 2, 8, tzinfo=UTC)

CONSUMED = [contract for contract in contracts() if contract.TOPIC in consumed_by("metrics")]


def _planted(contract: type[BaseModel], word: str) -> dict[str, Any]:
    """A body in which every field that can hold words holds this one, also the names in mappings."""
    key = getattr(contract, "KEY", None)  # an id of our own: anything else is refused, see below
    return {
        name: "AS-1" if name == key and field.annotation is str else _value(field.annotation, word, name)
        for name, field in contract.model_fields.items()
    }


def _value(annotation: Any, word: str, name: str) -> Any:
    if name == "reference":
        return "AS-1"
    if get_origin(annotation) is Literal:
        return get_args(annotation)[0]
    if get_origin(annotation) in {dict, tuple}:
        return {word: 1} if get_origin(annotation) is dict else (word,)
    if options := [option for option in get_args(annotation) if option is not type(None)]:
        return _value(str if str in options else options[0], word, name)
    if issubclass(annotation, BaseModel):
        return _planted(annotation, word)
    return {str: word, AwareDatetime: AT, UUID: UUID(int=5), date: AT.date(), bool: True, float: 0.5, int: 1}[annotation]


@pytest.mark.parametrize("word", PERSONAL)
@pytest.mark.parametrize("contract", CONSUMED, ids=lambda contract: contract.TYPE)
def test_personal_data_in_any_field_stays_out_of_the_log(contract: type[Event], word: str) -> None:
    event = contract(**_planted(contract, word))
    assert word in event.model_dump_json()  # it really was planted

    entry = entry_of(contract.TOPIC.name, 3, 1, event)

    logged = orjson.dumps([entry.type, entry.key, entry.data]).decode()
    assert word not in logged
    assert orjson.dumps(word).decode().strip('"') not in logged


@pytest.mark.parametrize("contract", CONSUMED, ids=lambda contract: contract.TYPE)
def test_for_each_contract_that_metrics_reads_somebody_decided_what_is_kept(contract: type[Event]) -> None:
    assert contract in KEPT


def test_a_contract_that_nobody_decided_about_keeps_its_time_alone() -> None:
    class Told(Event):
        TYPE = "told.v1"
        KEY = "who"
        who: str

    assert reduce(Told(occurred_at=AT, who="somebody")) == {"occurred_at": 1_772_438_400_000_000}


@pytest.mark.parametrize("event", [event for event in examples.EXAMPLES if type(event) in CONSUMED], ids=lambda event: event.TYPE)
def test_what_is_kept_of_a_believable_event_is_kept_as_it_was(event: Event) -> None:
    data = reduce(event)

    assert UNKNOWN not in orjson.dumps(data).decode()
    assert data["occurred_at"] == (event.occurred_at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def test_the_text_and_the_product_of_a_request_are_forgotten() -> None:
    data = reduce(request(1, text="It leaks.", subject="Kettle", product={"model": "KT-200", "serial_number": "SN-1"}, external_id="x"))

    assert set(data) == {
        "occurred_at",
        "request_id",
        "customer_id",
        "channel",
        "type",
        "received_at",
        "occurred_at_clamped",
        "external_id_reused",
        "completeness",
        "entered_by",
    }


@pytest.mark.parametrize("value", ["web", "technical_support", "x", "line"])
def test_a_code_stays(value: str) -> None:
    assert code(value) == value


@pytest.mark.parametrize("word", ["screen-broken", "3d_printer", "leak.pump"])
def test_codes_of_the_organisations_own_lists_stay_as_they_are(word: str) -> None:
    """Also where they are written otherwise than ours: two root topics must not become one unknown."""
    dimensions = Dimensions(status="resolved", priority="normal", channel="web", category=word, root_topic=word)

    kept = reduce(answer(1, dimensions=dimensions))["dimensions"]

    assert (kept["category"], kept["root_topic"]) == (word, word)


@pytest.mark.parametrize("value", ["", "Web", "li wei", "wei@example.com", "13800138000", "x" * 65, "微信", "web\n"])
def test_what_is_no_code_is_unknown(value: str) -> None:
    assert code(value) == UNKNOWN


@pytest.mark.parametrize("value", ["agent-7", "T1.1", "3f2b8a52-0f0e-4a0c-9a55-0d7d0c5f6b11", "4711", "Q0"])
def test_an_identifier_stays(value: str) -> None:
    assert identifier(value) == value


@pytest.mark.parametrize("value", ["", "Li Wei", "wei@example.com", "13800138000", "138-0013-8000", "+8613800138000", "x" * 65, "李伟"])
def test_what_is_no_identifier_is_unknown(value: str) -> None:
    assert identifier(value) == UNKNOWN


@pytest.mark.parametrize("number", ["", "Li Wei", "wei@example.com", "13800138000"])
def test_an_event_about_nothing_that_has_an_id_is_refused(number: str) -> None:
    with pytest.raises(NoIdentity):
        entry_of("aftercare.feedback", 0, 1, answer(1, ticket_number=number))
