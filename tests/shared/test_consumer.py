"""A batch is one transaction: what is applied, what is dropped, what is parked, whatever order and number records come in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from uuid import UUID

import asyncpg
import pytest

from shared.consumer.batch import BreakerOpened, PositionMoved
from shared.database import Database
from shared.errors import Unavailable
from shared.events.envelope import FILLER_TYPE
from shared.events.tickets import TicketOpened, TicketResolved
from shared.kafka.records import LogRecord
from shared.protocol import BREAKER_SHARE, BREAKER_WINDOW, Numbered
from tests.shared.desk import LOG, OTHER, Desk, applied, parked, poison, record
from tests.shared.events import AT

pytestmark = pytest.mark.postgres


async def test_a_batch_over_two_logs_is_applied_in_order(reader_database: Database) -> None:
    desk = Desk(reader_database)

    await desk.take(*(record(seq) for seq in (1, 2, 3)), *(record(seq, log=OTHER) for seq in (1, 2)))

    assert await applied(reader_database) == [1, 2, 3]
    assert await applied(reader_database, OTHER) == [1, 2]
    assert {result.log: result.admission.position.last_seq for result in desk.results} == {LOG: 3, OTHER: 2}


async def test_what_was_applied_is_dropped_and_what_is_ahead_is_missed(reader_database: Database) -> None:
    desk = Desk(reader_database)
    await desk.take(record(1), record(2))

    await desk.take(record(1, offset=2), record(2, offset=3), record(4, offset=4), record(3, offset=5))

    assert await applied(reader_database) == [1, 2, 3]
    last = desk.results[-1]
    assert (last.admission.duplicates, last.admission.ahead, last.admission.expected) == (2, 1, 4)
    assert desk.logs[LOG].is_report_due()


async def test_two_owners_of_a_log_apply_each_event_once(reader_database: Database) -> None:
    owners = [Desk(reader_database) for _ in range(4)]

    outcomes = await asyncio.gather(*(owner.take(*(record(seq) for seq in range(1, 40))) for owner in owners), return_exceptions=True)

    assert await applied(reader_database) == list(range(1, 40))
    assert sum(isinstance(outcome, PositionMoved) for outcome in outcomes) == 3


async def test_what_a_service_does_not_read_passes_by_whatever_is_in_it_and_its_number_counts(reader_database: Database) -> None:
    desk = Desk(reader_database, reads=[TicketResolved])

    await desk.take(record(1), poison(2), record(3))

    assert await applied(reader_database) == []
    assert await parked(reader_database) == []
    assert desk.results[-1].admission.position.last_seq == 3
    assert desk.results[-1].unknown == 0


async def test_a_body_that_is_no_event_parks_its_key_and_nobody_else(reader_database: Database) -> None:
    desk = Desk(reader_database)

    await desk.take(record(1, "A"), poison(2, "B"), record(3, "A"), record(4, "B"), record(5, "C"))
    await desk.take(record(6, "B"), record(7, "A"))

    assert await applied(reader_database) == [1, 3, 5, 7]
    assert await parked(reader_database) == [(2, "ValidationError"), (4, None), (6, None)]


async def test_an_event_that_the_handler_refuses_is_found_and_parked(reader_database: Database) -> None:
    desk = Desk(reader_database, refuses={"B"})

    await desk.take(*(record(seq, "B" if seq in (50, 60) else f"K-{seq}") for seq in range(1, 101)))

    assert await applied(reader_database) == [seq for seq in range(1, 101) if seq not in (50, 60)]
    assert await parked(reader_database) == [(50, "ValueError"), (60, None)]
    assert desk.logs[LOG].position.last_seq == 100
    assert sum(result.applied for result in desk.results) == 98


async def test_an_unknown_type_is_skipped_but_its_number_counts(reader_database: Database) -> None:
    desk = Desk(reader_database)

    await desk.take(record(1), record(2, type_="ticket.levitated.v1"), record(3, type_=FILLER_TYPE), record(4))

    assert await applied(reader_database) == [1, 4]
    assert await parked(reader_database) == []
    assert [result.unknown for result in desk.results] == [1]


@pytest.mark.parametrize("error", [lambda: asyncpg.DeadlockDetectedError("40P01"), lambda: Unavailable("stopped"), TimeoutError])
async def test_an_outage_is_waited_out_and_never_parks_anything(reader_database: Database, error: Callable[[], Exception]) -> None:
    desk = Desk(reader_database, refuses={"T-1"}, error=error)

    with pytest.raises(type(error())):
        await desk.take(record(1), record(2))

    assert await applied(reader_database) == []
    assert await parked(reader_database) == []
    desk.refuses = ()
    await desk.take(record(1), record(2))
    assert await applied(reader_database) == [1, 2]


async def test_another_history_stops_the_log_before_the_record(reader_database: Database) -> None:
    desk = Desk(reader_database)
    stranger = LogRecord(LOG, 2, Numbered(1, 3, UUID(int=33), UUID(int=22)), TicketOpened.TYPE, "T-1", AT, {}, b"{}")

    await desk.take(record(1), record(2), stranger, record(4))

    broken = desk.results[-1].admission.broken
    assert broken is not None
    assert broken.seq == 3
    assert await applied(reader_database) == [1, 2]
    async with reader_database.transaction() as tx:
        row = await tx.fetchrow("SELECT last_seq, next_off, stopped FROM consumer_part WHERE (topic, part) = ($1, $2)", *LOG)
    assert row is not None
    assert (row["last_seq"], row["next_off"]) == (2, 2)
    assert "predecessor" in row["stopped"]


async def test_when_too_much_fails_nothing_more_is_parked(reader_database: Database) -> None:
    bad, most = {f"B-{number}" for number in range(100)}, int(BREAKER_SHARE * BREAKER_WINDOW)
    desk = Desk(reader_database, refuses=bad)

    with pytest.raises(BreakerOpened):
        await desk.take(*(record(seq, f"B-{seq}") for seq in range(1, 60)))

    assert len(await parked(reader_database)) == most
    with pytest.raises(BreakerOpened):
        await desk.take(*(record(seq, f"B-{seq}") for seq in range(most + 1, 60)))
    assert len(await parked(reader_database)) == most


async def test_the_error_of_a_dead_letter_does_not_repeat_what_was_sent(reader_database: Database) -> None:
    desk = Desk(reader_database)

    await desk.take(record(1, value=b'{"ticket_number": "Lin Meihua", "ticket_version": "secret"}'))

    async with reader_database.transaction() as tx:
        text = await tx.fetchval("SELECT error_text FROM dead_letter")
    assert "ticket_version" in text
    assert "secret" not in text
