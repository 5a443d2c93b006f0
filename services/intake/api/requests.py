"""Requests in, one by one or in batches: the hot path."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final

import orjson
from pydantic import Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from services.intake.acceptance import Caller, Rules, accept
from services.intake.api.callers import REQUESTS, Desk, caller_of
from services.intake.handlers.reception import ACCEPTED, Answer, Incoming, Outcome
from services.intake.schemas.answers import BatchAnswer, RequestAccepted
from services.intake.schemas.requests import MAX_BATCH, BatchIn, RequestIn
from services.intake.settings import IntakeSettings
from shared import clock, http, telemetry
from shared.errors import ServiceError
from shared.http import problems
from shared.http.keys import REPLAYED
from shared.idempotency import Claim
from shared.runtime import Runtime

BATCH: Final = "/v1/requests/batch"

_REPLAYED: Final = ((REPLAYED.lower().encode(), b"true"),)

log = telemetry.logger()


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
        return http.Ready(outcome.body, status_code=ACCEPTED, headers=_REPLAYED if outcome.is_replay else ())

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
        return http.Ready(b'{"results":[' + results + b"]}", status_code=207)

    return router


def _incoming(body: RequestIn, caller: Caller, rules: Rules, route: str, key: str | None) -> Incoming:
    accepted = accept(body.submission(), caller, received_at=clock.now(), rules=rules)
    claim = None if key is None else Claim(caller.principal, f"POST {route}", key, accepted.digest)
    return Incoming(accepted, claim, telemetry.traceparent())


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
