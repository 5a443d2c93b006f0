"""Members of staff, and whether they are at work."""

from __future__ import annotations

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from services.tickets.api import staff as routes
from services.tickets.api.staff import AGENTS, CREATED, ETAG
from services.tickets.assignment.staff import Presence
from services.tickets.handlers import staff as handler
from services.tickets.schemas.params import ListCode
from services.tickets.schemas.staff import AgentPatch, AgentView, NewAgent, PresenceChange, StaffChangeView
from services.tickets.store import assignments
from services.tickets.store.staff import AgentRecord
from shared import clock, http
from shared.errors import Forbidden

router: Final = http.Router(tags=["staff"])


class NotYourself(Forbidden):
    """Whether somebody else is at work is said by leads."""

    code = "not_yourself"


@router.get("/v1/agents", scope="staff:read", operation_id="listAgents", summary="Members of staff")
async def list_agents(
    request: Request,
    team: ListCode | None = None,
    skill: ListCode | None = None,
    presence: Presence | None = None,
    active: bool | None = None,
    limit: http.Limit = 50,
    cursor: http.Cursor = None,
) -> http.Page[AgentView]:
    """In the order of their ids. Filters combine: who of a team has a skill is its row of the skills matrix."""
    where = {"teams": team, "skills": skill, "presence": presence, "active": active}
    return http.Page[AgentView](**await routes.page(request, AGENTS, where, limit, cursor))


@router.post(
    "/v1/agents",
    scope="staff:write",
    operation_id="createAgent",
    summary="Add a member of staff",
    status_code=201,
    problems=[409],
    responses=CREATED,
    response_model=AgentView,
)
async def create_agent(request: Request, body: NewAgent, key: http.IdempotencyKey, principal: http.CurrentPrincipal) -> Response:
    """His id is the principal of his API key. He begins offline."""
    record = AgentRecord(
        id=body.id,
        name=body.name,
        position=body.position,
        teams=body.teams,
        skills=body.skills,
        tiers=body.tiers,
        capacity=body.capacity,
        presence=Presence.OFFLINE,
        presence_at=clock.now(),
    )
    return await routes.create(request, AGENTS, record, body=body, key=key, principal=principal)


@router.get("/v1/agents/{agent}", scope="staff:read", operation_id="getAgent", summary="A member of staff", responses=ETAG)
async def get_agent(request: Request, response: Response, agent: http.Code) -> AgentView:
    """With the number of his open tickets."""
    shown: AgentView = await routes.get(request, response, AGENTS, agent)
    return shown


@router.patch("/v1/agents/{agent}", scope="staff:write", operation_id="changeAgent", summary="Change a member of staff", responses=ETAG)
async def change_agent(
    request: Request,
    response: Response,
    agent: http.Code,
    body: AgentPatch,
    version: http.ExpectedVersion,
    principal: http.CurrentPrincipal,
) -> AgentView:
    """What the body leaves out stays. Nobody is deleted: who leaves becomes inactive."""
    shown: AgentView = await routes.change(request, response, AGENTS, agent, body, version=version, principal=principal)
    return shown


@router.get("/v1/agents/{agent}/history", scope="staff:read", operation_id="getAgentHistory", summary="What changed about somebody")
async def get_history(request: Request, agent: http.Code, limit: http.Limit = 50, cursor: http.Cursor = None) -> http.Page[StaffChangeView]:
    """In order, with who did it."""
    return await routes.history(request, AGENTS, agent, limit, cursor)


@router.put(
    "/v1/agents/{agent}/presence",
    scope="ticket:act",
    operation_id="changePresence",
    summary="Say whether somebody is at work",
    problems=[409],
    responses=ETAG,
)
async def change_presence(
    request: Request, response: Response, agent: http.Code, body: PresenceChange, principal: http.CurrentPrincipal
) -> AgentView:
    """Everybody for himself; for others with the scope `staff:write`. The last word counts, so it takes no If-Match."""
    if principal.id != agent and "staff:write" not in principal.scopes:
        raise NotYourself("You may say for yourself whether you are at work; for others it takes the scope staff:write.")
    async with routes.runtime(request).database.transaction() as tx:
        record = await handler.set_presence(tx, agent, body.presence, by=principal.id, at=clock.now())
        loads: dict[str, Any] = await assignments.loads(tx, [agent])
    response.headers["ETag"] = http.etag(record.version)
    routes.runtime(request).wakeup()
    return routes.show_agent(record, loads.get(agent, 0))
