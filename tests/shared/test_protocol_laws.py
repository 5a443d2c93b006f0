"""Laws of the pure decisions of the delivery protocol: what holds for any log, any order of arrival, any loss."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given
from hypothesis import strategies as st

from shared import protocol
from shared.events.topics import PARTITIONS
from shared.protocol import Admission, Gap, HistoryMismatch, Nack, Numbered, OutboxHole, Position, Report, Tail

pytestmark = pytest.mark.pure

numbers = st.integers(0, 40)
ids = st.integers(1, 10**6).map(lambda number: UUID(int=number))
spans = st.integers(0, 200).map(lambda seconds: timedelta(seconds=seconds))
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def history(length: int, *, name: int = 0, epoch: int = 1) -> list[Numbered]:
    """The events 1..length of a log; another name gives other events."""
    return [
        Numbered(epoch, seq, UUID(int=name * 1000 + seq), UUID(int=name * 1000 + seq - 1) if seq > 1 else None)
        for seq in range(1, length + 1)
    ]


def standing_at(seq: int, *, name: int = 0) -> Position:
    """A consumer that has applied a history up to a number."""
    return Position(1, seq, UUID(int=name * 1000 + seq)) if seq else Position()


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[Numbered], list[list[Numbered]]]:
    """A history, and what a bad channel makes of it: any records of it, in any order, as often as it likes, in batches."""
    events = history(draw(st.integers(1, 12)))
    arrived = draw(st.lists(st.sampled_from(events), max_size=60))
    batches, start = [], 0
    for size in draw(st.lists(st.integers(1, 9), max_size=30)):
        batches.append(arrived[start : start + size])
        start += size
    return events, [*batches, arrived[start:]]


def applied(position: Position, batches: Sequence[Sequence[Numbered]]) -> tuple[Position, list[Numbered], list[Admission]]:
    """What a consumer does with batches, one after the other."""
    taken: list[Numbered] = []
    admissions = []
    for batch in batches:
        admission = protocol.admit(position, batch)
        taken += [batch[index] for index in admission.accepted]
        position = admission.position
        admissions.append(admission)
    return position, taken, admissions


# --- which log ---


@given(st.text())
def test_an_event_goes_to_the_partition_that_kafka_would_choose(key: str) -> None:
    partitions = list(range(PARTITIONS))

    assert protocol.partition_of(key) == DefaultPartitioner()(key.encode(), partitions, partitions)


@pytest.mark.parametrize(("key", "hashed"), [(b"21", -973932308), (b"foobar", -790332482), (b"a-little-bit-longer-string", -1486304829)])
def test_murmur2_gives_what_the_java_client_publishes(key: bytes, hashed: int) -> None:
    assert protocol.murmur2(key) == hashed & 0xFFFFFFFF


# --- the source ---


@given(cursor=numbers, head=numbers, end=numbers, seq=st.none() | numbers, event_id=ids, own_id=st.none() | ids)
def test_a_tail_never_moves_the_cursor_forward(
    cursor: int, head: int, end: int, seq: int | None, event_id: UUID, own_id: UUID | None
) -> None:
    checked = protocol.check_tail(cursor, head, Tail(end, seq, event_id), own_id)

    assert isinstance(checked, HistoryMismatch) or checked <= cursor


@given(cursor=numbers, lead=numbers, event_id=ids, seq=numbers)
def test_a_tail_of_our_history_lowers_the_cursor_to_what_the_broker_holds(cursor: int, lead: int, event_id: UUID, seq: int) -> None:
    head = max(cursor, seq) + lead

    assert protocol.check_tail(cursor, head, Tail(seq + 1, seq, event_id), event_id) == min(cursor, seq)
    assert protocol.check_tail(cursor, head, Tail(seq + 1, seq, event_id), None) == min(cursor, seq)


@given(cursor=numbers, head=numbers, excess=st.integers(1, 9), event_id=ids)
def test_a_tail_above_the_head_is_another_history(cursor: int, head: int, excess: int, event_id: UUID) -> None:
    assert isinstance(protocol.check_tail(cursor, head, Tail(99, head + excess, event_id), None), HistoryMismatch)


@given(cursor=numbers, head=numbers, own_id=ids, event_id=ids)
def test_a_tail_with_another_event_than_ours_is_another_history(cursor: int, head: int, own_id: UUID, event_id: UUID) -> None:
    checked = protocol.check_tail(cursor, head, Tail(99, head, event_id), own_id)

    assert isinstance(checked, HistoryMismatch) == (own_id != event_id)


@given(cursor=numbers, end=st.integers(1, 99))
def test_an_empty_partition_is_evidence_of_loss_only_if_it_never_held_anything(cursor: int, end: int) -> None:
    assert protocol.check_tail(cursor, cursor, Tail(0), None) == 0
    assert protocol.check_tail(cursor, cursor, Tail(end), None) == cursor


@given(newly_owned=st.booleans(), after_error=st.booleans(), quiet_for=spans)
def test_the_tail_is_read_for_each_reason_alone(newly_owned: bool, after_error: bool, quiet_for: timedelta) -> None:
    due = protocol.tail_check_due(newly_owned=newly_owned, after_error=after_error, quiet_for=quiet_for)

    assert due == (newly_owned or after_error or quiet_for >= protocol.QUIET)


@given(cursor=numbers, floor=numbers, expected=st.integers(1, 40), age=spans, since=st.none() | spans)
def test_a_nack_only_lowers_the_cursor_and_never_below_the_floor(
    cursor: int, floor: int, expected: int, age: timedelta, since: timedelta | None
) -> None:
    rewound = protocol.rewind(cursor, floor, Nack(expected, age, since))

    assert rewound == cursor or (floor <= rewound == expected - 1 < cursor)
    assert protocol.rewind(rewound, floor, Nack(expected, age, since)) == rewound


@given(cursor=numbers, expected=st.integers(1, 40))
def test_a_nack_is_heard_while_it_is_fresh_and_once_in_a_pause(cursor: int, expected: int) -> None:
    instant = timedelta(microseconds=1)
    lowered = min(cursor, expected - 1)

    assert protocol.rewind(cursor, 0, Nack(expected, protocol.NACK_LIFE, None)) == lowered
    assert protocol.rewind(cursor, 0, Nack(expected, protocol.NACK_LIFE + instant, None)) == cursor
    assert protocol.rewind(cursor, 0, Nack(expected, timedelta(), protocol.NACK_PAUSE)) == lowered
    assert protocol.rewind(cursor, 0, Nack(expected, timedelta(), protocol.NACK_PAUSE - instant)) == cursor


@given(cursor=numbers, floor=numbers)
def test_rows_are_read_after_the_cursor_but_never_from_below_the_floor(cursor: int, floor: int) -> None:
    after = protocol.read_after(cursor, floor)

    assert after >= cursor
    assert after >= floor
    assert after in (cursor, floor)


@given(after=numbers, count=st.integers(0, 10), unread=st.integers(0, 3), gone=st.none() | st.integers(0, 9))
def test_rows_are_sent_only_if_they_go_on_without_a_hole(after: int, count: int, unread: int, gone: int | None) -> None:
    seqs = list(range(after + 1, after + 1 + count))
    rest = [seq for index, seq in enumerate(seqs) if index != gone]
    has_hole = bool(rest) and rest[-1] - after != len(rest)

    sendable = protocol.sendable(after, rest, after + len(rest) + (unread if rest else 0))

    assert sendable == (OutboxHole(after + 1 + (gone or 0), after + 2 + (gone or 0)) if has_hole else len(rest))


@given(after=numbers, missing=st.integers(1, 9))
def test_rows_that_the_head_promises_and_nobody_finds_are_a_hole(after: int, missing: int) -> None:
    assert isinstance(protocol.sendable(after, [], after + missing), OutboxHole)


@given(cursor=numbers, count=st.integers(1, 9), acknowledged=st.booleans())
def test_only_an_acknowledgement_moves_the_cursor_forward(cursor: int, count: int, acknowledged: bool) -> None:
    assert protocol.advance(cursor, cursor + count, acknowledged=acknowledged) == (cursor + count if acknowledged else cursor)


@given(head=numbers, lag=numbers, floor=numbers, known=st.lists(numbers, max_size=4), quiet_for=spans)
def test_a_heartbeat_beats_for_a_quiet_log_with_a_consumer_that_can_be_helped(
    head: int, lag: int, floor: int, known: list[int], quiet_for: timedelta
) -> None:
    beats = protocol.heartbeat_due(cursor=head - lag, head=head, floor=floor, known=known, quiet_for=quiet_for)

    assert beats == (quiet_for >= protocol.QUIET and lag == 0 and head > 0 and any(floor <= seq < head for seq in known))


@given(head=st.integers(1, 40), ahead=st.integers(1, 9), event_id=ids, other=ids)
def test_a_consumer_that_applied_what_was_never_here_is_another_history(head: int, ahead: int, event_id: UUID, other: UUID) -> None:
    assert protocol.check_known([(head, event_id), (head - 1, other)], head, event_id) is None
    assert protocol.check_known([(head, None)], head, event_id) is None
    assert isinstance(protocol.check_known([(head + ahead, event_id)], head, event_id), HistoryMismatch)
    assert isinstance(protocol.check_known([(head, other)], head, event_id), HistoryMismatch) == (other != event_id)


@given(reports=st.lists(st.tuples(numbers, numbers), min_size=1, max_size=8, unique_by=lambda report: report[1]), data=st.data())
def test_the_report_with_the_newest_stamp_wins_in_whatever_order_they_arrive(reports: list[tuple[int, int]], data: st.DataObject) -> None:
    sent = [Report(seq, None, None, NOW + timedelta(seconds=second)) for seq, second in reports]
    arriving = data.draw(st.permutations([*sent, *sent]))

    known: Report | None = None
    for report in arriving:
        known = protocol.newest(known, report)

    assert known == max(sent, key=lambda report: report.stamp)


@given(last=numbers, known=st.lists(numbers, min_size=1, max_size=4), head_behind=numbers)
def test_a_day_goes_only_when_every_consumer_has_its_rows(last: int, known: list[int], head_behind: int) -> None:
    head = last + head_behind
    all_there = all(seq >= head for seq in known)

    goes = protocol.droppable(last, known, all_heard=all_there, holds_head=last == head)

    assert goes == all(seq >= last for seq in known)
    assert not protocol.droppable(last, known, all_heard=False, holds_head=True)


@given(known=numbers, floor=numbers)
def test_a_consumer_below_the_floor_gets_an_alarm_and_no_heartbeat(known: int, floor: int) -> None:
    beats = protocol.heartbeat_due(cursor=41, head=41, floor=floor, known=[known], quiet_for=protocol.QUIET)

    assert protocol.is_below_floor(known, floor) == (not beats)


# --- the consumer ---


@given(deliveries())
def test_whatever_arrives_each_event_is_applied_once_and_in_order(case: tuple[list[Numbered], list[list[Numbered]]]) -> None:
    events, batches = case

    position, taken, admissions = applied(Position(), batches)

    assert taken == events[: position.last_seq]
    assert all(admission.broken is None for admission in admissions)
    assert position.last_id == (events[position.last_seq - 1].event_id if position.last_seq else None)


@given(deliveries())
def test_a_batch_is_admitted_like_its_records_one_by_one(case: tuple[list[Numbered], list[list[Numbered]]]) -> None:
    _, batches = case
    single = [[record] for batch in batches for record in batch]

    assert applied(Position(), batches)[:2] == applied(Position(), single)[:2]


@given(deliveries())
def test_every_record_is_applied_or_counted_as_repeat_or_as_ahead(case: tuple[list[Numbered], list[list[Numbered]]]) -> None:
    _, batches = case

    for batch, admission in zip(batches, applied(Position(), batches)[2], strict=True):
        assert len(admission.accepted) + admission.duplicates + admission.ahead == len(batch)
        assert (admission.expected is None) == all(record.seq <= admission.position.last_seq for record in batch)
        assert admission.expected in (None, admission.position.last_seq + 1)


@given(deliveries(), st.integers(0, 11))
def test_whoever_resends_from_the_number_asked_for_fills_the_gap(case: tuple[list[Numbered], list[list[Numbered]]], upto: int) -> None:
    events, batches = case
    position, _, admissions = applied(standing_at(min(upto, len(events))), batches)
    expected = next((admission.expected for admission in reversed(admissions) if admission.expected), position.last_seq + 1)

    filled, taken, _ = applied(position, [events[expected - 1 :]])

    assert filled.last_seq == len(events)
    assert taken == events[position.last_seq :]


@given(last=st.integers(0, 8), first=st.integers(1, 9), length=st.integers(1, 9))
def test_another_history_is_never_mixed_in_silently(last: int, first: int, length: int) -> None:
    theirs = history(first + length, name=7)[first - 1 :]
    position = standing_at(last)

    admission = protocol.admit(position, theirs)

    meets = any(record.seq in (last, last + 1) for record in theirs)
    if last == 0:
        assert admission.broken is None
    elif meets:
        assert admission.broken is not None
        assert admission.position == position
    assert not admission.accepted or last == 0


@given(st.integers(1, 9))
def test_a_log_does_not_begin_in_the_middle_of_another_history(seq: int) -> None:
    middle = history(seq + 1)[seq]._replace(seq=1)

    assert protocol.admit(Position(), [middle]).broken is not None


@given(last=st.integers(1, 9), previous=ids)
def test_a_consumer_that_began_from_a_snapshot_takes_the_next_number_whatever_it_follows(last: int, previous: UUID) -> None:
    record = Numbered(1, last + 1, UUID(int=5), previous)

    admission = protocol.admit(Position(1, last, None), [record])

    assert admission.accepted == (0,)


@given(st.integers(1, 9), st.integers(1, 9))
def test_the_head_sent_again_asks_a_consumer_where_it_stands(length: int, last: int) -> None:
    events = history(length)
    last = min(last, length)

    admission = protocol.admit(standing_at(last), [events[-1]])

    assert admission.at_last == (last == length)
    assert (admission.expected is not None) == (last < length - 1)
    assert bool(admission.accepted) == (last == length - 1)


@given(deliveries())
def test_a_gap_is_open_from_the_first_sight_of_a_higher_number_until_everything_up_to_it_is_applied(
    case: tuple[list[Numbered], list[list[Numbered]]],
) -> None:
    _, batches = case
    gap: Gap | None = None
    highest = 0

    for batch, admission in zip(batches, applied(Position(), batches)[2], strict=True):
        gap = protocol.gap_after(gap, admission, batch)
        highest = max([highest, *(record.seq for record in batch)])
        missing = highest > admission.position.last_seq
        assert gap == (Gap(highest) if missing else None)
        assert protocol.expected_number(admission.position, gap) == (admission.position.last_seq + 1 if missing else None)


@given(since=spans, changed=st.booleans(), asked=st.booleans(), gap=st.booleans())
def test_a_report_is_made_at_once_when_asked_and_never_later_than_every_30_seconds(
    since: timedelta, changed: bool, asked: bool, gap: bool
) -> None:
    due = protocol.report_due(since_report=since, changed=changed, asked=asked, gap=gap)

    patience = protocol.REPORT_GAP if gap else protocol.REPORT_CHANGED if changed else protocol.REPORT_ALWAYS
    assert due == (asked or since >= patience)
    assert protocol.report_due(since_report=None, changed=False, asked=False, gap=False)


# --- poison ---


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 25)), max_size=12))
def test_the_breaker_knows_the_latest_thousand_records_and_no_more(batches: list[tuple[int, int]]) -> None:
    breaker, outcomes = protocol.Breaker(), []

    for good, bad in batches:
        breaker = breaker.after(good=good, bad=bad)
        outcomes += [False] * good + [True] * bad

    window = outcomes[-protocol.BREAKER_WINDOW :]
    assert [outcome for outcome, count in breaker.recent for _ in range(count)] == window
    assert all(one[0] != two[0] for one, two in pairwise(breaker.recent))
    consecutive = next((index for index, bad in enumerate(reversed(window)) if not bad), len(window))
    assert breaker.is_open == (sum(window) > 10 or consecutive > 20)


def test_the_breaker_bears_twenty_failures_in_a_row_only_if_they_are_the_exception() -> None:
    assert not protocol.Breaker().after(good=990, bad=10).is_open
    assert protocol.Breaker().after(good=990, bad=11).is_open
    assert not protocol.Breaker().after(bad=11).after(good=1000).is_open


# --- a restored source ---


@st.composite
def restores(draw: st.DrawFn) -> tuple[int, list[Numbered], dict[int, Numbered], list[Position]]:
    """A log of which the database has an older copy, rows accepted since, and what the broker and the consumers still hold.

    (restored cursor, rows above it, broker's records above it, positions of the consumers)
    """
    lived = history(draw(st.integers(1, 12)))
    restored = draw(st.integers(0, len(lived)))
    cursor = draw(st.integers(0, restored))
    since = history(restored + draw(st.integers(0, 4)), name=3, epoch=1)[restored:]
    positions = [standing_at(draw(st.integers(0, len(lived)))) for _ in range(draw(st.integers(1, 3)))]
    # the broker may have lost its last records, but not what somebody has applied of them
    held = draw(st.integers(max(position.last_seq for position in positions), len(lived)))
    broker = {record.seq: record for record in lived[cursor:held]}
    return cursor, [*lived[cursor:restored], *since], broker, positions


def plan(case: tuple[int, list[Numbered], dict[int, Numbered], list[Position]]) -> protocol.ResumePlan:
    """The plan for a case."""
    cursor, rows, broker, positions = case
    standing = {position.last_seq: position.last_id for position in positions}
    return protocol.plan_resume(cursor, rows, broker, standing, rows[-1].seq if rows else cursor)


@given(restores())
def test_after_a_resume_numbers_go_on_without_a_hole_and_every_row_has_one(
    case: tuple[int, list[Numbered], dict[int, Numbered], list[Position]],
) -> None:
    cursor, rows, _, _ = case

    resumed = plan(case)

    assert [placed.seq for placed in resumed.placed] == list(range(cursor + 1, resumed.head + 1))
    assert [placed.row for placed in resumed.placed if placed.row] == [row.event_id for row in rows]


@given(restores())
def test_after_a_resume_every_consumer_gets_what_it_lacks_and_nothing_twice(
    case: tuple[int, list[Numbered], dict[int, Numbered], list[Position]],
) -> None:
    cursor, rows, broker, positions = case
    names = {record.seq: record.event_id for record in [*history(12), *broker.values()]}

    resumed = plan(case)

    log = history(cursor)
    for placed in resumed.placed:
        log.append(Numbered(2, placed.seq, placed.event_id or UUID(int=9000 + placed.seq), log[-1].event_id if log else None))
    for position in positions:
        had = {names[seq] for seq in range(1, position.last_seq + 1)}
        caught_up, taken, admissions = applied(position, [log])
        assert caught_up.last_seq == resumed.head
        assert all(admission.broken is None for admission in admissions)
        assert had.isdisjoint(record.event_id for record in taken)
        assert {row.event_id for row in rows} <= had | {record.event_id for record in taken}


@given(restores())
def test_a_resume_names_the_events_that_only_the_broker_still_has(
    case: tuple[int, list[Numbered], dict[int, Numbered], list[Position]],
) -> None:
    _, rows, broker, _ = case

    lost = plan(case).lost

    ours = {row.event_id for row in rows}
    assert list(lost) == [broker[seq] for seq in sorted(broker) if broker[seq].event_id not in ours]
