"""What is measured beside many and beside few is the same work."""

from __future__ import annotations

from itertools import groupby

import pytest

from benchmarks.growth import streams

pytestmark = pytest.mark.pure


def test_the_same_events_are_recorded_whatever_is_there() -> None:
    (few, after_few), (many, after_many) = streams(200, 300), streams(2_000, 300)

    assert len(many) > 5 * len(few)
    assert [record.row.payload for record in after_few] == [record.row.payload for record in after_many]


def test_the_events_of_each_log_are_numbered_without_holes() -> None:
    there, more = streams(500, 300)

    logs = groupby(sorted((record.row.log, record.row.seq) for record in [*there, *more]), key=lambda row: row[0])
    assert all([seq for _, seq in rows] == list(range(1, len(rows) + 1)) for rows in (list(rows) for _, rows in logs))


def test_no_ticket_of_the_new_events_was_there() -> None:
    there, more = streams(2_000, 300)

    assert {record.row.key for record in there}.isdisjoint(record.row.key for record in more)
