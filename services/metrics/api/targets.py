"""What figures are held against: read by whoever reads figures, set by whoever may configure."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import Response
from starlette.requests import Request

from services.metrics import handlers, schemas
from services.metrics.kpi import DEFINITIONS
from services.metrics.store.targets import Target
from shared import clock, http
from shared.runtime import AnyRuntime

router = http.Router(tags=["targets"])


@router.get("/v1/targets", scope="kpi:read", operation_id="listTargets", summary="What is aimed at")
async def get_targets(request: Request) -> schemas.TargetsOut:
    """The newest version of each target, also one that holds only later."""
    async with _runtime(request).database.transaction() as tx:
        return schemas.TargetsOut(items=[_told(target) for target in await handlers.newest(tx)])


@router.get("/v1/targets/{kpi}", scope="kpi:read", operation_id="getTarget", summary="A target and its history")
async def get_target(request: Request, response: Response, kpi: schemas.AimedAt) -> schemas.TargetHistoryOut:
    """All versions. The ETag is what a change must name."""
    async with _runtime(request).database.transaction() as tx:
        return _history(response, await handlers.history_of(tx, kpi))


@router.put("/v1/targets/{kpi}", scope="config:write", operation_id="changeTarget", summary="Aim at something else")
async def set_target(
    request: Request,
    response: Response,
    kpi: schemas.AimedAt,
    body: schemas.TargetBody,
    seen: http.ExpectedVersion,
    by: http.CurrentPrincipal,
) -> schemas.TargetHistoryOut:
    """Adds the next version; older ones stay, and ranges that end before it holds are judged by them.

    `If-Match: "0"` where there is none.
    """
    now = clock.now()
    async with _runtime(request).database.transaction() as tx:
        await handlers.aim(tx, kpi, body.value, valid_from=body.valid_from or now, seen=seen, by=by.id, at=now)
        return _history(response, await handlers.history_of(tx, kpi))


def _runtime(request: Request) -> AnyRuntime:
    runtime: AnyRuntime = request.app.state.runtime
    return runtime


def _history(response: Response, versions: Sequence[Target]) -> schemas.TargetHistoryOut:
    response.headers["ETag"] = http.etag(versions[0].version)
    told = [_told(target) for target in versions]
    return schemas.TargetHistoryOut(**told[0].model_dump(), versions=told)


def _told(target: Target) -> schemas.TargetOut:
    definition = DEFINITIONS[target.kpi]
    assert definition.direction is not None
    return schemas.TargetOut(
        kpi=target.kpi,
        version=target.version,
        value=target.value,
        direction=definition.direction.value,
        unit=definition.unit,
        valid_from=target.valid_from,
        set_by=target.set_by,
        set_at=target.set_at,
    )
