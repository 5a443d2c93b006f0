"""The contracts of the bus: documented as they are, and never changed under a reader's feet."""

from __future__ import annotations

import copy
import json
from datetime import UTC
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.events import REGISTRY, Event, contracts
from shared.events.asyncapi import document
from shared.events.compatibility import breaks
from shared.events.document import ROOT, IncompatibleChange, files, folder_of, revisions, write
from shared.events.examples import example_of
from shared.events.schema import schema_of

pytestmark = pytest.mark.pure

ALL = list(contracts())
PERSONAL = {"name", "phone", "email", "address", "text", "subject", "link", "token"}


def by_type(contract: type[Event]) -> str:
    return f"{contract.TOPIC.name}:{contract.TYPE}"


def test_the_documents_are_what_the_models_say() -> None:
    stale = [str(path) for path, content in files(ROOT).items() if not (ROOT / path).exists() or (ROOT / path).read_bytes() != content]

    assert stale == [], "run `make contracts`"


@pytest.mark.parametrize("contract", ALL, ids=by_type)
def test_every_revision_is_compatible_with_all_before_it(contract: type[Event]) -> None:
    written = [orjson.loads(path.read_bytes()) for path in revisions(ROOT / folder_of(contract))]

    assert written
    for index, newer in enumerate(written):
        for older in written[:index]:
            assert breaks(older, newer) == []


@pytest.mark.parametrize("contract", ALL, ids=by_type)
def test_the_example_keeps_its_own_schema_and_survives_the_wire(contract: type[Event]) -> None:
    example = example_of(contract)

    wire = example.model_dump_json()

    jsonschema.Draft202012Validator(schema_of(contract)).validate(json.loads(wire))
    assert contract.model_validate_json(wire) == example


@pytest.mark.parametrize("contract", ALL, ids=by_type)
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_events_of_every_old_schema_are_read_today(contract: type[Event], data: st.DataObject) -> None:
    written = revisions(ROOT / folder_of(contract))
    schema = orjson.loads(data.draw(st.sampled_from(written)).read_bytes())

    message = data.draw(instances(schema))

    jsonschema.Draft202012Validator(schema).validate(message)
    assert contract.model_validate(message)


FORMATS = {
    "date": st.dates().map(str),
    "date-time": st.datetimes(timezones=st.just(UTC)).map(lambda moment: moment.isoformat()),
    "uuid": st.uuids().map(str),
}


def instances(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values of a schema, as far as contracts use the language; a keyword that is not known here fails the test."""
    if "anyOf" in schema:
        return st.one_of([instances(branch) for branch in schema["anyOf"]])
    if "enum" in schema or "const" in schema:
        return st.sampled_from(schema.get("enum") or [schema["const"]])
    match schema["type"]:
        case "object":
            return _objects(schema)
        case "array":
            return st.lists(instances(schema["items"]), max_size=3)
        case "string":
            return FORMATS[schema["format"]] if "format" in schema else st.text("abc", max_size=8)
        case "integer":
            return st.integers(schema.get("minimum", -9), schema.get("maximum", 1_000_000))
        case "number":
            return st.floats(schema.get("minimum", -9), schema.get("maximum", 9))
        case "boolean":
            return st.booleans()
        case "null":
            return st.none()
    raise AssertionError(f"no instances for {schema}")


def _objects(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    properties = {name: instances(part) for name, part in schema.get("properties", {}).items()}
    if not properties:
        return st.dictionaries(st.text("abc", max_size=4), instances(schema["additionalProperties"]), max_size=3)
    required = {name: properties.pop(name) for name in schema.get("required", ())}
    return st.fixed_dictionaries(required, optional=properties)


@pytest.mark.parametrize("contract", ALL, ids=by_type)
def test_readers_ignore_fields_that_they_do_not_know(contract: type[Event]) -> None:
    message = json.loads(example_of(contract).model_dump_json()) | {"added_tomorrow": {"deep": [1]}}

    assert contract.model_validate(message) == example_of(contract)


def test_fact_topics_carry_no_personal_field() -> None:
    carried = {
        (by_type(contract), name)
        for contract in ALL
        if contract.TOPIC.kind == "facts"
        for name in contract.model_fields
        if name in PERSONAL
    }

    assert carried == set()


def test_keys_are_ids_and_never_addresses() -> None:
    assert {contract.KEY for contract in ALL} == {"customer_id", "ticket_number", "response_id", "agent", "team"}
    assert len(REGISTRY) == len(ALL)


def test_the_asyncapi_document_is_valid_and_names_every_type() -> None:
    schema = json.loads((Path(__file__).parent / "asyncapi-3.0.0.schema.json").read_text())

    jsonschema.Draft7Validator(schema).validate(document())

    named = {name for channel in document()["channels"].values() for name in channel["messages"]}
    assert named == {contract.TYPE for contract in ALL}


SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "number": {"type": "string", "maxLength": 20},
        "score": {"anyOf": [{"type": "integer", "minimum": 1, "maximum": 5}, {"type": "null"}], "default": None},
        "solved": {"enum": ["yes", "no"], "type": "string"},
        "items": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["number", "solved"],
}


def _changed(change: Any) -> dict[str, Any]:
    schema = copy.deepcopy(SCHEMA)
    change(schema)
    return schema


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda s: s["properties"].update(note={"type": "string", "default": ""}), id="an optional field is added"),
        pytest.param(lambda s: s["properties"]["number"].update(maxLength=40), id="a limit is loosened"),
        pytest.param(lambda s: s["properties"]["number"].update(description="other words"), id="words change"),
    ],
)
def test_a_compatible_change_is_allowed(change: Any) -> None:
    assert breaks(SCHEMA, _changed(change)) == []


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda s: s["properties"].pop("score"), id="a field is removed"),
        pytest.param(lambda s: s["properties"]["number"].update(type="integer"), id="a field is retyped"),
        pytest.param(lambda s: s["required"].append("score"), id="a field becomes required"),
        pytest.param(lambda s: s["required"].remove("solved"), id="a field is no longer promised"),
        pytest.param(lambda s: s["properties"]["solved"]["enum"].append("partly"), id="a list grows"),
        pytest.param(lambda s: s["properties"]["solved"]["enum"].remove("no"), id="a list shrinks"),
        pytest.param(lambda s: s["properties"]["score"]["anyOf"][0].update(maximum=4), id="a limit is tightened"),
        pytest.param(lambda s: s["properties"]["score"]["anyOf"].pop(), id="null is forbidden"),
        pytest.param(lambda s: s["properties"]["items"]["items"].update(type="integer"), id="items are retyped"),
    ],
)
def test_an_incompatible_change_is_named(change: Any) -> None:
    assert breaks(SCHEMA, _changed(change)) != []


def test_an_incompatible_change_is_refused_and_writes_nothing(tmp_path: Path) -> None:
    write(tmp_path)
    first = next(path for path in sorted(tmp_path.rglob("1.json")))
    older = orjson.loads(first.read_bytes())
    older["properties"]["dropped_since"] = {"type": "string"}
    first.write_bytes(orjson.dumps(older))

    with pytest.raises(IncompatibleChange, match="dropped_since"):
        write(tmp_path)

    assert orjson.loads(first.read_bytes()) == older
