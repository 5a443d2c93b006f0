"""Laws of the projection: it is a function of the set of events."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.metrics.facts import Facts, Subject, merge
from services.metrics.projection import (
    DAY,
    DIMENSIONS,
    HOUR,
    QUARTER,
    SHIFT,
    TOTAL,
    CellKey,
    Counts,
    Span,
    State,
    add,
    fold,
    observed,
    spread,
    without_zeros,
)
from services.metrics.projection.states import FOREVER
from services.metrics.reduction import Entry
from tests.metrics.builders import in_batches, numbered, random_history
from tests.metrics.counting import Rollups, Row, by_quarter, flat

pytestmark = pytest.mark.pure

histories = st.builds(lambda seed, size: numbered(random_history(seed, size)), st.integers(0, 2**32), st.integers(1, 6))
chances = st.integers(0, 2**32).map(random.Random)


def rollups_of(batches: Sequence[Sequence[Entry]]) -> Rollups:
    """What a metrics that sees these batches ends with."""
    known: dict[Subject, Facts] = {}
    rollups: Counter[Row] = Counter()
    for batch in batches:
        change = fold(known, observed(batch))
        known |= change.facts
        rollups.update(flat(spread(change.cells)))
    return {row: n for row, n in rollups.items() if n}


def tables_of(batches: Sequence[Sequence[Entry]]) -> tuple[Mapping[CellKey, Counts], frozenset[State]]:
    """The cells and the rows that such a metrics ends with."""
    known: dict[Subject, Facts] = {}
    cells: dict[CellKey, Counts] = {}
    rows: set[State] = set()
    for batch in batches:
        change = fold(known, observed(batch))
        assert change.gone <= rows
        assert not change.come & rows
        known |= change.facts
        for key, counts in change.cells.items():
            add(cells.setdefault(key, {}), counts)
        rows = rows - change.gone | change.come
    return {key: left for key, counts in cells.items() if (left := without_zeros(counts))}, frozenset(rows)


def shuffled(entries: Sequence[Entry], chance: random.Random) -> list[Entry]:
    """Any order, across topics and within a ticket."""
    return chance.sample(list(entries), len(entries))


@given(histories, chances)
def test_the_order_of_events_and_the_size_of_batches_do_not_matter(entries: list[Entry], chance: random.Random) -> None:
    assert rollups_of(in_batches(shuffled(entries, chance), chance)) == rollups_of([entries])


@given(histories, chances)
def test_cells_spans_complaints_and_aliases_do_not_depend_on_order_or_repetition(entries: list[Entry], chance: random.Random) -> None:
    again = chance.sample(entries, chance.randrange(1, len(entries) + 1))

    assert tables_of(in_batches(shuffled([*entries, *again], chance), chance)) == tables_of([entries])


@given(histories)
def test_a_ticket_is_open_in_one_span_at_a_time(entries: list[Entry]) -> None:
    _, rows = tables_of([entries])

    spans = [row for row in rows if isinstance(row, Span)]
    assert all(span.since < span.until for span in spans)
    assert len({(span.ticket, span.run) for span in spans}) == len(spans)
    assert sum(span.until == FOREVER for span in spans) == len({span.ticket for span in spans if span.until == FOREVER})


@given(histories, chances)
def test_events_that_come_again_change_nothing(entries: list[Entry], chance: random.Random) -> None:
    again = chance.sample(entries, chance.randrange(1, len(entries) + 1))

    assert rollups_of([entries, *in_batches(again, chance)]) == rollups_of([entries])


@given(histories, chances)
def test_merging_facts_is_commutative_associative_and_idempotent(entries: list[Entry], chance: random.Random) -> None:
    told: dict[Subject, list[Facts]] = {}
    for subject, facts in observed(entries):
        told.setdefault(subject, []).append(facts)

    for pieces in told.values():
        a, b, c = (chance.choice(pieces) for _ in range(3))
        assert merge(a, b) == merge(b, a)
        assert merge(merge(a, b), c) == merge(a, merge(b, c))
        assert merge(merge(a, b), b) == merge(a, b)


@given(histories)
def test_no_more_can_succeed_than_counts_and_nothing_counts_less_than_never(entries: list[Entry]) -> None:
    rollups = rollups_of([entries])

    assert all(n > 0 for n in rollups.values())
    for key, n in rollups.items():
        if key.measure == "numerator":
            assert n <= rollups[key._replace(measure="denominator")]


@given(histories)
def test_rows_of_every_span_are_sums_of_the_cells(entries: list[Entry]) -> None:
    change = fold({}, observed(entries))
    expected: Counter[Row] = Counter()
    for row, n in by_quarter(change.cells).items():
        for span in (QUARTER, HOUR, SHIFT, DAY):
            if span in (HOUR, DAY) or row.dimension == TOTAL:
                expected[row._replace(span=span, bucket=row.bucket // span * span)] += n

    assert flat(spread(change.cells)) == expected


@given(histories)
def test_each_dimension_adds_up_to_the_total(entries: list[Entry]) -> None:
    by_dimension: dict[str, Counter[tuple[str, int, int, str]]] = {dimension: Counter() for dimension in (TOTAL, *DIMENSIONS)}
    for row, n in rollups_of([entries]).items():
        if row.span in (HOUR, DAY):
            by_dimension[row.dimension][row.kpi, row.span, row.bucket, row.measure] += n

    assert all(by_dimension[dimension] == by_dimension[TOTAL] for dimension in DIMENSIONS)


@given(histories)
def test_each_ticket_is_due_at_most_once_per_target(entries: list[Entry]) -> None:
    tickets = {entry.key for entry in entries if entry.topic == "aftercare.tickets"}
    rollups = rollups_of([entries])

    for kpi in ("sla_first_response", "resolution_rate"):
        assert sum(n for key, n in rollups.items() if key[:4] == (kpi, TOTAL, "", DAY) and key.measure == "denominator") <= len(tickets)
