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
    """One cell: a quarter hour for one combination of dimensions."""

    bucket: int
    dimensions: Dimensions


class RowKey(NamedTuple):
    """One row of the rollups."""

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
    """Cells as rollup rows, without zeros: the total by all spans, each dimension by hours and days. Rows may share what they hold."""
    quarters, hours, shifts, days = (dict[_Place, list[Counts]]() for _ in range(4))
    for (bucket, dimensions), counts in cells.items():
        quarters.setdefault((TOTAL, "", bucket), []).append(counts)
        hour = bucket - bucket % HOUR
        for dimension, value in zip(DIMENSIONS, dimensions, strict=True):
            hours.setdefault((dimension, value, hour), []).append(counts)
    of_quarters = _sums(quarters)
    for (_, _, bucket), counts in of_quarters.items():
        hours.setdefault((TOTAL, "", bucket - bucket % HOUR), []).append(counts)
    of_hours = _sums(hours)
    for (dimension, value, bucket), counts in of_hours.items():
        days.setdefault((dimension, value, bucket - bucket % DAY), []).append(counts)
        if dimension == TOTAL:
            shifts.setdefault((TOTAL, "", bucket - bucket % SHIFT), []).append(counts)
    rows: dict[RowKey, Counts] = {}
    for span, sums in ((QUARTER, of_quarters), (HOUR, of_hours), (SHIFT, _sums(shifts)), (DAY, _sums(days))):
        for (dimension, value, bucket), counts in sums.items():
            if told := without_zeros(counts):
                rows[RowKey(dimension, value, span, bucket)] = told
    return rows


_Place = tuple[str, str, int]
"""Dimension, value, and the first quarter hour."""


def _sums(sources: Mapping[_Place, list[Counts]]) -> dict[_Place, Counts]:
    """Most rows of a quiet hour have one source: they are that."""
    return {place: found[0] if len(found) == 1 else _sum(found) for place, found in sources.items()}


def _sum(sources: list[Counts]) -> Counts:
    total = {kpi: dict(measures) for kpi, measures in sources[0].items()}
    for counts in sources[1:]:
        add(total, counts)
    return total


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
    """What is not 0 of the counts: the same object, if nothing is."""
    for measures in counts.values():
        if not measures or 0 in measures.values():
            return {kpi: left for kpi, each in counts.items() if (left := {measure: n for measure, n in each.items() if n})}
    return counts
