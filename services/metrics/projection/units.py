"""Counts, and how they spread over the dimensions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from services.metrics.buckets import bucket_of
from services.metrics.facts import Dimensions, Moment

TOTAL: Final = "total"
DIMENSIONS: Final = Dimensions._fields
"""What figures can be grouped by."""


class Unit(NamedTuple):
    """What one measure of a figure counts in one quarter hour for one combination of dimensions."""

    kpi: str
    measure: str
    bucket: int
    dimensions: Dimensions


class RowKey(NamedTuple):
    """One row of the rollups. Sorted, keys are the order in which rows are locked."""

    kpi: str
    dimension: str
    value: str
    bucket: int
    measure: str


Counted = Iterator[tuple[Unit, int]]
"""Units and how much of each."""
Part = tuple[Any, ...]
"""A function that tells units, and what it is called with: equal parts count the same."""


def unit(kpi: str, measure: str, counted: Moment, amount: int = 1) -> tuple[Unit, int]:
    """So much of a measure at a moment."""
    return Unit(kpi, measure, bucket_of(counted.at), counted.dimensions), amount


def spread(total: Mapping[Unit, int]) -> dict[RowKey, int]:
    """Units as rollup rows: once in total and once under each dimension, sorted, without zeros."""
    rows: dict[tuple[str, str, str, int, str], int] = {}
    for (kpi, measure, bucket, dimensions), n in total.items():
        if n:
            for dimension, value in zip(_SPREAD, ("", *dimensions), strict=True):
                key = (kpi, dimension, value, bucket, measure)
                rows[key] = rows.get(key, 0) + n
    # a named tuple takes longer to make than a tuple, and most keys come several times
    return {RowKey._make(key): rows[key] for key in sorted(rows) if rows[key]}


_SPREAD: Final = (TOTAL, *DIMENSIONS)
