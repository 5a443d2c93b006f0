"""The REST door: key figures of a range, and over time."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from services.metrics import handlers, periods, schemas
from services.metrics.handlers import Reading
from services.metrics.kpi import DEFINITIONS
from services.metrics.periods import Step
from services.metrics.store import log
from services.metrics.store.log import AsOf
from shared import clock, http
from shared.runtime import AnyRuntime

router = http.Router(tags=["kpis"])


@router.get("/v1/kpis", scope="kpi:read", operation_id="getKpis", summary="Key figures of a range")
async def get_kpis(
    request: Request,
    since: schemas.Since = None,
    to: schemas.To = None,
    zone: schemas.Zone = None,
    kpi: schemas.Kpis = None,
    group_by: schemas.GroupBy = None,
) -> schemas.KpisOut:
    """Each with its counts, interval, target and verdict; as a whole, or by one dimension as it was at the time.

    The range is [from, to); by default the last 30 days up to and with today.
    """
    runtime: AnyRuntime = request.app.state.runtime
    now = clock.now()
    within = periods.period(since, to, periods.zone_named(runtime.settings.zone if zone is None else zone), now)
    definitions = [DEFINITIONS[id] for id in dict.fromkeys(kpi or DEFINITIONS)]
    async with log.snapshot(runtime.database) as tx:
        as_of, readings = await handlers.figures(tx, definitions, within, group_by, now)
    return schemas.KpisOut(
        as_of=_as_of(as_of),
        start=within.start,
        end=within.end,
        zone=within.zone.key,
        items=[schemas.GroupOut(**_figure(reading), dimensions=_group(reading, group_by)) for reading in readings],
    )


@router.get("/v1/kpis/{kpi}/series", scope="kpi:read", operation_id="getKpiSeries", summary="A key figure over time")
async def get_series(
    request: Request,
    kpi: schemas.KpiId,
    bucket: schemas.Bucket = Step.DAY,
    since: schemas.Since = None,
    to: schemas.To = None,
    zone: schemas.Zone = None,
) -> schemas.SeriesOut:
    """The range cut into hours, days, weeks or months of the zone, however long they are there; the first and the last may be shorter."""
    runtime: AnyRuntime = request.app.state.runtime
    now = clock.now()
    within = periods.period(since, to, periods.zone_named(runtime.settings.zone if zone is None else zone), now)
    slots = periods.slots(within, bucket)
    async with log.snapshot(runtime.database) as tx:
        as_of, readings = await handlers.series(tx, DEFINITIONS[kpi], within, slots, now)
    return schemas.SeriesOut(
        as_of=_as_of(as_of),
        start=within.start,
        end=within.end,
        zone=within.zone.key,
        bucket=bucket,
        items=[schemas.SlotOut(**_figure(reading), start=reading.start, end=reading.end) for reading in readings],
    )


# ------------------------------------------------------------------ values into answers


def _as_of(as_of: AsOf) -> schemas.AsOfOut:
    return schemas.AsOfOut(positions=dict(as_of.positions), event_time=as_of.event_time)


def _group(reading: Reading, dimension: str | None) -> dict[str, str | None]:
    return {} if dimension is None else {dimension: reading.value_of_dimension or None}


def _figure(reading: Reading) -> dict[str, Any]:
    definition, figure = reading.definition, reading.figure
    return {
        "kpi": definition.id,
        "unit": definition.unit,
        "value": figure.value,
        "numerator": figure.numerator,
        "denominator": figure.denominator,
        "n": figure.n,
        "ci95": figure.interval,
        "target": reading.target,
        "direction": definition.direction,
        "verdict": figure.verdict,
        "definition_version": reading.definition_version,
        "small_n": figure.small_sample,
        "provisional": reading.is_provisional,
    }
