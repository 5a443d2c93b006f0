"""JSON Schema of each contract, closed as producers promise it, with every reference resolved so that a schema stands alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from shared.events.envelope import Event

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def schema_of(contract: type[Event]) -> dict[str, Any]:
    """The published schema: what a producer may send. Readers stay tolerant of more."""
    raw = contract.model_json_schema(mode="validation")
    resolved = _close(_inline(raw, raw.get("$defs", {})))
    resolved.pop("$defs", None)
    return {"$schema": DIALECT, "$id": f"urn:aftercare:{contract.TOPIC.name}:{contract.TYPE}", **resolved, "title": contract.TYPE}


def _inline(node: Any, definitions: Mapping[str, Any]) -> Any:
    if isinstance(node, list):
        return [_inline(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        name = node["$ref"].removeprefix("#/$defs/")
        rest = {key: value for key, value in node.items() if key != "$ref"}
        return {**_inline(definitions[name], definitions), **_inline(rest, definitions)}
    return {key: _inline(value, definitions) for key, value in node.items() if key != "$defs"}


def _close(node: Any) -> Any:
    if isinstance(node, list):
        return [_close(item) for item in node]
    if not isinstance(node, dict):
        return node
    closed = {key: _close(value) for key, value in node.items()}
    if node.get("type") == "object" and "properties" in node:
        closed["additionalProperties"] = False
    return closed
