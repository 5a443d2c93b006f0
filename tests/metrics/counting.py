"""Counts as flat rows, which are easier to compare than documents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from services.metrics.projection import DIMENSIONS, TOTAL, CellKey, Counts, RowKey


class Row(NamedTuple):
    """One measure of one rollup row."""

    kpi: str
    dimension: str
    value: str
    span: int
    bucket: int
    measure: str


Rollups = dict[Row, int]


def flat(rollups: Mapping[RowKey, Counts]) -> Rollups:
    """What rollup rows count, measure by measure."""
    return {
        Row(kpi, key.dimension, key.value, key.span, key.bucket, measure): n
        for key, counts in rollups.items()
        for kpi, measures in counts.items()
        for measure, n in measures.items()
    }


def by_quarter(cells: Mapping[CellKey, Counts]) -> Rollups:
    """What cells count in each quarter hour, in total and under each dimension: added up here, not by the projection."""
    found: Counter[Row] = Counter()
    for key, counts in cells.items():
        for kpi, measures in counts.items():
            for measure, n in measures.items():
                for dimension, value in [(TOTAL, ""), *zip(DIMENSIONS, key.dimensions, strict=True)]:
                    found[Row(kpi, dimension, value, 1, key.bucket, measure)] += n
    return {row: n for row, n in found.items() if n}
