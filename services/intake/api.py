"""The REST door: requests in, one by one or in batches, and the view of one request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, Final
from uuid import UUID

import orjson
from pydantic import Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from services.intake.acceptance import Caller, Rules, accept
from services.intake.batcher import Batcher
from services.intake.handlers.reception import ACCEPTED, Answer, Incoming, Outcome
from services.intake.reference import NotAReference, parse
from services.intake.schemas import MAX_BATCH, BatchAnswer, BatchIn, Links, RequestAccepted, RequestIn, RequestView, TicketSeen
from services.intake.settings import IntakeSettings
from services.intake.store import requests as store
from services.intake.store.requests import Receipt
from shared import clock, http, telemetry
from shared.auth import Kind, Principal
from shared.errors import Forbidden, NotFound, ServiceError
from shared.http import problems
from shared.http.keys import REPLAYED
from shared.idempotency import Claim
from shared.runtime import Runtime

REQUESTS: Final = "/v1/requests"
BATCH: Final = "/v1/requests/batch"

log = telemetry.logger()

Desk = Batcher[Incoming, Outcome]


class NoCustomer(Forbidden):
    """The key is a customer's and does not name one."""

    code = "key_without_customer"


class NoRequest(NotFound):
    """No request has this reference, or it is another customer's."""

    code = "request_not_found"


class _Envelope(http.RequestModel):
    """A batch before its items are looked at."""

    requests: Annotated[tuple[Any, ...], Field(min_length=1, max_length=MAX_BATCH)]


def create_router(runtime: Runtime[IntakeSettings], desk: Desk) -> http.Router:
    """The routes of requests; ``desk`` stores what is accepted."""
    router = http.Router(tags=["requests"])
    rules = Rules(runtime.settings.phone_region, runtime.settings.timezone)

    @router.hot_post(
        REQUESTS,
        scope="request:create",
        body=RequestIn,
        status_code=ACCEPTED,
        response_model=RequestAccepted,
        operation_id="createRequest",
        summary="Hand in a customer's request",
    )
    async def create_request(request: Request) -> Response:
        """202 means that it is stored and will be answered for. Sent again with its `Idempotency-Key`, or with the `external_id` of its
        channel and the same content, it gets the same answer. Other content under a used `external_id` is kept as a further message."""
        body = await http.read_model(request, RequestIn)
        caller = caller_of(http.principal(request))
        size = len(await request.body())
        outcome = await desk.submit(_incoming(body, caller, rules, REQUESTS, http.idempotency_key(request)), size)
        if isinstance(outcome, ServiceError):
            raise outcome
        headers = {REPLAYED: "true"} if outcome.is_replay else None
        return Response(outcome.body, status_code=ACCEPTED, media_type="application/json", headers=headers)

    @router.hot_post(
        BATCH,
        scope="request:create",
        body=BatchIn,
        body_limit=http.BATCH_LIMIT,
        status_code=207,
        response_model=BatchAnswer,
        operation_id="createRequests",
        summary="Hand in up to 500 requests",
    )
    async def create_requests(request: Request) -> Response:
        """Each item is accepted or refused by itself; `results` has one entry per item, in order: `status` with `body` or `problem`. An
        `Idempotency-Key` holds for each item at its place in the batch."""
        envelope = await http.read_model(request, _Envelope)
        caller = caller_of(http.principal(request))
        key = http.idempotency_key(request)
        size = len(await request.body()) // len(envelope.requests)

        async def hand_in(index: int, item: Any) -> Outcome:
            try:
                body = _validated(item)
                return await desk.submit(_incoming(body, caller, rules, BATCH, None if key is None else f"{key}/{index}"), size)
            except ServiceError as error:
                return error
            except Exception as error:
                # the others of the batch are stored all the same, and their senders must hear it
                log.error("batch_item_failed", exc_info=error)
                return problems.Internal("Something went wrong on our side. Name the request id when you ask about it.")

        outcomes = await asyncio.gather(*(hand_in(index, item) for index, item in enumerate(envelope.requests)))
        results = b",".join(_result(request, outcome) for outcome in outcomes)
        return Response(b'{"results":[' + results + b"]}", status_code=207, media_type="application/json")

    @router.get(
        REQUESTS + "/{reference}",
        scope="request:read",
        response_model=RequestView,
        operation_id="getRequest",
        summary="A request and what became of it",
    )
    async def get_request(reference: http.Code, by: http.CurrentPrincipal) -> RequestView:
        """The reference is read tolerantly: lower case, O for 0, I or L for 1. A customer sees his own requests only."""
        async with runtime.database.transaction() as tx:
            found = await store.find(tx, _own_reference(reference))
        caller = caller_of(by)
        if found is None or caller.customer_id not in (None, found["customer_id"]):
            raise NoRequest("There is no such request.")
        return _view(found, runtime.settings)

    return router


def caller_of(principal: Principal) -> Caller:
    """Who hands in a request.

    Raises:
        NoCustomer: a customer's key whose principal is no customer id.
    """
    if principal.kind is not Kind.CUSTOMER:
        return Caller(principal.id)
    try:
        return Caller(principal.id, UUID(principal.id))
    except ValueError:
        raise NoCustomer("This key is a customer's, but its principal is no customer id.") from None


def writer_of_answers(settings: IntakeSettings) -> Callable[[Receipt], bytes]:
    """What turns a receipt into the body of the answer."""

    def write(receipt: Receipt) -> bytes:
        return orjson.dumps(
            {
                "request_id": str(receipt.request_id),
                "reference": receipt.reference,
                "received_at": receipt.received_at,
                "completeness": receipt.completeness,
                "missing_fields": receipt.missing_fields,
                "links": _links(settings, receipt.reference),
            },
            option=orjson.OPT_UTC_Z,
        )

    return write


def _links(settings: IntakeSettings, reference: str) -> dict[str, str]:
    return {
        "self": f"{settings.intake_public_url}{REQUESTS}/{reference}",
        "track": f"{settings.tickets_public_url}/v1/track/{reference}",
    }


def _incoming(body: RequestIn, caller: Caller, rules: Rules, route: str, key: str | None) -> Incoming:
    accepted = accept(body.submission(), caller, received_at=clock.now(), rules=rules)
    return Incoming(accepted, None if key is None else Claim(caller.principal, f"POST {route}", key, accepted.digest))


def _validated(item: Any) -> RequestIn:
    try:
        return RequestIn.model_validate(item)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=True, include_input=False)
        raise problems.invalid([{**wrong, "loc": ("body", *wrong["loc"])} for wrong in found]) from None


def _result(request: Request, outcome: Outcome) -> bytes:
    if isinstance(outcome, Answer):
        return b'{"status":%d,"body":%b}' % (ACCEPTED, outcome.body)
    problem = problems.document(request, outcome, status=None)
    return orjson.dumps({"status": problem["status"], "problem": problem})


def _own_reference(text: str) -> str:
    """A linked number is a ticket's, not a request's."""
    try:
        reference = parse(text)
    except NotAReference:
        raise NoRequest("There is no such request.") from None
    if reference.link is not None:
        raise NoRequest("There is no such request.")
    return reference.own


def _view(found: dict[str, Any], settings: IntakeSettings) -> RequestView:
    number, status = found.pop("ticket_number"), found.pop("ticket_status")
    ticket = None if number is None else TicketSeen(number=number, status=status)
    return RequestView(**found, ticket=ticket, links=Links(**_links(settings, found["reference"])))
