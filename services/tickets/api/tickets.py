"""Tickets for staff: lists, one ticket, its history and messages, and what can be done with it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Final, TypeVar, cast
from uuid import UUID

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from services.tickets.api import shape
from services.tickets.handlers import desk
from services.tickets.handlers.visits import tracking_of
from services.tickets.schemas import actions, answers
from services.tickets.schemas.params import PARAMS
from services.tickets.store import views
from services.tickets.store.views import Filter, View
from services.tickets.workflow.actions import allowed
from services.tickets.workflow.commands import Actor
from services.tickets.workflow.status import Role, Status
from shared import auth, clock, http, idempotency
from shared.database import Transaction
from shared.errors import Forbidden
from shared.runtime import AnyRuntime

router: Final = http.Router(tags=["tickets"])

Item = TypeVar("Item")

ROLES: Final = {
    auth.Role.AGENT: Role.AGENT,
    auth.Role.LEAD: Role.LEAD,
    auth.Role.MANAGER: Role.MANAGER,
    # whoever runs the whole installation may also step in for a manager
    auth.Role.ADMIN: Role.MANAGER,
}
"""In which capacity a principal acts on tickets."""

ETAG: Final[dict[int | str, dict[str, Any]]] = {
    200: {"headers": {"ETag": {"description": "the version, for If-Match", "schema": {"type": "string"}}}}
}


class NotStaff(Forbidden):
    """Only agents, leads and managers work on tickets."""

    code = "not_staff"


@router.get("/v1/tickets", scope="ticket:read", operation_id="listTickets", summary="Tickets, newest first")
async def list_tickets(
    request: Request,
    status: Annotated[list[Status] | None, Query(description="repeat for several")] = None,
    type: http.Code | None = None,
    assignee: Annotated[str | None, Query(min_length=1, max_length=200)] = None,
    team: http.Code | None = None,
    customer_id: UUID | None = None,
    q: Annotated[
        str | None,
        Query(min_length=1, max_length=200, description="beginning of a number, or words of the subject, the last of them as a beginning"),
    ] = None,
    limit: http.Limit = 50,
    cursor: http.Cursor = None,
) -> http.Page[answers.TicketView]:
    """Filters combine. Pages neither repeat nor lose tickets while others arrive."""
    chosen = Filter(tuple(sorted(status or ())), type, assignee, team, customer_id, q)
    filters = _filters(chosen)
    before = None
    if cursor is not None:
        opened_at, number = _runtime(request).cursors.decode(cursor, filters, length=2)
        before = datetime.fromisoformat(str(opened_at)), str(number)
    async with _runtime(request).database.transaction() as tx:
        found = await views.newest(tx, chosen, before=before, limit=limit + 1)
    page, more = found[:limit], len(found) > limit
    last = page[-1].ticket if page else None
    following = _runtime(request).cursors.encode([last.opened_at.isoformat(), last.number], filters) if more and last else None
    now = clock.now()
    return http.Page(items=[shape.ticket(view, now) for view in page], next_cursor=following)


@router.get("/v1/tickets/{number}", scope="ticket:read", operation_id="getTicket", summary="One ticket", responses=ETAG)
async def get_ticket(request: Request, response: Response, number: http.Code) -> answers.TicketView:
    """A service number that joined a ticket answers as that ticket."""
    async with _runtime(request).database.transaction() as tx:
        view = await _view(tx, await desk.ticket_number(tx, number))
    response.headers["ETag"] = http.etag(view.ticket.version)
    return shape.ticket(view, clock.now())


@router.get("/v1/tickets/{number}/history", scope="ticket:read", operation_id="getTicketHistory", summary="What happened, in order")
async def get_history(
    request: Request, number: http.Code, limit: http.Limit = 50, cursor: http.Cursor = None
) -> http.Page[answers.HistoryView]:
    """Ids, codes and numbers; what was written is under messages."""
    after = _position(request, cursor, "history", number)
    async with _runtime(request).database.transaction() as tx:
        entries = await views.history(tx, await desk.ticket_number(tx, number), after=after, limit=limit + 1)
    following = _following(request, entries, limit, "history", number)
    return http.Page(items=[shape.history(entry) for entry in entries[:limit]], next_cursor=following)


@router.get("/v1/tickets/{number}/messages", scope="ticket:read", operation_id="getTicketMessages", summary="What was written, in order")
async def get_messages(
    request: Request, number: http.Code, limit: http.Limit = 50, cursor: http.Cursor = None
) -> http.Page[answers.MessageView]:
    """The customer's messages, replies and notes."""
    after = _position(request, cursor, "messages", number)
    async with _runtime(request).database.transaction() as tx:
        found = await views.messages(tx, await desk.ticket_number(tx, number), after=after, limit=limit + 1)
    following = _following(request, found, limit, "messages", number)
    return http.Page(items=[shape.message(view) for view in found[:limit]], next_cursor=following)


