"""The relay carries every log in order; what the broker lost or a consumer misses goes again; a foreign history stops a log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from shared import kafka as clients
from shared import outbox
from shared.database import Database
from shared.events import tickets
from shared.events.topics import TICKETS
from shared.kafka import KafkaSettings, topics
from shared.kafka.records import OutboxRow, encode
from shared.outbox import Wakeup
from shared.protocol import QUIET
from shared.relay import Relay
from shared.relay.cursors import LOGS_PER_ROUND, Claim, is_work_there
from tests.shared.logs import append, cursor_of, cursors_of, events_in, execute, records_in, seqs_in
from tests.waiting import eventually

pytestmark = [pytest.mark.postgres, pytest.mark.kafka]

LOG = (TICKETS.name, 3)
AT_ONCE = timedelta(0)

MakeRelay = Callable[..., Relay]


@pytest.fixture
async def relay_of(service_database: Database, kafka: KafkaSettings) -> AsyncIterator[MakeRelay]:
    """Makes relays of the service's database that are closed after the test."""
    made: list[Relay] = []

    def make(**options: Any) -> Relay:
        made.append(Relay(service_database, options.pop("kafka", kafka), **options))
        return made[-1]

    yield make
    for relay in made:
        await relay.close()


async def carry(relay: Relay) -> int:
    """Rounds until every log that has work had its turn; the number of rows that were sent."""
    rows = 0
    for _ in range(24 // LOGS_PER_ROUND):
        rows += (await relay.round()).rows
    return rows


async def send_as_the_source(kafka: KafkaSettings, seq: int) -> None:
    """A record of a history that this database does not know."""
    row = OutboxRow(LOG, seq, "T-1", tickets.TicketOpened.TYPE, uuid4(), None, {"ce_epoch": "1"}, b"{}")
    producer = clients.new_producer(kafka)
    await producer.start()
    partition = kafka.partition(LOG)
    await producer.send_and_wait(partition.topic, row.payload, partition=partition.partition, headers=encode(row))
    await producer.stop()


async def test_events_arrive_in_order_with_what_identifies_them(
    service_database: Database, kafka: KafkaSettings, relay_of: MakeRelay
) -> None:
    events = events_in(LOG[1], 5)
    await append(service_database, *events)

    sent = await carry(relay_of())

    records = await records_in(kafka, LOG)
    assert sent == 5
    assert [record.seq for record in records] == [1, 2, 3, 4, 5]
    assert [record.numbered.previous_id for record in records] == [None, *(record.numbered.event_id for record in records[:-1])]
    assert [tickets.TicketOpened.model_validate_json(record.value) for record in records] == events
    assert {record.type for record in records} == {"ticket.opened.v1"}
    assert [record.key for record in records] == [event.ticket_number for event in events]
    assert {record.time for record in records} == {events[0].occurred_at}
    assert all("traceparent" in record.headers for record in records)
    assert await cursor_of(service_database, LOG) == 5


async def test_a_round_without_work_writes_nothing(service_database: Database, relay_of: MakeRelay) -> None:
    async def versions() -> list[Any]:
        async with service_database.transaction() as tx:
            return [tuple(row) for row in await tx.fetch("SELECT topic, part, xmin::text FROM outbox_cursor ORDER BY 1, 2")]

    relay = relay_of()
    while any(checked is None for checked in await checked_at(service_database)):
        await relay.round()
    before = await versions()

    await carry(relay)

    assert await versions() == before


async def is_worth_a_round(database: Database, *, me: str, quiet: timedelta = QUIET, resting: Sequence[outbox.Log] = ()) -> bool:
    async with database.single_statements() as tx:
        return await is_work_there(tx, Claim(me, timedelta(seconds=5), quiet, resting))


async def test_a_look_finds_what_a_round_would_do(service_database: Database, relay_of: MakeRelay) -> None:
    relay = relay_of()
    assert await is_worth_a_round(service_database, me=relay.name), "nobody has looked at the broker yet"
    while any(checked is None for checked in await checked_at(service_database)):
        await relay.round()

    assert not await is_worth_a_round(service_database, me=relay.name)
    assert await is_worth_a_round(service_database, me=relay.name, quiet=AT_ONCE)

    await append(service_database, *events_in(LOG[1], 4))
    assert await is_worth_a_round(service_database, me=relay.name)
    assert not await is_worth_a_round(service_database, me="another"), "the log is this one's"
    assert not await is_worth_a_round(service_database, me=relay.name, resting=[LOG])

    await carry(relay)
    assert not await is_worth_a_round(service_database, me=relay.name)
    await nack(service_database, expected=3)
    assert await is_worth_a_round(service_database, me=relay.name)
    await carry(relay)
    assert not await is_worth_a_round(service_database, me=relay.name), "it was answered a moment ago"


async def test_what_another_process_writes_is_found_by_looking(service_database: Database, relay_of: MakeRelay) -> None:
    stop = asyncio.Event()
    run = asyncio.create_task(relay_of().run(stop))
    await eventually(lambda: checked_at(service_database), lambda found: None not in found)

    await append(service_database, *events_in(LOG[1], 2))

    await eventually(lambda: cursor_of(service_database, LOG), lambda seq: seq == 2)
    stop.set()
    await run


async def checked_at(database: Database) -> list[Any]:
    async with database.transaction() as tx:
        return [row["checked_at"] for row in await tx.fetch("SELECT checked_at FROM outbox_cursor")]


async def test_more_logs_than_a_round_takes_all_advance(service_database: Database, relay_of: MakeRelay) -> None:
    for part in range(12):
        await append(service_database, *events_in(part, 20))
    relay = relay_of(rows_per_batch=2)

    for _ in range(8):
        await carry(relay)

    cursors = await cursors_of(service_database)
    assert all(cursors[TICKETS.name, part] >= 6 for part in range(12)), cursors


async def test_two_relays_share_the_logs(service_database: Database, kafka: KafkaSettings, relay_of: MakeRelay) -> None:
    for part in range(12):
        await append(service_database, *events_in(part, 6))
    first, second = relay_of(rows_per_batch=1), relay_of(rows_per_batch=1)
    stop = asyncio.Event()

    runs = [asyncio.create_task(relay.run(stop)) for relay in (first, second)]
    await eventually(lambda: cursors_of(service_database), lambda cursors: all(cursors[TICKETS.name, part] == 6 for part in range(12)))
    stop.set()
    await asyncio.gather(*runs)

    for part in range(12):
        seqs = await seqs_in(kafka, (TICKETS.name, part))
        assert list(dict.fromkeys(seqs)) == [1, 2, 3, 4, 5, 6]


async def test_a_log_changes_hands_when_its_lease_is_over(service_database: Database, relay_of: MakeRelay) -> None:
    await append(service_database, *events_in(LOG[1], 1))
    await carry(relay_of())
    await append(service_database, *events_in(LOG[1], 1))

    held = await carry(relay_of())
    taken = await carry(relay_of(lease=AT_ONCE))

    assert (held, taken) == (0, 1)


async def test_a_commit_wakes_the_relay(service_database: Database, relay_of: MakeRelay) -> None:
    wakeup, stop = Wakeup(), asyncio.Event()
    relay = relay_of(wakeup=wakeup, poll=3600)
    run = asyncio.create_task(relay.run(stop))

    await append(service_database, *events_in(LOG[1], 1))
    wakeup()

    await eventually(lambda: cursor_of(service_database, LOG), lambda seq: seq == 1)
    stop.set()
    async with asyncio.timeout(10):
        await run


async def test_a_record_of_another_history_stops_the_log_and_refuses_appends(
    service_database: Database, kafka: KafkaSettings, relay_of: MakeRelay
) -> None:
    await append(service_database, *events_in(LOG[1], 2))
    await send_as_the_source(kafka, seq=3)

    assert await carry(relay_of()) == 0

    with pytest.raises(outbox.OutboxStopped):
        await append(service_database, *events_in(LOG[1], 1))
    await append(service_database, *events_in(LOG[1] + 1, 1))
    assert await seqs_in(kafka, LOG) == [3]


async def test_another_event_under_our_number_stops_the_log(service_database: Database, kafka: KafkaSettings, relay_of: MakeRelay) -> None:
    await append(service_database, *events_in(LOG[1], 2))
    await send_as_the_source(kafka, seq=2)

    assert await carry(relay_of()) == 0

    with pytest.raises(outbox.OutboxStopped):
        await append(service_database, *events_in(LOG[1], 1))


async def test_a_consumer_ahead_of_the_head_stops_the_log(service_database: Database, relay_of: MakeRelay) -> None:
    await append(service_database, *events_in(LOG[1], 2))
    await execute(service_database, "UPDATE outbox_known SET last_seq = 7 WHERE (topic, part, consumer) = ($1, $2, 'metrics')", *LOG)

    assert await carry(relay_of()) == 0

    with pytest.raises(outbox.OutboxStopped):
        await append(service_database, *events_in(LOG[1], 1))


async def test_a_missing_row_stops_the_log_but_takes_events(service_database: Database, relay_of: MakeRelay) -> None:
    await append(service_database, *events_in(LOG[1], 3))
    await execute(service_database, "DELETE FROM outbox WHERE (topic, part, seq) = ($1, $2, 2)", *LOG)
    relay = relay_of()

    assert await carry(relay) == 0
    assert await carry(relay) == 0

    await append(service_database, *events_in(LOG[1], 1))
    async with service_database.transaction() as tx:
        stopped = await tx.fetch("SELECT topic, part FROM outbox_cursor WHERE stopped IS NOT NULL")
    assert [tuple(row) for row in stopped] == [LOG]


async def test_a_great_backlog_goes_in_portions_and_a_hole_stops_its_own_log_alone(
    service_database: Database, kafka: KafkaSettings, relay_of: MakeRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.relay.round.PORTION", 7)
    for part in range(12):
        await append(service_database, *events_in(part, 5))
    await execute(service_database, "DELETE FROM outbox WHERE (topic, part, seq) = ($1, $2, 2)", *LOG)

    sent = await carry(relay_of())

    assert sent == 11 * 5
    for part in range(12):
        assert await seqs_in(kafka, (TICKETS.name, part)) == ([] if part == LOG[1] else [1, 2, 3, 4, 5])


async def nack(database: Database, expected: int) -> None:
    """A consumer misses that number."""
    await execute(
        database,
        """UPDATE outbox_known SET last_seq = $3 - 1, expected = $3, expected_at = clock_timestamp()
            WHERE (topic, part, consumer) = ($1, $2, 'metrics')""",
        *LOG,
        expected,
    )


async def test_a_nack_sends_again_from_the_missing_number_once(
    service_database: Database, kafka: KafkaSettings, relay_of: MakeRelay
) -> None:
    await append(service_database, *events_in(LOG[1], 4))
    relay = relay_of()
    await carry(relay)
    await nack(service_database, expected=3)

    first = await carry(relay)
    at_once_again = await carry(relay)

    assert (first, at_once_again) == (2, 0)
    assert await seqs_in(kafka, LOG) == [1, 2, 3, 4, 3, 4]


async def test_a_nack_below_the_floor_moves_nothing(service_database: Database, relay_of: MakeRelay) -> None:
    await append(service_database, *events_in(LOG[1], 4))
    relay = relay_of()
    await carry(relay)
    await execute(service_database, "UPDATE outbox_cursor SET floor = 2 WHERE (topic, part) = ($1, $2)", *LOG)
    await nack(service_database, expected=2)

    assert await carry(relay) == 0
    assert await cursor_of(service_database, LOG) == 4


async def test_a_quiet_log_sends_its_head_again_while_a_consumer_lags(
    service_database: Database, kafka: KafkaSettings, relay_of: MakeRelay
) -> None:
    await append(service_database, *events_in(LOG[1], 3))
    await carry(relay_of())

    beats = await carry(relay_of(quiet=AT_ONCE, lease=AT_ONCE))

    assert beats == 1
    assert await seqs_in(kafka, LOG) == [1, 2, 3, 3]
    assert await cursor_of(service_database, LOG) == 3


async def test_a_quiet_log_that_everybody_has_read_stays_silent(
    service_database: Database, kafka: KafkaSettings, relay_of: MakeRelay
) -> None:
    await append(service_database, *events_in(LOG[1], 3))
    await carry(relay_of())
    await execute(service_database, "UPDATE outbox_known SET last_seq = 3 WHERE (topic, part) = ($1, $2)", *LOG)

    beats = await carry(relay_of(quiet=AT_ONCE, lease=AT_ONCE))

    assert beats == 0
    assert await seqs_in(kafka, LOG) == [1, 2, 3]


async def test_a_broker_that_lost_everything_gets_it_again(service_database: Database, kafka: KafkaSettings, relay_of: MakeRelay) -> None:
    await append(service_database, *events_in(LOG[1], 3))
    await carry(relay_of())
    empty = replace(kafka, topic_prefix=f"{kafka.topic_prefix}empty.")
    await topics.apply(empty)

    sent = await carry(relay_of(kafka=empty, quiet=AT_ONCE, lease=AT_ONCE))

    assert sent == 3
    assert await seqs_in(empty, LOG) == [1, 2, 3]
    await topics.remove(empty)


async def test_rows_below_the_floor_are_not_missed(service_database: Database, kafka: KafkaSettings, relay_of: MakeRelay) -> None:
    await append(service_database, *events_in(LOG[1], 5))
    await execute(service_database, "UPDATE outbox_cursor SET floor = 2 WHERE (topic, part) = ($1, $2)", *LOG)
    await execute(service_database, "DELETE FROM outbox WHERE seq <= 2")

    sent = await carry(relay_of())

    assert sent == 3
    assert await seqs_in(kafka, LOG) == [3, 4, 5]


async def test_a_broker_that_is_away_loses_nothing(service_database: Database, kafka: KafkaSettings, relay_of: MakeRelay) -> None:
    await append(service_database, *events_in(LOG[1], 3))
    away = relay_of(kafka=replace(kafka, bootstrap_servers="127.0.0.1:1"))

    with pytest.raises(clients.CLIENT_ERRORS):
        await carry(away)

    assert await carry(relay_of()) == 3
    assert await seqs_in(kafka, LOG) == [1, 2, 3]


async def test_large_events_go_in_several_batches(service_database: Database, kafka: KafkaSettings, relay_of: MakeRelay) -> None:
    large = [event.model_copy(update={"actor": "x" * 300_000}) for event in events_in(LOG[1], 4)]
    await append(service_database, *large)
    relay = relay_of()

    rows = [await carry(relay) for _ in range(4)]

    assert sum(rows) == 4
    assert max(rows) < 4
    assert await seqs_in(kafka, LOG) == [1, 2, 3, 4]
