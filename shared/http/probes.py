"""The addresses that operators and their machines ask: `/livez`, `/readyz`, `/startupz`, `/healthz`, `/metrics`; and the list of problems.

What an unknown caller may see is the status alone; `/healthz` shows every check to those with the scope `health:read`.
https://inadarei.github.io/rfc-healthcheck/
"""

from __future__ import annotations

from typing import Any, Final, Literal

import orjson
from fastapi import Path
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from shared import clock, errors, telemetry
from shared.auth import Scope
from shared.health import Finding
from shared.http import problems
from shared.http.routes import PUBLIC, Router
from shared.runtime import AnyRuntime

HEALTH: Final = "application/health+json"
router = Router(tags=["operators"])
_FOR_MACHINES: Final = PUBLIC("probes of the platform carry no key; only the status is shown")


class Status(BaseModel):
    """Whether the probe passes."""

    status: Literal["pass", "fail"]


class ProblemPage(BaseModel):
    """What a problem's code means."""

    code: str
    title: str
    status: int


class UnknownProblem(errors.NotFound):
    """No problem has this code."""

    code = "problem_unknown"


_HEALTH_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "passes", "content": {HEALTH: {"schema": Status.model_json_schema()}}},
    503: {"description": "does not", "content": {HEALTH: {"schema": Status.model_json_schema()}}},
}


@router.get(
    "/livez", scope=_FOR_MACHINES, operation_id="getLiveness", summary="Alive?", responses=_HEALTH_RESPONSES, response_class=Response
)
async def livez(request: Request) -> Response:
    """Whether the process lives. Fails when a background loop has died for good; never looks at the database or Kafka."""
    return _status(_runtime(request).health.is_alive)


@router.get(
    "/readyz", scope=_FOR_MACHINES, operation_id="getReadiness", summary="Ready?", responses=_HEALTH_RESPONSES, response_class=Response
)
async def readyz(request: Request) -> Response:
    """Whether requests should be sent here: started, not shutting down, the database answers, no queue is nearly full."""
    return _status(await _runtime(request).health.is_ready())


@router.get(
    "/startupz", scope=_FOR_MACHINES, operation_id="getStartup", summary="Started?", responses=_HEALTH_RESPONSES, response_class=Response
)
async def startupz(request: Request) -> Response:
    """Whether the process has started: the database has the schema that this release knows."""
    return _status(_runtime(request).health.is_started)


@router.get(
    "/healthz",
    scope=Scope.HEALTH_READ,
    operation_id="getHealth",
    summary="Every check",
    response_class=Response,
    responses=_HEALTH_RESPONSES,
)
async def healthz(request: Request) -> Response:
    """Every check of this process, for operators."""
    runtime = _runtime(request)
    findings = {**await runtime.health.findings(), **runtime.health.loops()}
    passes = all(finding.passes for finding in findings.values())
    body = {
        "status": _word(passes),
        "version": runtime.version,
        "serviceId": f"{runtime.service}-{runtime.settings.ordinal}",
        "checks": {name: [_check(finding)] for name, finding in sorted(findings.items())},
    }
    return Response(orjson.dumps(body), status_code=200 if passes else 503, media_type=HEALTH)


@router.get(
    "/metrics",
    scope=PUBLIC("scraped by Prometheus inside the operator's network; counts and times only"),
    operation_id="getTelemetry",
    summary="Figures of the process",
    response_class=Response,
    responses={200: {"description": "Prometheus text format", "content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics() -> Response:
    """Figures of this process in Prometheus' text format."""
    body, media_type = telemetry.exposition()
    return Response(body, headers={"Content-Type": media_type})


@router.get("/problems", scope=PUBLIC("documentation"), operation_id="listProblems", summary="All problems")
async def list_problems() -> list[ProblemPage]:
    """All problems that this service can answer with."""
    return [_page(kind) for kind in problems.registry().values()]


@router.get("/problems/{code}", scope=PUBLIC("documentation"), operation_id="getProblem", summary="What a problem means")
async def get_problem(code: str = Path(max_length=100)) -> ProblemPage:
    """What a problem's code means; where the `type` of a problem leads."""
    kind = problems.registry().get(code)
    if kind is None:
        raise UnknownProblem("No problem has this code.")
    return _page(kind)


def _page(kind: problems.ProblemType) -> ProblemPage:
    return ProblemPage(code=kind.code, title=kind.title, status=kind.status)


def _runtime(request: Request) -> AnyRuntime:
    runtime: AnyRuntime = request.app.state.runtime
    return runtime


def _status(passes: bool) -> Response:
    return Response(orjson.dumps({"status": _word(passes)}), status_code=200 if passes else 503, media_type=HEALTH)


def _word(passes: bool) -> str:
    return "pass" if passes else "fail"


def _check(finding: Finding) -> dict[str, Any]:
    shown = {"status": _word(finding.passes), "time": clock.real_now().isoformat(), "observedValue": finding.observed}
    return shown | ({} if finding.unit is None else {"observedUnit": finding.unit})
