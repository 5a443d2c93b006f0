"""Key figures of a range, and over time."""

from __future__ import annotations

from starlette.requests import Request

from services.metrics import handlers, periods, schemas
from services.metrics.api import telling
from services.metrics.handlers import Question
from services.metrics.kpi import DEFINITIONS, Source
from services.metrics.kpi import Clock as KpiClock
from services.metrics.periods import Period, Step
from services.metrics.projection import DIMENSIONS
from services.metrics.store import log
from services.metrics.store.rollups import Cut
from shared import clock as clocks
from shared import http
from shared.errors import Invalid
from shared.runtime import AnyRuntime

router = http.Router(tags=["kpis"])

REPEAT_WINDOW = 30
MOST_AGES = 100
"""Slots of a series of ages: each is a look at every ticket that was open."""


@router.get("/v1/kpis", scope="kpi:read", operation_id="getKpis", summary="Key figures of a range")
async def get_kpis(
    request: Request,
    since: schemas.Since = None,
    to: schemas.To = None,
    zone: schemas.Zone = None,
    kpi: schemas.Kpis = None,
    group_by: schemas.GroupBy = None,
    channel: schemas.Filter = None,
    type: schemas.Filter = None,
    priority: schemas.Filter = None,
    team: schemas.Filter = None,
    agent: schemas.Filter = None,
    tier: schemas.Filter = None,
    clock: schemas.Clock = KpiClock.BUSINESS,
    repeat_window_days: schemas.RepeatWindow = REPEAT_WINDOW,
) -> schemas.KpisOut:
    """Each with its counts, interval, target and verdict; as a whole, or by one or two dimensions as they were at the time.

    The range is [from, to); by default the last 30 days up to and with today. `backlog` and `backlog_age` hold for its end, or for now.
    """
    runtime: AnyRuntime = request.app.state.runtime
    now = clocks.now()
    within = _period(runtime, since, to, zone)
    cut = _cut(group_by, [channel, type, priority, team, agent, tier])
    definitions = [DEFINITIONS[id] for id in dict.fromkeys(kpi or DEFINITIONS)]
    question = Question(definitions, within, [within.start], now, cut, clock, repeat_window_days)
    async with log.snapshot(runtime.database) as tx:
        known, readings = await handlers.answer(tx, question)
    return schemas.KpisOut(
        as_of=telling.as_of(known),
        start=within.start,
        end=within.end,
        zone=within.zone.key,
        items=[schemas.GroupOut(**telling.figure(reading), dimensions=telling.group(reading, cut.by)) for reading in readings],
    )


@router.get("/v1/kpis/{kpi}/series", scope="kpi:read", operation_id="getKpiSeries", summary="A key figure over time")
async def get_series(
    request: Request,
    kpi: schemas.KpiId,
    bucket: schemas.Bucket = Step.DAY,
    since: schemas.Since = None,
    to: schemas.To = None,
    zone: schemas.Zone = None,
    channel: schemas.Filter = None,
    type: schemas.Filter = None,
    priority: schemas.Filter = None,
    team: schemas.Filter = None,
    agent: schemas.Filter = None,
    tier: schemas.Filter = None,
    clock: schemas.Clock = KpiClock.BUSINESS,
    repeat_window_days: schemas.RepeatWindow = REPEAT_WINDOW,
) -> schemas.SeriesOut:
    """The range cut into hours, days, weeks or months of the zone, however long they are there; the first and the last may be shorter.

    Each slot says whether it is provisional and is held against the target of its own time. `backlog` and `backlog_age` hold for its end.
    """
    runtime: AnyRuntime = request.app.state.runtime
    now = clocks.now()
    within = _period(runtime, since, to, zone)
    cut = _cut(None, [channel, type, priority, team, agent, tier])
    most = MOST_AGES if DEFINITIONS[kpi].source is Source.AGES else periods.MOST_SLOTS
    question = Question([DEFINITIONS[kpi]], within, periods.slots(within, bucket, most), now, cut, clock, repeat_window_days)
    async with log.snapshot(runtime.database) as tx:
        known, readings = await handlers.answer(tx, question)
    return schemas.SeriesOut(
        as_of=telling.as_of(known),
        start=within.start,
        end=within.end,
        zone=within.zone.key,
        bucket=bucket,
        items=[schemas.SlotOut(**telling.figure(reading), start=reading.start, end=reading.end) for reading in readings],
    )


def _period(runtime: AnyRuntime, since: str | None, to: str | None, zone: str | None) -> Period:
    return periods.period(since, to, periods.zone_named(runtime.settings.zone if zone is None else zone), clocks.now())


def _cut(group_by: str | None, filters: list[list[str] | None]) -> Cut:
    """By which dimensions, and what is left in; ``filters`` in the order of the dimensions."""
    by = tuple(group_by.split(",")) if group_by else ()
    if len(set(by)) != len(by):
        raise Invalid.field("?group_by", "dimension_repeated", "Two dimensions must be different ones.")
    only = {dimension: values for dimension, values in zip(DIMENSIONS, filters, strict=True) if values is not None}
    return Cut(by, only)
