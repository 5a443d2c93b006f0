"""The customer's view of his own request. Unknown and forbidden look the same."""

from __future__ import annotations

from typing import Annotated, Final, cast

from fastapi import Header, Query
from starlette.requests import Request
from starlette.responses import Response

from services.tickets.api import shape
from services.tickets.handlers import visits
from services.tickets.handlers.visits import Seen, TrackingLocked, TrackingUnknown
from services.tickets.proof import MAX_TOKEN
from services.tickets.schemas import answers
from shared import clock, http
from shared.auth import Kind, Scope
from shared.languages import closest, preferred
from shared.runtime import AnyRuntime

router: Final = http.Router(tags=["tracking"])

MAX_PROOF: Final = 254
"""Characters of the longest e-mail address."""


@router.get(
    "/v1/track/{reference}",
    scope=http.PUBLIC("customers have no key: a signed link or something that they told with the request is enough"),
    operation_id="trackRequest",
    summary="How my request stands",
    problems=[401, 429],
)
async def track(
    request: Request,
    response: Response,
    reference: http.Code,
    t: Annotated[str | None, Query(max_length=MAX_TOKEN, description="token of the link in our message")] = None,
    proof: Annotated[
        str | None,
        Header(
            alias="Tracking-Proof",
            max_length=MAX_PROOF,
            description="last 4 digits of the phone number, or the e-mail address, given with it",
        ),
    ] = None,
) -> answers.Tracking:
    """Status in words, dates, what is expected and the public messages. Proof: the customer's own key (Authorization), `t`, or
    `Tracking-Proof`; 10 wrong tries of the latter lock the number for an hour. Whoever only gives that sees our messages, not his own."""
    runtime = cast(AnyRuntime, request.app.state.runtime)
    seen = await _seen(request, runtime, visits.normalised(reference), t, proof)
    if isinstance(seen, TrackingLocked):
        raise seen
    if seen is None:
        raise TrackingUnknown
    locale = preferred(request.headers.get("accept-language")) or closest(seen.ticket.locale)
    found = shape.tracking(seen, locale, runtime.settings.timezone)
    response.headers["Content-Language"] = found.locale
    response.headers["Cache-Control"] = "no-store"
    return found


async def _seen(
    request: Request, runtime: AnyRuntime, reference: str, token: str | None, proof: str | None
) -> Seen | TrackingLocked | None:
    tracking, now = visits.tracking_of(runtime.settings), clock.now()
    authorization = request.headers.get("authorization")
    principal = None
    if authorization is not None:
        principal = await runtime.keys.principal(authorization)
    async with runtime.database.transaction() as tx:
        if principal is not None:
            may_read = principal.kind is Kind.CUSTOMER and Scope.REQUEST_READ in principal.scopes
            return await visits.with_key(tx, reference, principal.id) if may_read else None
        if token is not None:
            return await visits.with_token(tx, reference, token, tracking, now)
        if proof is not None:
            return await visits.with_something_told(tx, reference, proof, tracking, now)
    return None
