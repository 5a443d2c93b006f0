"""What operators see of delivery."""

from __future__ import annotations

import pytest
from prometheus_client import REGISTRY

from shared.consumer import figures as consumer_figures
from shared.database import Database
from shared.events.topics import TICKETS
from shared.relay import figures as outbox_figures
from tests.shared.desk import Desk, poison
from tests.shared.logs import append, events_in, execute

pytestmark = pytest.mark.postgres

LOG = (TICKETS.name, 3)


def value(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


async def test_the_outbox_shows_what_is_unsent_and_who_is_behind(service_database: Database) -> None:
    await append(service_database, *events_in(3, 4), *events_in(5, 2))
    await execute(service_database, "UPDATE outbox_cursor SET seq = 1, floor = 1 WHERE (topic, part) = ($1, $2)", *LOG)
    await execute(service_database, "UPDATE outbox_known SET last_seq = 4 WHERE consumer = 'metrics' AND (topic, part) = ($1, $2)", *LOG)

    async with service_database.transaction() as tx:
        await outbox_figures.show(tx)

    assert value("outbox_unsent_rows", topic=TICKETS.name) == 5
    assert (value("outbox_oldest_unsent_seconds", topic=TICKETS.name) or 0) > 0
    assert value("outbox_consumer_behind", topic=TICKETS.name, consumer="metrics") == 2
    assert value("outbox_consumer_behind", topic=TICKETS.name, consumer="intake") == 6
    assert value("outbox_consumer_below_floor", topic=TICKETS.name, consumer="intake") == 1
    assert value("outbox_consumer_below_floor", topic=TICKETS.name, consumer="metrics") == 0


async def test_a_log_that_refuses_events_makes_the_service_unready(service_database: Database) -> None:
    before = await outbox_figures.check(service_database)
    await execute(service_database, "UPDATE outbox_cursor SET stopped = 'a row is missing' WHERE (topic, part) = ($1, $2)", *LOG)
    missing = await outbox_figures.check(service_database)
    await execute(service_database, "UPDATE outbox_head SET stopped = 'restored' WHERE (topic, part) = ($1, $2)", *LOG)
    restored = await outbox_figures.check(service_database)

    assert [(found.passes, found.observed) for found in (before, missing, restored)] == [(True, 0), (True, 1), (False, 1)]


async def test_a_consumer_shows_its_dead_letters_and_stopped_logs(reader_database: Database) -> None:
    await Desk(reader_database).take(poison(1))
    await execute(reader_database, "UPDATE consumer_part SET stopped = 'two histories met' WHERE (topic, part) = ($1, $2)", *LOG)

    async with reader_database.transaction() as tx:
        await consumer_figures.show_dead_letters(tx, "feedback", [TICKETS.name])

    assert value("consumer_dead_letters", consumer="feedback", topic=TICKETS.name) == 1
    assert (await consumer_figures.check(reader_database)).observed == 1
