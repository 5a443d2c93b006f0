"""The door for managers: `/dashboard`. Who is not signed in is led to `/login` and comes back."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from fastapi import Query
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from services.metrics import periods
from services.metrics.pages import rendering
from services.metrics.pages.rendering import ASSETS, Chosen
from shared import http
from shared.http.admission import session_of
from shared.http.assets import assets_router
from shared.http.languages import of_page
from shared.runtime import AnyRuntime

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
TAG: Final = "pages"

router = http.Router(tags=[TAG])
router.include_router(assets_router("/dashboard/assets", ASSETS, operation_id="getDashboardAsset", tag=TAG))

Trend = Literal[
    "csat_mean",
    "resolution_rate",
    "repeat_complaint_rate",
    "nps",
    "sla_first_response",
    "sla_next_response",
    "sla_resolution",
    "csat_top2",
    "reopen_rate",
    "survey_response_rate",
]


@router.get(
    "/dashboard",
    scope="kpi:read",
    page=True,
    operation_id="showDashboard",
    summary="The dashboard",
    response_class=HTMLResponse,
    responses={
        200: {"description": "the page", "content": {"text/html": {"schema": {"type": "string"}}}},
        303: {"description": "not signed in; leads a browser to `/login`"},
    },
)
async def show_dashboard(
    request: Request,
    shown: Annotated[Literal["today", "7d", "30d", "month"], Query(alias="range", description="the period shown")] = "30d",
    zone: Annotated[str | None, Query(max_length=64, description="IANA zone of its days; by default the organisation's")] = None,
    clock: Annotated[Literal["business", "calendar"], Query(description="how waiting times are counted")] = "business",
    trend: Annotated[Trend, Query(description="the figure shown over time")] = "csat_mean",
    lang: Annotated[str | None, Query(max_length=35, description="language of the page; by default the browser's")] = None,
) -> Response:
    """Targets, trends, service levels, backlog, channels and waiting times, live; in `zh-CN`, `zh-TW` or `en`."""
    runtime: AnyRuntime = request.app.state.runtime
    locale = of_page(request)
    zone = periods.zone_named(runtime.settings.zone if zone is None else zone).key
    page = rendering.dashboard(locale, Chosen(shown, zone, clock, trend, locale.value), await session_of(request))
    headers = {
        "Content-Security-Policy": POLICY,
        "Content-Language": locale.value,
        # signing out is a form of this page: without a referrer policy the browser would hide where it comes from
        "Referrer-Policy": "same-origin",
        "X-Robots-Tag": "noindex, nofollow",
    }
    return HTMLResponse(page, headers=headers)
