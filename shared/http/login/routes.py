"""The routes of the sign-in page. Every answer to a person is a page; links are relative, as the service may be published below a path."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from shared import clock, telemetry
from shared.auth import COOKIE, CSRF_FIELD, Session, UnknownKey
from shared.database import is_transient
from shared.events.codes import Locale
from shared.http.admission import session_of
from shared.http.assets import assets_router
from shared.http.forms import FORM, demand_own_page, read_form
from shared.http.languages import PARAMETER, of_page
from shared.http.login.rendering import ASSETS, login_page
from shared.http.login.wording import WORDS
from shared.http.routes import PUBLIC, Router
from shared.runtime import AnyRuntime

log = telemetry.logger()

POLICY: Final = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
MAX_BACK: Final = 1_000
TAG: Final = "sign-in"

_BACK: Final = re.compile(r"[A-Za-z0-9_-]+(?:/[A-Za-z0-9_-]+)*(?:\?[A-Za-z0-9_.~%&=+:/-]*)?", re.ASCII)
"""A page of this service, relative to its root: no scheme, no host, no way up, so that nobody is led astray after signing in."""
_SIGNING_IN: Final = PUBLIC("who signs in has no session yet")

Back = Annotated[str | None, Query(alias="next", max_length=MAX_BACK, description="page of this service to go to afterwards")]
Lang = Annotated[str | None, Query(alias=PARAMETER, max_length=35, description="language of the page; by default the browser's")]
Why = Annotated[str | None, Query(max_length=20, description="`scope`: the session may not see the page; `out`: just signed out")]


class SessionOut(BaseModel):
    """Who is signed in."""

    principal: str
    kind: str
    role: str
    scopes: list[str]
    ends_at: datetime
    csrf_token: str = Field(description="To be sent as `X-CSRF-Token` with every change.")


class CurrentSession(BaseModel):
    """The caller's session, if he has one."""

    session: SessionOut | None