@router.get("/v1/tickets/{number}/actions", scope="ticket:read", operation_id="listTicketActions", summary="What you may do now")
async def list_actions(request: Request, number: http.Code, principal: http.CurrentPrincipal) -> answers.ActionList:
    """Each with the JSON Schema of its parameters; empty for those who only read."""
    async with _runtime(request).database.transaction() as tx:
        view = await _view(tx, await desk.ticket_number(tx, number))
    if "ticket:act" not in principal.scopes or principal.role not in ROLES:
        return answers.ActionList(items=[])
    now_allowed = allowed(view.ticket, _actor(principal), clock.now())
    return answers.ActionList(
        items=[answers.ActionView(action=action, params_schema=PARAMS[action].model_json_schema()) for action in now_allowed]
    )


@router.post(
    "/v1/tickets/{number}/actions",
    scope="ticket:act",
    operation_id="actOnTicket",
    summary="Do something with a ticket",
    problems=[409],
    responses=ETAG,
    response_model=answers.TicketView,
)
async def act(
    request: Request,
    number: http.Code,
    body: actions.ActionRequest,
    version: http.ExpectedVersion,
    key: http.IdempotencyKey,
    principal: http.CurrentPrincipal,
) -> Response:
    """The ticket afterwards; 409 names the actions that are allowed instead, 412 means that it changed since you read it."""
    runtime = _runtime(request)
    by, at = _actor(principal), clock.now()
    route = f"POST /v1/tickets/{number}/actions"
    fingerprint = idempotency.fingerprint(body.model_dump(mode="json"))
    async with (
        runtime.database.transaction() as tx,
        idempotency.once(tx, principal.id, route, key, fingerprint) as first,
    ):
        if isinstance(first, idempotency.Replay):
            return http.replay(first)
        before = await _view(tx, await desk.ticket_number(tx, number))
        ticket = await desk.act(
            tx, before.ticket.number, body.root.params.command(), by=by, version=version, at=at, tracking=tracking_of(runtime.settings)
        )
        answer = shape.ticket(View(ticket, before.particulars), at).model_dump_json().encode()
        headers = {"ETag": http.etag(ticket.version), "Content-Type": "application/json"}
        await first.store(200, answer, headers)
    runtime.wakeup()
    return Response(answer, headers=headers)


# ------------------------------------------------------------------ what the routes share


def _runtime(request: Request) -> AnyRuntime:
    return cast(AnyRuntime, request.app.state.runtime)


def _actor(principal: http.Principal) -> Actor:
    if principal.role not in ROLES:
        raise NotStaff("Only agents, leads and managers work on tickets.")
    return Actor(principal.id, ROLES[principal.role])


async def _view(tx: Transaction, number: str) -> View:
    (view,) = await views.views(tx, [number])
    return view


def _filters(chosen: Filter) -> dict[str, Any]:
    return {
        "list": "tickets",
        "status": list(chosen.status),
        "type": chosen.type,
        "assignee": chosen.assignee,
        "team": chosen.team,
        "customer_id": None if chosen.customer_id is None else str(chosen.customer_id),
        "q": chosen.q,
    }


def _position(request: Request, cursor: str | None, list_name: str, number: str) -> int:
    """The version after which a page of a ticket's own list begins."""
    if cursor is None:
        return 0
    (version,) = _runtime(request).cursors.decode(cursor, {"list": list_name, "number": number}, length=1)
    return int(version)


def _following(
    request: Request, found: Sequence[views.HistoryEntry | views.MessageView], limit: int, list_name: str, number: str
) -> str | None:
    if len(found) <= limit:
        return None
    return _runtime(request).cursors.encode([found[limit - 1].version], {"list": list_name, "number": number})
