"""Our records are CloudEvents: the official SDK reads every one of them."""

from __future__ import annotations

import json
from uuid import UUID

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary
from cloudevents.core.formats.json import JSONFormat

from shared.events import Event, contracts
from shared.events.examples import example_of
from shared.kafka.records import OutboxRow, encode

pytestmark = pytest.mark.pure

TRACE = "00-6fc8072a46aa88882d24b4ec63437215-b39227d442603f1d-01"


@pytest.mark.parametrize("contract", list(contracts()), ids=lambda contract: f"{contract.TOPIC.name}:{contract.TYPE}")
def test_the_official_sdk_reads_our_records(contract: type[Event]) -> None:
    event = example_of(contract)
    headers = {"ce_epoch": "1", "ce_time": event.occurred_at.isoformat(), "traceparent": TRACE}
    payload = event.model_dump_json().encode()
    row = OutboxRow((contract.TOPIC.name, 3), 8, event.key, event.TYPE, UUID(int=8), UUID(int=7), headers, payload)

    read = from_binary(KafkaMessage(headers=dict(encode(row)), key=event.key, value=payload), JSONFormat())

    assert (read.get_id(), read.get_type(), read.get_source()) == (str(UUID(int=8)), contract.TYPE, contract.TOPIC.ce_source)
    assert read.get_subject() == event.key
    assert read.get_time() == event.occurred_at
    assert read.get_data() == json.loads(payload)
    assert (read.get_extension("sequence"), read.get_extension("previous")) == ("8", str(UUID(int=7)))
