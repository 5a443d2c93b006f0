"""A range is read from long spans with short ones at its edges, and counts what its quarter hours count."""

from __future__ import annotations

import json
from collections import Counter
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.metrics.buckets import bucket_of, microseconds
from services.metrics.facts import Facts, Subject, decode, encode, merge
from services.metrics.kpi import DEFINITIONS
from services.metrics.projection import DAY, HOUR, QUARTER, SHIFT, Counts, add, fold, observed
from services.metrics.reduction import Entry
from services.metrics.store import rollups
from services.metrics.store.rollups import Cut, days_of, pieces_of
from shared.database import Database, Transaction, to_json
from shared.errors import Invalid
from tests.explaining import Explaining
from tests.metrics.builders import START, numbered, random_history
from tests.metrics.database import recorded
from tests.metrics.test_projection_laws import histories

slots = st.lists(st.integers(-500, 3000), min_size=2, max_size=8, unique=True).map(sorted)


@pytest.mark.pure
@given(slots, st.sampled_from([(), (SHIFT,)]))
def test_pieces_cover_each_quarter_hour_of_each_slot_once(edges: list[int], between: tuple[int, ...]) -> None:
    pieces = pieces_of(edges[:-1], edges[-1], between)

    covered = Counter((piece.slot, bucket) for piece in pieces for bucket in range(piece.first, piece.until))
    expected = [(slot, bucket) for slot, first in enumerate(edges[:-1]) for bucket in range(first, edges[slot + 1])]
    assert covered == Counter(expected)
    assert all(edge % piece.span == 0 for piece in pieces for edge in (piece.first, piece.until))


