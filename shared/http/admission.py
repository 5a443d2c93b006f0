"""Who is calling, and may he: by API key, or by the session cookie of a page. The one place where a request gets its principal."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from shared import clock, errors
from shared.auth import COOKIE, CSRF_HEADER, Keys, Principal, Session, SessionEnded
from shared.http.quotas import Quotas
from shared.runtime import AnyRuntime

READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing, so a browser may be made to call them."""


async def admit(request: Request, scope: str) -> None:
    """Go on only if the caller has the scope; from here on the request knows its principal.

    Raises:
        Unauthorized: no credential, or one that does not hold.
        Forbidden: the scope is missing; or a change by cookie without the session's CSRF token.
        QuotaUsedUp: he calls too often.
    """
    _let_in(request, await _caller(request), scope)


async def admit_key(request: Request, authorization: str, scope: str) -> None:
    """The same for a call that carries this key and no cookie."""
    keys: Keys = request.scope["app"].state.runtime.keys
    _let_in(request, keys.remembered(authorization) or await keys.principal(authorization), scope)


def _let_in(request: Request, caller: Principal, scope: str) -> None:
    state = request.scope["state"]
    quotas: Quotas = request.scope["app"].state.quotas
    if (quota := quotas.of(caller.id)) is not None:
        state["quota"] = quota
        quota.take(clock.monotonic())
    caller.demand(scope)
    state["principal"] = caller


async def _caller(request: Request) -> Principal:
    runtime: AnyRuntime = request.app.state.runtime
    authorization = request.headers.get("authorization")
    # a key that was sent on purpose counts before a cookie that came along by itself
    cookie = session_cookie(request) if authorization is None else None
    if cookie is None:
        return await runtime.keys.principal(authorization)
    session = await runtime.sessions.read(cookie)
    if request.method not in READING:
        session.demand_token(request.headers.get(CSRF_HEADER))
    return session.principal


async def session_of(request: Request) -> Session | None:
    """The session of whoever looks at a page; None without one that holds."""
    runtime: AnyRuntime = request.app.state.runtime
    cookie = session_cookie(request)
    try:
        return None if cookie is None else await runtime.sessions.read(cookie)
    except SessionEnded:
        return None


def session_cookie(request: Request) -> str | None:
    """The value of the session's cookie."""
    # most callers send no cookie, or none of ours: parsing all of them costs more than this look
    return request.cookies.get(COOKIE) if COOKIE in request.headers.get("cookie", "") else None


# --- pages ------------------------------------------------------------------------------------------------------------------------------


def wants_page(request: Request) -> bool:
    """Whether a browser shows the answer to a person; programs and scripts do not ask for HTML."""
    return "text/html" in request.headers.get("accept", "")


def to_login(request: Request, refusal: errors.ServiceError) -> Response:
    """The way to the sign-in page and from there back to here; relative, as the service may be published below a path."""
    path = request.url.path.strip("/")
    back = f"{path}?{request.url.query}" if request.url.query else path
    why = "&why=scope" if isinstance(refusal, errors.Forbidden) else ""
    return Response(status_code=303, headers={"Location": f"{'../' * path.count('/')}login?next={quote(back, safe='/')}{why}"})
