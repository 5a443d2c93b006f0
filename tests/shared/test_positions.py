"""The source remembers of each consumer the newest report by its stamp, never the highest number."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared import positions
from shared.clock import real_now
from shared.database import Database
from shared.events.topics import TICKETS
from shared.positions import ReportRecord, parse_report

pytestmark = pytest.mark.postgres

NOW = real_now()


def report(last_seq: int, *, at: float, expected: int | None = None, consumer: str = "metrics", part: int = 3) -> ReportRecord:
    stamp = NOW + timedelta(seconds=at)
    return ReportRecord(consumer=consumer, topic=TICKETS.name, part=part, last_seq=last_seq, expected=expected, stamp=stamp)


async def keep(database: Database, *reports: ReportRecord) -> None:
    async with database.transaction() as tx:
        await positions.keep_newest(tx, reports)


async def known(database: Database, consumer: str = "metrics") -> tuple[int, int | None]:
    async with database.transaction() as tx:
        row = await tx.fetchrow(
            "SELECT last_seq, expected FROM outbox_known WHERE (consumer, topic, part) = ($1, $2, 3)", consumer, TICKETS.name
        )
    assert row is not None
    return row["last_seq"], row["expected"]


async def test_the_newest_report_counts_even_when_it_is_lower(service_database: Database) -> None:
    await keep(service_database, report(7, at=1), report(9, at=2), report(8, at=3))
    assert await known(service_database) == (8, None)

    await keep(service_database, report(2, at=4))
    assert await known(service_database) == (2, None)


async def test_a_report_that_comes_late_moves_no_number(service_database: Database) -> None:
    await keep(service_database, report(9, at=2))

    await keep(service_database, report(7, at=1))

    assert await known(service_database) == (9, None)


async def test_a_gap_is_heard_though_an_earlier_report_came_from_a_clock_that_was_ahead(service_database: Database) -> None:
    await keep(service_database, report(9, at=240))

    await keep(service_database, report(11, at=1, expected=12))
    assert await known(service_database) == (9, 12)

    await keep(service_database, report(15, at=2))
    assert await known(service_database) == (9, None)


async def test_a_gap_is_remembered_until_a_report_without_it(service_database: Database) -> None:
    await keep(service_database, report(3, at=1, expected=4))
    assert await known(service_database) == (3, 4)

    await keep(service_database, report(6, at=2))
    assert await known(service_database) == (6, None)


async def test_a_consumer_that_nobody_knew_enters_by_its_first_report_and_is_forgotten_on_request(service_database: Database) -> None:
    await keep(service_database, report(3, at=1, consumer="warehouse"), report(5, at=1, consumer="warehouse", part=4))
    assert await known(service_database, "warehouse") == (3, None)

    async with service_database.transaction() as tx:
        forgotten = await positions.forget(tx, "warehouse")

    assert forgotten == 2


@pytest.mark.parametrize("value", [None, b"", b"{}", b"not json", report(-0, at=3600).model_dump_json().encode()])
def test_what_cannot_be_believed_is_no_report(value: bytes | None) -> None:
    assert parse_report(value) is None


def test_a_report_survives_its_journey() -> None:
    sent = report(3, at=0, expected=4)

    assert parse_report(sent.model_dump_json().encode()) == sent
    assert sent.key == b"metrics/aftercare.tickets/3"
