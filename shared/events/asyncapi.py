"""The bus as an AsyncAPI 3.0 document: channels, who sends and who receives, keys, headers, payloads, examples."""

from __future__ import annotations

from typing import Any, Final

import orjson

from shared.events import contracts
from shared.events.envelope import Event
from shared.events.examples import example_of
from shared.events.schema import schema_of
from shared.events.topics import NUMBERED, PARTITIONS, POSITIONS_TOPIC, Topic

_TEXT: Final = {"type": "string"}
HEADERS: Final = {
    "type": "object",
    "description": "CloudEvents 1.0, Kafka binary mode. ce_sequence, ce_epoch and ce_previous number the record in its log.",
    "properties": {
        "ce_specversion": {"const": "1.0"},
        "ce_id": {"type": "string", "format": "uuid"},
        "ce_source": _TEXT,
        "ce_type": _TEXT,
        "ce_time": {"type": "string", "format": "date-time"},
        "ce_subject": {"type": "string", "description": "the key"},
        "ce_dataschema": _TEXT,
        "content-type": {"const": "application/json"},
        "ce_sequence": {"type": "string", "pattern": "^[0-9]+$", "description": "1, 2, 3 ... without holes in one topic and partition"},
        "ce_epoch": {"type": "string", "pattern": "^[0-9]+$", "description": "raised when the source was restored from a backup"},
        "ce_previous": {"type": "string", "description": "id of the record before; absent on the first"},
        "traceparent": {"type": "string", "description": "W3C trace context"},
    },
    "required": ["ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "ce_sequence", "ce_epoch"],
}


def document() -> dict[str, Any]:
    """The whole document, ready to be written as JSON."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Aftercare bus",
            "version": "1.0.0",
            "description": "Every fact that Aftercare's services tell, in order per key. Apply a record only if its ce_sequence is the "
            "next one of its topic and partition: lower is a repeat, higher means that a record is still on its way.",
        },
        "defaultContentType": "application/json",
        "servers": {"local": {"host": "127.0.0.1:9092", "protocol": "kafka", "description": "the address that `make run` prints"}},
        "channels": {**{topic.name: _channel(topic) for topic in NUMBERED}, POSITIONS_TOPIC: _positions()},
        "operations": _operations(),
        "components": {"messages": {_name(contract): _message(contract) for contract in contracts()}},
    }


def _name(contract: type[Event]) -> str:
    return f"{contract.TOPIC.name}.{contract.TYPE}"


def _channel(topic: Topic) -> dict[str, Any]:
    messages = [contract for contract in contracts() if topic == contract.TOPIC]
    return {
        "address": topic.name,
        "title": topic.about,
        "description": f"{topic.kind.value}, written by {topic.source}, read by {', '.join(topic.consumers) or 'other systems'}",
        "messages": {contract.TYPE: {"$ref": f"#/components/messages/{_name(contract)}"} for contract in messages},
        "bindings": {
            "kafka": {
                "partitions": PARTITIONS,
                "topicConfiguration": {"cleanup.policy": ["delete"], "retention.ms": topic.retention_ms},
                "bindingVersion": "0.5.0",
            }
        },
    }


def _positions() -> dict[str, Any]:
    return {
        "address": POSITIONS_TOPIC,
        "title": "where each consumer stands, and its gap reports; safe to lose",
        "messages": {},
        "bindings": {"kafka": {"partitions": PARTITIONS, "topicConfiguration": {"cleanup.policy": ["compact"]}, "bindingVersion": "0.5.0"}},
    }


def _operations() -> dict[str, Any]:
    operations: dict[str, Any] = {}
    for topic in NUMBERED:
        channel = {"$ref": f"#/channels/{topic.name}"}
        operations[f"{topic.source}.send.{topic.name}"] = {"action": "send", "channel": channel}
        for consumer in topic.consumers:
            operations[f"{consumer}.receive.{topic.name}"] = {"action": "receive", "channel": channel}
    return operations


def _message(contract: type[Event]) -> dict[str, Any]:
    example = orjson.loads(example_of(contract).model_dump_json())
    return {
        "name": contract.TYPE,
        "title": contract.TYPE,
        "summary": (contract.__doc__ or "").split("\n")[0],
        "contentType": "application/json",
        "headers": HEADERS,
        "payload": {"schemaFormat": "application/schema+json;version=draft-07", "schema": _embedded(schema_of(contract))},
        "bindings": {"kafka": {"key": {"type": "string", "description": contract.KEY}, "bindingVersion": "0.5.0"}},
        "examples": [{"name": "kettle", "payload": example}],
    }


def _embedded(schema: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key not in {"$schema", "$id"}}