def login_router() -> APIRouter:
    """All routes of signing in and out."""
    router = Router(tags=[TAG])
    router.include_router(assets_router("/login/assets", ASSETS, operation_id="getLoginAsset", tag=TAG))
    page: dict[str, Any] = {"text/html": {"schema": {"type": "string"}}}
    problem: dict[str, Any] = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    said_no: dict[int | str, dict[str, Any]] = {
        status: {"description": "a page that says why, or a problem", "content": page | problem} for status in (422, 503)
    }
    form = {"requestBody": {"content": {FORM: {"schema": {"type": "object", "additionalProperties": {"type": "string"}}}}}}

    @router.get(
        "/login",
        scope=_SIGNING_IN,
        operation_id="showLogin",
        summary="Sign in",
        response_class=HTMLResponse,
        responses={200: {"description": "the page", "content": page}},
    )
    async def show_login(request: Request, back: Back = None, lang: Lang = None, why: Why = None) -> Response:
        """The page that exchanges an API key for a session."""
        session = await session_of(request)
        words = WORDS[of_page(request)]
        error = words.forbidden if why == "scope" and session is not None else None
        notice = words.signed_out if why == "out" and session is None else None
        return _page(request, session, back=back, error=error, notice=notice)

    @router.post(
        "/login",
        scope=_SIGNING_IN,
        operation_id="submitLogin",
        summary="Exchange an API key for a session cookie",
        status_code=303,
        response_class=Response,
        problems=[400, 403, 408, 413, 415],
        responses={303: {"description": "signed in; sets the cookie and leads back"}, **said_no},
        openapi_extra=form,
    )
    async def submit_login(request: Request, lang: Lang = None) -> Response:
        """The form of the page, sent: `key`, and `next` if there is a page to go back to."""
        demand_own_page(request)
        fields = await read_form(request, {"key", "next"})
        runtime: AnyRuntime = request.app.state.runtime
        words = WORDS[of_page(request)]
        key, back = fields.get("key", "").strip(), fields.get("next")
        if not key:
            return _page(request, None, back=back, error=words.missing, status=422)
        try:
            cookie, session = await runtime.sessions.open(key)
        except UnknownKey:
            log.warning("sign_in_refused", request_id=request.state.request_id)
            return _page(request, None, back=back, error=words.wrong, status=422)
        except Exception as error:
            if not is_transient(error):
                raise
            return _page(request, None, back=back, error=words.failed, status=503)
        log.info("signed_in", key_id=session.key_id, role=session.principal.role, request_id=request.state.request_id)
        answer = Response(status_code=303, headers={"Location": _local(back) or _here(request)})
        _set_cookie(answer, runtime, cookie, seconds=int((session.ends_at - clock.real_now()).total_seconds()))
        return answer

    @router.post(
        "/logout",
        scope=PUBLIC("ends the caller's own session, if he has one"),
        operation_id="submitLogout",
        summary="Sign out",
        status_code=303,
        response_class=Response,
        problems=[400, 403, 408, 413, 415, 422],
        responses={303: {"description": "signed out; takes the cookie back"}},
        openapi_extra=form,
    )
    async def submit_logout(request: Request, lang: Lang = None) -> Response:
        """The button of the page: `csrf_token` is the session's."""
        demand_own_page(request)
        fields = await read_form(request, {CSRF_FIELD})
        if (session := await session_of(request)) is not None:
            session.demand_token(fields.get(CSRF_FIELD))
            log.info("signed_out", key_id=session.key_id, role=session.principal.role, request_id=request.state.request_id)
        answer = Response(status_code=303, headers={"Location": f"{_here(request)}&why=out"})
        _set_cookie(answer, request.app.state.runtime, "", seconds=0)
        return answer

    @router.get(
        "/v1/session",
        scope=PUBLIC("tells a caller about his own session and nothing else"),
        operation_id="getSession",
        summary="Who is signed in",
    )
    async def get_session(request: Request) -> CurrentSession:
        """The session of the cookie that the browser sent, with the token that its pages need for changes."""
        session = await session_of(request)
        return CurrentSession(session=None if session is None else _shown(session))

    return router


def _page(
    request: Request, session: Session | None, *, back: str | None, error: str | None = None, notice: str | None = None, status: int = 200
) -> Response:
    runtime: AnyRuntime = request.app.state.runtime
    locale = of_page(request)
    html = login_page(
        locale,
        runtime.settings.timezone,
        session,
        back=_local(back),
        dashboard=f"{runtime.settings.metrics_public_url}/dashboard?{PARAMETER}={locale.value}",
        error=error,
        notice=notice,
    )
    return HTMLResponse(html, status_code=status, headers=_headers(locale))


def _headers(locale: Locale) -> dict[str, str]:
    return {
        "Content-Security-Policy": POLICY,
        "Content-Language": locale.value,
        # with none at all, a browser would hide from us which page sends a form
        "Referrer-Policy": "same-origin",
        "X-Robots-Tag": "noindex, nofollow",
    }


def _local(back: str | None) -> str | None:
    """Where to go afterwards, if it is a page of this service."""
    return back if back and len(back) <= MAX_BACK and _BACK.fullmatch(back) else None


def _here(request: Request) -> str:
    return f"login?{PARAMETER}={of_page(request).value}"


def _set_cookie(answer: Response, runtime: AnyRuntime, value: str, *, seconds: int) -> None:
    settings = runtime.settings
    answer.set_cookie(
        COOKIE,
        value,
        max_age=max(0, seconds),
        path="/",
        domain=settings.cookie_domain or None,
        secure=settings.public_url.startswith("https:"),
        httponly=True,
        samesite="strict",
    )


def _shown(session: Session) -> SessionOut:
    by = session.principal
    return SessionOut(
        principal=by.id,
        kind=by.kind.value,
        role=by.role.value,
        scopes=sorted(by.scopes),
        ends_at=session.ends_at,
        csrf_token=session.csrf_token,
    )
