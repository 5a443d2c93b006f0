"""What became of a request, what is added to it later, and that somebody found it to be none."""

from __future__ import annotations

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from services.intake.acceptance import Caller, Earlier, Rules, accept
from services.intake.api.callers import REQUESTS, Desk, caller_of, links_of
from services.intake.completeness import assess, known_by_now, product_by_now, suggestions, type_by_now
from services.intake.handlers.dismissing import NoRequest, dismiss
from services.intake.handlers.reception import ACCEPTED, Incoming
from services.intake.language import DISMISSED, RECEIVED, details_line, progress, prompts
from services.intake.reference import NotAReference, parse
from services.intake.schemas.answers import Dismissal as DismissalOut
from services.intake.schemas.answers import RequestAccepted, RequestView, TicketSeen
from services.intake.schemas.details import DetailsIn, DismissIn
from services.intake.settings import IntakeSettings
from services.intake.store import following as store
from services.intake.store.following import Dismissal, Followed
from shared import clock, http, telemetry
from shared.auth import Kind
from shared.errors import ServiceError
from shared.events.codes import Locale
from shared.http.keys import REPLAYED
from shared.idempotency import Claim
from shared.runtime import Runtime


def create_router(runtime: Runtime[IntakeSettings], desk: Desk) -> http.Router:
    """The routes of a request that was taken in; ``desk`` stores what is added."""
    router = http.Router(tags=["requests"])
    rules = Rules(runtime.settings.phone_region, runtime.settings.timezone)

    @router.get(
        REQUESTS + "/{reference}",
        scope="request:read",
        response_model=RequestView,
        operation_id="getRequest",
        summary="A request and what became of it",
    )
    async def get_request(
        reference: http.Code,
        by: http.CurrentPrincipal,
        locale: Annotated[Locale | None, Query(description="language of words for the customer; his own when left out")] = None,
    ) -> dict[str, Any]:
        """The reference is read tolerantly: lower case, O for 0, I or L for 1. A customer sees his own requests only."""
        caller = caller_of(by)
        async with runtime.database.transaction() as tx:
            found = await store.find(tx, _own_reference(reference), of=caller.customer_id)
            if found is None:
                raise NoRequest
            owned = await store.products_of(tx, found.survivor_id)
        return view_of(found, owned, locale or found.locale, runtime.settings, is_staff=by.kind is Kind.AGENT)

    @router.post(
        REQUESTS + "/{reference}/details",
        scope="request:create",
        status_code=ACCEPTED,
        response_model=RequestAccepted,
        operation_id="createRequestDetails",
        summary="Add what was missing from a request",
    )
    async def create_details(
        request: Request, reference: http.Code, body: DetailsIn, by: http.CurrentPrincipal, key: http.IdempotencyKey
    ) -> Response:
        """The details are a further message of the customer, with a number of its own that answers as the same ticket. `completeness` and
        `missing_fields` count both together."""
        caller = caller_of(by)
        own = _own_reference(reference)
        async with runtime.database.transaction() as tx:
            found = await store.find(tx, own, of=caller.customer_id)
        if found is None:
            raise NoRequest
        incoming = _completing(found, body, caller, rules, None if key is None else (f"POST {REQUESTS}/{own}/details", key))
        outcome = await desk.submit(incoming, len(await request.body()))
        if isinstance(outcome, ServiceError):
            raise outcome
        headers = {REPLAYED: "true"} if outcome.is_replay else None
        return Response(outcome.body, status_code=ACCEPTED, media_type="application/json", headers=headers)

    @router.post(
        REQUESTS + "/{reference}/dismiss",
        scope="ticket:act",
        problems=[409],
        response_model=DismissalOut,
        operation_id="submitRequestDismissal",
        summary="Say that there is nothing to do about a request",
    )
    async def dismiss_request(reference: http.Code, body: DismissIn, by: http.CurrentPrincipal) -> DismissalOut:
        """For spam, tests, duplicates and wrong numbers, once somebody has looked. His name is kept with it. The ticket that the request
        opened is cancelled with the reason `dismissed`, unless somebody works on it already, the customer was answered, or another request
        joined it: then it stays, and goes on or is cancelled where tickets are. Saying the same again changes nothing."""
        own = _own_reference(reference)
        async with runtime.database.transaction() as tx:
            stands = await dismiss(tx, own, Dismissal(clock.now(), by.id, body.reason_code))
            found = await store.find(tx, own)
        runtime.wakeup()
        if found is None:
            raise NoRequest
        return _dismissal_of(found, stands)

    return router


def view_of(
    found: Followed, owned: list[dict[str, str | None]], locale: str, settings: IntakeSettings, *, is_staff: bool
) -> dict[str, Any]:
    """A request as it is shown."""
    known = known_by_now(found.record, found.added)
    complete = assess(type_by_now(found.record, found.added), known)
    suggested = suggestions(product_by_now(found.record, found.added), owned)
    dismissal = found.dismissal
    code = found.ticket_status or (RECEIVED if dismissal is None else DISMISSED)
    text, following = progress(code, locale)
    return {
        **found.fields,
        "completeness": complete.score,
        "missing_fields": complete.missing,
        "prompts": prompts(complete.missing, locale, suggested),
        "status": {"code": code, "text": text, "next": following},
        "joined": found.has_joined,
        "ticket": None if found.ticket_number is None else {"number": found.ticket_number, "status": found.ticket_status},
        "dismissed": None
        if dismissal is None
        else {"at": dismissal.at, "by": dismissal.by if is_staff else None, "reason_code": dismissal.reason_code},
        "links": links_of(settings, found.reference),
    }


NOT_BEGUN: Final = frozenset({"new", "triaged", "assigned", "cancelled"})
"""Statuses of a ticket that nobody works on."""


def _dismissal_of(found: Followed, stands: Dismissal) -> DismissalOut:
    ticket = None if found.ticket_number is None else TicketSeen(number=found.ticket_number, status=found.ticket_status or RECEIVED)
    stays = ticket is not None and (found.has_joined or ticket.status not in NOT_BEGUN)
    return DismissalOut(at=stands.at, by=stands.by, reason_code=stands.reason_code, ticket=ticket, ticket_stays=stays)


def _completing(found: Followed, body: DetailsIn, caller: Caller, rules: Rules, key: tuple[str, str] | None) -> Incoming:
    text = details_line(body.added(), found.locale)
    customer_id: UUID | None = None if caller.customer_id is not None else found.survivor_id
    sent = body.submission(to=found.first, channel=found.fields["channel"], customer_id=customer_id, text=text)
    earlier = Earlier(found.first, type_by_now(found.record, found.added), known_by_now(found.record, found.added))
    accepted = accept(sent, caller, received_at=clock.now(), rules=rules, earlier=earlier)
    claim = None if key is None else Claim(caller.principal, *key, accepted.digest)
    return Incoming(accepted, claim, telemetry.traceparent())


def _own_reference(text: str) -> str:
    """A linked number is a ticket's, not a request's."""
    try:
        reference = parse(text)
    except NotAReference:
        raise NoRequest from None
    if reference.link is not None:
        raise NoRequest
    return reference.own
