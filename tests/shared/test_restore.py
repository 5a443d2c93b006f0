"""A source whose database was restored goes on with nothing lost that was accepted since, and nothing dropped as a repeat."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shared import outbox, protocol
from shared.database import Database
from shared.events.topics import TICKETS
from shared.kafka import KafkaSettings
from shared.positions import PositionsReader
from shared.relay import Relay
from shared.restore import Resumed, StillRunning, resume_after_restore
from tests.shared.flow import consumer_of, known_of, relay_of, running
from tests.shared.logs import append, cursor_of, events_in, execute, seqs_in
from tests.waiting import eventually

pytestmark = [pytest.mark.postgres, pytest.mark.kafka]

LOG = (TICKETS.name, 3)


@pytest.fixture
async def restored(service_database: Database, reader_database: Database, kafka: KafkaSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten events were sent and applied; then the source's database is set back to the fourth."""
    monkeypatch.setattr(protocol, "REPORT_CHANGED", timedelta(seconds=0.1))  # the consumer says at once how far it is
    reader = PositionsReader(service_database, kafka, "tickets")
    async with running(reader.run):
        await reader.is_reading.wait()
        async with running(relay_of(service_database, kafka).run, consumer_of(reader_database, kafka).run):
            await append(service_database, *events_in(LOG[1], 10))
            await eventually(lambda: known_of(service_database, LOG), lambda known: known == 10)
    await execute(
        service_database,
        """UPDATE outbox_head h SET head = 4, head_id = o.event_id FROM outbox o
            WHERE (h.topic, h.part) = ($1, $2) AND (o.topic, o.part, o.seq) = ($1, $2, 4)""",
        *LOG,
    )
    await execute(service_database, "DELETE FROM outbox WHERE seq > 4")
    await execute(service_database, "UPDATE outbox_cursor SET owner = NULL, owned_at = NULL, checked_at = NULL")
    await execute(service_database, "UPDATE outbox_cursor SET seq = 4 WHERE (topic, part) = ($1, $2)", *LOG)
    await execute(
        service_database, "UPDATE outbox_known SET last_seq = 4, last_id = NULL, stamp = 'epoch' WHERE (topic, part) = ($1, $2)", *LOG
    )


async def resume(database: Database, kafka: KafkaSettings) -> Resumed:
    resumed = await resume_after_restore(database, kafka, "tickets", by="ada", reason="disk broke")
    return next(each for each in resumed if (each.topic, each.part) == LOG)


async def applied(database: Database) -> list[Any]:
    async with database.transaction() as tx:
        rows = await tx.fetch("SELECT seq, event_id FROM applied WHERE (topic, part) = ($1, $2) ORDER BY id", *LOG)
        return [tuple(row) for row in rows]


async def accepted_ids(database: Database, after: int) -> list[Any]:
    async with database.transaction() as tx:
        rows = await tx.fetch(
            "SELECT event_id FROM outbox WHERE (topic, part) = ($1, $2) AND seq > $3 AND type <> 'outbox.filler.v1' ORDER BY seq",
            *LOG,
            after,
        )
        return [row["event_id"] for row in rows]


async def test_by_the_procedure_new_events_come_after_everything_known(
    service_database: Database, reader_database: Database, kafka: KafkaSettings, restored: None
) -> None:
    resumed = await resume(service_database, kafka)
    await append(service_database, *events_in(LOG[1], 2))

    async with running(relay_of(service_database, kafka).run, consumer_of(reader_database, kafka).run):
        await eventually(lambda: applied(reader_database), lambda found: len(found) >= 12)

    assert (resumed.head, resumed.fillers, resumed.moved, resumed.epoch) == (10, 6, 0, 2)
    assert [lost.seq for lost in resumed.lost] == [5, 6, 7, 8, 9, 10]
    assert {lost.type for lost in resumed.lost} == {"ticket.opened.v1"}
    assert [seq for seq, _ in await applied(reader_database)] == list(range(1, 13))


async def test_without_the_procedure_the_log_stops_and_what_was_accepted_is_not_lost(
    service_database: Database, reader_database: Database, kafka: KafkaSettings, restored: None
) -> None:
    await append(service_database, *events_in(LOG[1], 2))
    accepted = await accepted_ids(service_database, after=4)
    async with running(relay_of(service_database, kafka).run):
        await eventually(lambda: is_stopped(service_database))
    with pytest.raises(outbox.OutboxStopped):
        await append(service_database, *events_in(LOG[1], 1))
    await execute(service_database, "UPDATE outbox_cursor SET owned_at = NULL")

    resumed = await resume(service_database, kafka)
    await append(service_database, *events_in(LOG[1], 1))
    async with running(relay_of(service_database, kafka).run, consumer_of(reader_database, kafka).run):
        await eventually(lambda: applied(reader_database), lambda found: len(found) >= 13)

    assert (resumed.head, resumed.fillers, resumed.moved) == (12, 6, 2)
    found = await applied(reader_database)
    assert [seq for seq, _ in found] == list(range(1, 14))
    assert [event_id for seq, event_id in found if seq in (11, 12)] == accepted


async def is_stopped(database: Database) -> bool:
    async with database.transaction() as tx:
        return bool(await tx.fetchval("SELECT stopped IS NOT NULL FROM outbox_head WHERE (topic, part) = ($1, $2)", *LOG))


async def test_what_the_broker_loses_afterwards_can_be_sent_again(service_database: Database, kafka: KafkaSettings, restored: None) -> None:
    await resume(service_database, kafka)
    await execute(service_database, "UPDATE outbox_cursor SET seq = 0 WHERE (topic, part) = ($1, $2)", *LOG)

    relay = Relay(service_database, kafka, lease=timedelta(0))
    for _ in range(2):
        await relay.round()
    await relay.close()

    assert await cursor_of(service_database, LOG) == 10
    assert (await seqs_in(kafka, LOG))[-10:] == list(range(1, 11))


async def test_who_resumed_is_on_record_and_a_second_time_changes_no_number(
    service_database: Database, kafka: KafkaSettings, restored: None
) -> None:
    first = await resume(service_database, kafka)
    second = await resume(service_database, kafka)

    assert (second.head, second.fillers, second.moved, second.lost) == (first.head, 0, 0, ())
    async with service_database.transaction() as tx:
        rows = await tx.fetch("SELECT epoch, resumed_by, reason FROM outbox_resume WHERE (topic, part) = ($1, $2) ORDER BY epoch", *LOG)
    assert [tuple(row) for row in rows] == [(2, "ada", "disk broke"), (3, "ada", "disk broke")]


async def test_a_running_service_is_not_resumed(service_database: Database, kafka: KafkaSettings, restored: None) -> None:
    await execute(service_database, "UPDATE outbox_cursor SET owned_at = now() WHERE (topic, part) = ($1, $2)", *LOG)

    with pytest.raises(StillRunning):
        await resume(service_database, kafka)
