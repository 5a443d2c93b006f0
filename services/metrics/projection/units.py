"""Counts, and how they spread over the dimensions and over time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from services.metrics.buckets import bucket_of
from services.metrics.facts import Dimensions, Moment

TOTAL: Final = "total"
DIMENSIONS: Final = Dimensions._fields
"""What figures can be grouped by."""
QUARTER, HOUR, SHIFT, DAY = 1, 4, 32, 96
"""What a row may span, in quarter hours of UTC. Longer spans are read faster; the edges of a range are read from shorter ones. The total
has thirds of a day besides: days of most zones begin at another hour than those of UTC, and of each of them a third or two is whole."""


Unit = tuple[str, str, int, Dimensions, int]
"""So much (last) of one measure (second) of a figure (first), in one quarter hour, for one combination of dimensions."""


class CellKey(NamedTuple):
    """One cell: a quarter hour for one combination of dimensions. Sorted, keys are the order in which cells are written."""

    bucket: int
    dimensions: Dimensions


class RowKey(NamedTuple):
    """One row of the rollups. Sorted, keys are the order in which rows are written."""

    dimension: str
    value: str
    span: int
    bucket: int
    """The first quarter hour of the span."""


Counts = dict[str, dict[str, int]]
"""By figure and measure."""
Counted = Iterator[Unit]
Part = tuple[Any, ...]
"""A function that tells units, and what it is called with: equal parts count the same."""


def unit(kpi: str, measure: str, counted: Moment, amount: int = 1) -> Unit:
    """So much of a measure at a moment."""
    return kpi, measure, bucket_of(counted.at), counted.dimensions, amount


def spread(cells: Mapping[CellKey, Counts]) -> dict[RowKey, Counts]:
    """Cells as rollup rows, sorted, without zeros: the total by all spans, each dimension by hours and days."""
    quarters, hours, shifts, days = (_Sums() for _ in range(4))
    for (bucket, dimensions), counts in cells.items():
        quarters.add((TOTAL, "", bucket), counts)
        hour = bucket - bucket % HOUR
        for dimension, value in zip(DIMENSIONS, dimensions, strict=True):
            hours.add((dimension, value, hour), counts)
    for (_, _, bucket), counts in quarters.rows.items():
        hours.add((TOTAL, "", bucket - bucket % HOUR), counts)
    for (dimension, value, bucket), counts in hours.rows.items():
        days.add((dimension, value, bucket - bucket % DAY), counts)
        if dimension == TOTAL:
            shifts.add((TOTAL, "", bucket - bucket % SHIFT), counts)
    rows: dict[RowKey, Counts] = {}
    for span, found in ((QUARTER, quarters), (HOUR, hours), (SHIFT, shifts), (DAY, days)):
        for (dimension, value, bucket), counts in found.rows.items():
            if told := without_zeros(counts):
                rows[RowKey(dimension, value, span, bucket)] = told
    return {key: rows[key] for key in sorted(rows)}


class _Sums:
    """Counts by dimension, value and bucket. Most rows of a quiet hour have one source: they are that, until a second one is added."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str, int], Counts] = {}
        self._own: set[tuple[str, str, int]] = set()

    def add(self, key: tuple[str, str, int], counts: Counts) -> None:
        row = self.rows.get(key)
        if row is None:
            self.rows[key] = counts
            return
        if key not in self._own:
            self._own.add(key)
            row = self.rows[key] = {kpi: dict(measures) for kpi, measures in row.items()}
        add(row, counts)


def add(counts: Counts, more: Mapping[str, Mapping[str, int]]) -> None:
    """Add counts to others in place."""
    for kpi, measures in more.items():
        held = counts.get(kpi)
        if held is None:
            counts[kpi] = dict(measures)
        else:
            for measure, n in measures.items():
                held[measure] = held.get(measure, 0) + n


def without_zeros(counts: Counts) -> Counts:
    """What is not 0 of the counts."""
    told: Counts = {}
    for kpi, measures in counts.items():
        left = {measure: n for measure, n in measures.items() if n} if 0 in measures.values() else measures
        if left:
            told[kpi] = left
    return told
