"""The door for customers without a program: `/track/{reference}`, the address in our messages. The same handlers as REST, HTML in front.

Every answer is a page, also a refusal. A right proof redirects to a page with a token for an hour, so that reloading sends nothing again.
Links inside the pages are relative: the service may be published below a path.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, cast
from urllib.parse import quote

from fastapi import Query
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from services.tickets.handlers import visits
from services.tickets.handlers.visits import TrackingLocked
from services.tickets.pages import rendering
from services.tickets.pages.rendering import ASSETS
from services.tickets.pages.wording import WORDS
from services.tickets.proof import MAX_TOKEN
from shared import clock, http
from shared.database import is_transient
from shared.errors import Invalid
from shared.events.codes import DEFAULT_LOCALE, Locale
from shared.http.assets import assets_router
from shared.http.forms import FORM, read_form
from shared.http.languages import PARAMETER
from shared.languages import closest, preferred
from shared.runtime import AnyRuntime

TAG: Final = "pages"
router: Final = http.Router(tags=[TAG])
router.include_router(assets_router("/track/assets", ASSETS, operation_id="getTrackingAsset", tag=TAG))

POLICY: Final = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
MAX_PROOF: Final = 254
FIELD: Final = "proof"

_BY_PROOF: Final = http.PUBLIC("customers have no key: a signed link or something that they told with the request is enough")

Lang = Annotated[str | None, Query(alias=PARAMETER, max_length=35, description="language of the page; by default the request's")]
Token = Annotated[str | None, Query(max_length=MAX_TOKEN, description="of the link in our message, or of this visit")]


def _pages(*statuses: int) -> dict[int | str, dict[str, Any]]:
    content = {"text/html": {"schema": {"type": "string"}}}
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": "a page", "content": content | (problem if status >= 400 else {})} for status in statuses}


@router.get(
    "/track/{reference}",
    scope=_BY_PROOF,
    operation_id="showTracking",
    summary="The tracking page",
    response_class=HTMLResponse,
    responses=_pages(200, 503),
)
async def show_tracking(request: Request, reference: http.Code, t: Token = None, lang: Lang = None) -> Response:
    """How the request stands, for whoever has the link; else the form that asks for a proof. The same for numbers that nobody was given."""
    runtime, reference = cast(AnyRuntime, request.app.state.runtime), visits.normalised(reference)
    locale = closest(lang) or preferred(request.headers.get("accept-language")) or DEFAULT_LOCALE
    if t is None:
        return _html(rendering.proof_page(reference, locale), locale)
    try:
        async with runtime.database.transaction() as tx:
            seen = await visits.with_token(tx, reference, t, visits.tracking_of(runtime.settings), clock.now())
    except Exception as error:
        if not is_transient(error):
            raise
        return _away(reference, locale)
    if seen is None:
        return _html(rendering.proof_page(reference, locale, notice=WORDS[locale].link_ended), locale)
    locale = closest(lang) or closest(seen.ticket.locale) or locale
    return _html(rendering.tracking_page(seen, locale, runtime.settings.timezone, token=t), locale)


@router.post(
    "/track/{reference}",
    scope=_BY_PROOF,
    operation_id="submitProof",
    summary="Show that the request is mine",
    response_class=Response,
    status_code=303,
    responses={303: {"description": "proved; leads to the page"}, **_pages(400, 404, 408, 413, 415, 422, 429, 503)},
    openapi_extra={
        "requestBody": {
            "content": {FORM: {"schema": {"type": "object", "properties": {FIELD: {"type": "string"}}, "required": [FIELD]}}},
            "description": "last 4 digits of the phone number, or the e-mail address",
        }
    },
)
async def submit_proof(request: Request, reference: http.Code, lang: Lang = None) -> Response:
    """The form of the page, sent. Same rules as the header `Tracking-Proof` of `GET /v1/track/{reference}`."""
    runtime, reference = cast(AnyRuntime, request.app.state.runtime), visits.normalised(reference)
    locale = closest(lang) or preferred(request.headers.get("accept-language")) or DEFAULT_LOCALE
    given = (await read_form(request, [FIELD])).get(FIELD, "").strip()
    if len(given) > MAX_PROOF or "\0" in given:
        raise Invalid.field(f"/{FIELD}", "too_long", f"Must have at most {MAX_PROOF} characters, none of them U+0000.")
    tracking, now, words = visits.tracking_of(runtime.settings), clock.now(), WORDS[locale]
    try:
        async with runtime.database.transaction() as tx:
            seen = await visits.with_something_told(tx, reference, given, tracking, now)
    except Exception as error:
        if not is_transient(error):
            raise
        return _away(reference, locale)
    if isinstance(seen, TrackingLocked):
        page = _html(rendering.proof_page(reference, locale, error=words.locked), locale, status=429)
        page.headers["Retry-After"] = str(seen.retry_after)
        return page
    if seen is None:
        return _html(rendering.proof_page(reference, locale, error=words.wrong), locale, status=404)
    token = visits.visit_token(reference, tracking, now)
    return Response(status_code=303, headers={"Location": f"{quote(reference, safe='')}?t={token}&{PARAMETER}={locale.value}"})


def _away(reference: str, locale: Locale) -> Response:
    return _html(rendering.proof_page(reference, locale, error=WORDS[locale].failed), locale, status=503)


def _html(page: str, locale: Locale, *, status: int = 200) -> Response:
    headers = {
        "Content-Security-Policy": POLICY,
        "Content-Language": locale.value,
        "X-Robots-Tag": "noindex, nofollow",
        # the address holds a token
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }
    return HTMLResponse(page.encode(errors="replace"), status_code=status, headers=headers)
