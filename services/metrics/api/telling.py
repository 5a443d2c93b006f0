"""Values into answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from services.metrics import schemas
from services.metrics.handlers import Reading
from services.metrics.kpi import AGE_EDGES, Estimate, Share
from services.metrics.store.log import AsOf


def as_of(known: AsOf) -> schemas.AsOfOut:
    """How far the figures know the world."""
    return schemas.AsOfOut(positions=dict(known.positions), event_time=known.event_time)


def group(reading: Reading, by: Sequence[str]) -> dict[str, str | None]:
    """The group's value by dimension, None where there was none."""
    return {dimension: value or None for dimension, value in zip(by, reading.group, strict=True)}


def figure(reading: Reading) -> dict[str, Any]:
    """The fields that a figure has everywhere."""
    definition, found = reading.definition, reading.figure
    return {
        "kpi": definition.id,
        "unit": definition.unit,
        "value": found.value,
        "numerator": found.numerator,
        "denominator": found.denominator,
        "n": found.n,
        "ci95": found.interval,
        "target": reading.target,
        "direction": definition.direction,
        "verdict": found.verdict,
        "definition_version": reading.definition_version,
        "small_n": found.small_sample,
        "provisional": reading.is_provisional,
        "clock": reading.clock,
        "median": _estimate(found.median),
        "p90": _estimate(found.p90),
        "within": _share(found.within),
        "classes": _classes(found.classes),
        "window_days": reading.window_days,
        "at": reading.at,
    }


def _estimate(estimate: Estimate | None) -> schemas.EstimateOut | None:
    return None if estimate is None else schemas.EstimateOut(value=estimate.value, ci95=estimate.interval)


def _share(share: Share | None) -> schemas.ShareOut | None:
    if share is None:
        return None
    return schemas.ShareOut(
        limit=share.limit, value=share.value, numerator=share.numerator, denominator=share.denominator, ci95=share.interval
    )


def _classes(counts: Sequence[int] | None) -> list[schemas.AgeClassOut] | None:
    if counts is None:
        return None
    ends: list[int | None] = [*AGE_EDGES[1:], None]
    return [schemas.AgeClassOut(start=start, end=end, n=n) for start, end, n in zip(AGE_EDGES, ends, counts, strict=True)]
