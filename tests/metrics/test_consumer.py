"""The door of the bus: what arrives in a batch is logged, reduced, and counts."""

from __future__ import annotations

from uuid import UUID

import orjson
import pytest
from pydantic import ValidationError

from services.metrics.consumer import handle, read
from services.metrics.reduction import Entry, NoIdentity
from shared.consumer import Received
from shared.consumer.received import arrive
from shared.database import Database
from shared.events import Event
from shared.events.intake import CustomerRegistered
from shared.kafka.records import LogRecord
from shared.protocol import Numbered
from tests.metrics.builders import CUSTOMER, HOUR, START, Story, answer, request
from tests.metrics.database import differences, rollups

pytestmark = pytest.mark.postgres


def record(event: Event, seq: int, **fields: object) -> LogRecord:
    """As it comes from Kafka."""
    value = orjson.dumps({**orjson.loads(event.model_dump_json()), **fields})
    numbered = Numbered(1, seq, UUID(int=seq), None)
    return LogRecord((event.TOPIC.name, 3), seq, numbered, event.TYPE, event.key, event.occurred_at, {}, value)


def received(event: Event, seq: int) -> Received[Entry]:
    """As the consumer hands it over."""
    found = arrive(record(event, seq), read=read).received
    assert found is not None
    return found


async def test_a_batch_of_all_topics_is_logged_and_counts(metrics_database: Database) -> None:
    registered = CustomerRegistered(occurred_at=START, customer_id=CUSTOMER, name="林小姐", locale="zh-CN")
    events = [registered, request(1), *Story().later(HOUR).replied().resolved().events, answer(1, overall=5)]

    async with metrics_database.transaction() as tx:
        await handle(tx, [received(event, number) for number, event in enumerate(events, start=1)])

    async with metrics_database.transaction() as tx:
        logged = await tx.fetch("SELECT topic, type, key, data::text AS data FROM event_log ORDER BY seq")
    assert [(row["topic"], row["type"], row["key"]) for row in logged] == [(event.TOPIC.name, event.TYPE, event.key) for event in events]
    assert "林小姐" not in "".join(row["data"] for row in logged)
    totals = {key[0] for key in await rollups(metrics_database) if key[1] == "total"}
    assert totals == {
        *("requests", "tickets_opened", "tickets_resolved", "first_response_time", "resolution_time"),
        *("sla_first_response", "sla_resolution", "resolution_rate", "reopen_rate", "csat_mean"),
    }
    assert await differences(metrics_database) == []


def test_an_event_about_nothing_is_refused() -> None:
    assert isinstance(arrive(record(answer(1, ticket_number="Li Wei"), 2), read=read).error, NoIdentity)


def test_what_is_no_event_of_its_contract_is_refused() -> None:
    assert isinstance(arrive(record(request(1), 2, completeness="much"), read=read).error, ValidationError)


async def test_a_batch_without_events_changes_nothing(metrics_database: Database) -> None:
    async with metrics_database.transaction() as tx:
        await handle(tx, [])

    assert await rollups(metrics_database) == {}