@pytest.mark.pure
@given(slots)
def test_cells_are_read_day_by_day_each_quarter_hour_once(edges: list[int]) -> None:
    days = list(days_of(edges[:-1], edges[-1]))

    covered = Counter((piece.slot, bucket) for pieces in days for piece in pieces for bucket in range(piece.first, piece.until))
    expected = [(slot, bucket) for slot, first in enumerate(edges[:-1]) for bucket in range(first, edges[slot + 1])]
    assert covered == Counter(expected)
    of_days = [{bucket // DAY for piece in pieces for bucket in (piece.first, piece.until - 1)} for pieces in days]
    assert [len(each) for each in of_days] == [1] * len(days)
    assert sorted(set().union(*of_days)) == [day for each in of_days for day in each]


@pytest.mark.pure
@given(slots)
def test_a_slot_has_few_short_pieces(edges: list[int]) -> None:
    rows = Counter(
        (piece.slot, piece.span) for piece in pieces_of(edges[:-1], edges[-1]) for _ in range(piece.first, piece.until, piece.span)
    )

    assert all(n <= 2 * (DAY // HOUR - 1) + DAY // HOUR for (_, span), n in rows.items() if span == HOUR)
    assert all(n <= 2 * (HOUR - 1) for (_, span), n in rows.items() if span == QUARTER)


@pytest.mark.postgres
@pytest.mark.parametrize("by", ["channel", "agent"])
async def test_by_one_dimension_every_range_counts_what_the_cells_count(metrics_database: Database, by: str) -> None:
    await recorded(metrics_database, [numbered(random_history(21, 120))])
    first = bucket_of(microseconds(START))
    kpis = ["requests", "sla_first_response", "first_response_time"]

    async with metrics_database.transaction() as tx:
        for begin, middle, end in ((1, 402, 1299), (0, 96, 192), (3, 5, 6), (-7, 2, 97)):
            edges, buckets = [first + begin, first + middle], range(first + begin, first + end)
            of_rows = await rollups.sums(tx, 1, kpis, Cut(by=(by,)), buckets, edges)
            of_cells = await rollups.sums(tx, 1, kpis, Cut(by=(by, "tier")), buckets, edges)
            total = await rollups.sums(tx, 1, kpis, Cut(), buckets, edges)
            assert _added(of_rows, 1) == _added(of_cells, 1)
            assert _added(of_rows, 0) == _added(total, 0)


@pytest.mark.postgres
@pytest.mark.parametrize(("dimension", "values"), [("channel", ["web"]), ("team", ["repairs", "returns"]), ("agent", [""]), ("tier", [])])
@pytest.mark.parametrize("is_told_apart", [False, True])
async def test_what_is_left_in_of_one_dimension_counts_what_its_cells_count(
    metrics_database: Database, dimension: str, values: list[str], is_told_apart: bool
) -> None:
    await recorded(metrics_database, [numbered(random_history(21, 120))])
    first = bucket_of(microseconds(START))
    kpis = ["requests", "sla_first_response", "first_response_time"]
    edges, buckets = [first + 1, first + 402], range(first + 1, first + 1299)

    async with metrics_database.transaction() as tx:
        of_rows = await rollups.sums(tx, 1, kpis, Cut((dimension,) if is_told_apart else (), {dimension: values}), buckets, edges)
        # a second dimension, which all cells have, is what takes them
        of_cells = await rollups.sums(tx, 1, kpis, Cut((dimension, "priority"), {dimension: values}), buckets, edges)

    assert _added(of_rows, is_told_apart) == _added(of_cells, is_told_apart)
    assert bool(of_rows) == (values != [])


@pytest.mark.postgres
@pytest.mark.parametrize("cut", [Cut(), Cut(("agent",)), Cut((), {"agent": ["a"]}), Cut(("agent", "type"))])
async def test_of_years_of_figures_those_rows_are_read_that_are_asked_for(metrics_database: Database, cut: Cut) -> None:
    days, first = 700, 2_000_000 // DAY * DAY
    async with metrics_database.transaction() as tx:
        await tx.execute(
            """
            INSERT INTO kpi_rollup (projection_version, dimension, span, bucket, value, counts, durations)
            SELECT 1, dimension, span, $1 + n * span, CASE dimension WHEN 'total' THEN '' ELSE 'a' END, '{"requests":{"count":1}}', '{}'
              FROM unnest($3::text[], $4::smallint[]) grid(dimension, span) CROSS JOIN generate_series(0, $2 * 96 / span - 1) n
            """,
            first,
            days,
            ["total", "total", "total", "agent", "agent"],
            [HOUR, SHIFT, DAY, HOUR, DAY],
        )
        await tx.execute(
            """
            INSERT INTO kpi_cell (projection_version, bucket, channel, type, priority, team, agent, tier, counts)
            SELECT 1, $1 + n, 'web', 'repair', 'normal', '', 'a', '', '{"requests":{"count":1}}' FROM generate_series(0, $2 * 96 - 1) n
            """,
            first,
            days,
        )
        await tx.execute("ANALYZE kpi_rollup, kpi_cell")
        explaining = Explaining(tx)
        slots = [first + DAY // 3 + day * DAY for day in range(300, 330)]

        found = await rollups.sums(cast(Transaction, explaining), 1, ["requests"], cut, range(slots[0], slots[-1] + DAY), slots)

    assert len(found) == 30
    assert explaining.plans
    for plan in explaining.plans:
        (condition,) = [step["Index Cond"] for step in plan if "Index Cond" in step]
        assert "bucket >= p.first" in condition, plan
        assert "bucket < p.until" in condition, plan


@pytest.mark.postgres
async def test_who_asks_for_too_much_of_several_dimensions_is_told_so(metrics_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollups, "PATIENCE", -1.0)

    async with metrics_database.transaction() as tx:
        assert await rollups.sums(tx, 1, ["requests"], Cut(("channel",)), range(96), [0]) == {}
        with pytest.raises(Invalid, match="several dimensions"):
            await rollups.sums(tx, 1, ["requests"], Cut(("channel", "type")), range(96), [0])


def _added(found: rollups.Found, dimensions: int) -> Counter[tuple[object, ...]]:
    total: Counter[tuple[object, ...]] = Counter()
    for (kpi, slot, group), measures in found.items():
        for measure, n in measures.items():
            total[kpi, slot, group[:dimensions], measure] += n
    return total


@pytest.mark.pure
@given(st.integers(0, 2**32), st.integers(1, 60), st.sets(st.sampled_from([*DEFINITIONS, "happiness"])), st.booleans())
def test_a_part_of_a_document_is_what_the_whole_says(seed: int, size: int, kpis: set[str], is_plain: bool) -> None:
    counts: Counts = {}
    for more in fold({}, observed(numbered(random_history(seed, size)))).cells.values():
        add(counts, more)
    document = to_json(counts) if is_plain else json.dumps(counts)

    assert dict(rollups.told_of(document, sorted(kpis))) == {kpi: counts[kpi] for kpi in kpis if kpi in counts}


@pytest.mark.pure
@given(histories)
def test_facts_come_back_from_their_text(entries: list[Entry]) -> None:
    known: dict[Subject, Facts] = {}
    for subject, told in observed(entries):
        known[subject] = merge(known[subject], told) if subject in known else told

    assert {subject: decode(subject.kind, encode(facts)) for subject, facts in known.items()} == known
