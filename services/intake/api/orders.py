"""How requests stand, asked by customer or by order: a customer's own, or for staff anybody's."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query

from services.intake.api.callers import REQUESTS, caller_of
from services.intake.language import DISMISSED, RECEIVED, progress
from services.intake.schemas.answers import RequestLine, StatusSeen, TicketSeen
from services.intake.settings import IntakeSettings
from services.intake.store import files
from services.intake.store import following as store
from services.intake.store.following import Line
from shared import http
from shared.errors import Invalid
from shared.events.codes import Locale
from shared.runtime import Runtime


def create_router(runtime: Runtime[IntakeSettings]) -> http.Router:
    """The list of requests."""
    router = http.Router(tags=["requests"])

    @router.get(REQUESTS, scope="request:read", operation_id="listRequests", summary="Requests of a customer, or about an order")
    async def list_requests(
        by: http.CurrentPrincipal,
        order_number: Annotated[str | None, Query(min_length=1, max_length=200, description="as the request named it")] = None,
        customer_id: Annotated[UUID | None, Query(description="whose; a customer asks for his own alone")] = None,
        locale: Annotated[Locale | None, Query(description="language of words; that of each request when left out")] = None,
        limit: http.Limit = 50,
        cursor: http.Cursor = None,
    ) -> http.Page[RequestLine]:
        """Newest first. A customer sees his own; staff and systems name a customer, an order, or both."""
        own = caller_of(by).customer_id
        if own is not None and customer_id not in (None, own):
            return http.Page(items=[], next_cursor=None)
        whose = own or customer_id
        filters = {"list": "requests", "order": order_number, "customer": None if whose is None else str(whose)}
        before = None
        if cursor is not None:
            at, request_id = runtime.cursors.decode(cursor, filters, length=2)
            before = datetime.fromisoformat(str(at)), UUID(str(request_id))
        async with runtime.database.transaction() as tx:
            if whose is not None:
                file = await files.find(tx, whose)
                family = [whose] if file is None else await files.family(tx, file.customer_id)
                found = await store.of_customers(tx, family, order_number, before=before, limit=limit + 1)
            elif order_number is not None:
                found = await store.about_order(tx, order_number, before=before, limit=limit + 1)
            else:
                raise Invalid.field("?customer_id", "whose", "Name a customer, an order, or both.")
        last = found[limit - 1] if len(found) > limit else None
        following = None if last is None else runtime.cursors.encode([last.received_at.isoformat(), str(last.request_id)], filters)
        return http.Page(items=[_line(one, locale or one.locale) for one in found[:limit]], next_cursor=following)

    return router


def _line(line: Line, locale: str) -> RequestLine:
    code = line.ticket_status or (DISMISSED if line.is_dismissed else RECEIVED)
    text, following = progress(code, locale)
    has_ticket = line.ticket_number is not None and line.ticket_status is not None
    return RequestLine(
        request_id=line.request_id,
        reference=line.reference,
        received_at=line.received_at,
        channel=line.channel,
        type=line.type,
        subject=line.subject,
        order_number=line.order_number,
        status=StatusSeen(code=code, text=text, next=following),
        joined=line.ticket_number not in (None, line.reference),
        ticket=TicketSeen(number=str(line.ticket_number), status=str(line.ticket_status)) if has_ticket else None,
    )
