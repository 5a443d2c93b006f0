"""One ticket for staff, and what can be done with it."""

from __future__ import annotations

from typing import Any, Final, cast

from starlette.requests import Request
from starlette.responses import Response

from services.tickets.api import shape
from services.tickets.handlers import desk
from services.tickets.handlers.visits import tracking_of
from services.tickets.schemas import actions, answers
from services.tickets.store import views
from services.tickets.store.views import View
from services.tickets.workflow.actions import allowed
from services.tickets.workflow.commands import Actor
from services.tickets.workflow.status import Role
from shared import auth, clock, http, idempotency
from shared.database import Transaction
from shared.errors import Forbidden
from shared.runtime import AnyRuntime

router: Final = http.Router(tags=["tickets"])

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


@router.get("/v1/tickets/{number}", scope="ticket:read", operation_id="getTicket", summary="One ticket", responses=ETAG)
async def get_ticket(request: Request, response: Response, number: http.Code) -> answers.TicketView:
    """A service number that joined a ticket answers as that ticket."""
    async with _runtime(request).database.transaction() as tx:
        view = await _view(tx, await desk.ticket_number(tx, number))
    response.headers["ETag"] = http.etag(view.ticket.version)
    return shape.ticket(view, clock.now())


@router.get("/v1/tickets/{number}/actions", scope="ticket:read", operation_id="listTicketActions", summary="What you may do now")
async def list_actions(request: Request, number: http.Code, principal: http.CurrentPrincipal) -> answers.ActionList:
    """Each with the JSON Schema of its parameters; empty for those who only read."""
    async with _runtime(request).database.transaction() as tx:
        view = await _view(tx, await desk.ticket_number(tx, number))
    if "ticket:act" not in principal.scopes or principal.role not in ROLES:
        return answers.ActionList(items=[])
    now_allowed = allowed(view.ticket, _actor(principal), clock.now())
    return answers.ActionList(
        items=[answers.ActionView(action=action, params_schema=shape.params_schema(action, view.ticket)) for action in now_allowed]
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
