"""The customer's view of his own ticket, by his own key. Unknown and forbidden look the same."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request

from services.tickets.api import shape
from services.tickets.handlers import desk
from services.tickets.schemas import answers
from services.tickets.store import loading, views
from shared import http
from shared.auth import Kind
from shared.errors import NotFound

router: Final = http.Router(tags=["tracking"])

SHOWN: Final = 100
"""Messages that the view holds; the newest."""


@router.get("/v1/track/{reference}", scope="request:read", operation_id="trackRequest", summary="How my request stands")
async def track(request: Request, reference: http.Code, principal: http.CurrentPrincipal) -> answers.Tracking:
    """Status and messages, for the customer whose ticket it is."""
    unknown = NotFound("There is no request of yours with this number.")
    if principal.kind is not Kind.CUSTOMER:
        raise unknown
    async with request.app.state.runtime.database.transaction() as tx:
        try:
            number = await desk.ticket_number(tx, reference)
        except NotFound:
            raise unknown from None
        ticket = (await loading.load(tx, [number]))[number]
        if str(ticket.customer_id) != principal.id:
            raise unknown
        messages = await views.newest_public_messages(tx, number, limit=SHOWN)
    return shape.tracking(reference, ticket, messages)
