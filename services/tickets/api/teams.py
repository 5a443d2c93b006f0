"""Teams and skills: what decides where tickets go."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from services.tickets.api import staff as routes
from services.tickets.api.staff import CREATED, ETAG, SKILLS, TEAMS
from services.tickets.schemas.params import ListCode
from services.tickets.schemas.staff import CoverageView, NewSkill, NewTeam, SkillPatch, SkillView, StaffChangeView, TeamPatch, TeamView
from services.tickets.store import staff
from services.tickets.store.staff import TEAM, Coverage, SkillRecord, TeamRecord
from shared import http
from shared.errors import NotFound

router: Final = http.Router(tags=["staff"])


@router.get("/v1/teams", scope="staff:read", operation_id="listTeams", summary="Teams")
async def list_teams(
    request: Request, active: bool | None = None, limit: http.Limit = 50, cursor: http.Cursor = None
) -> http.Page[TeamView]:
    """In the order of their ids."""
    return http.Page[TeamView](**await routes.page(request, TEAMS, {"active": active}, limit, cursor))


@router.post(
    "/v1/teams",
    scope="staff:write",
    operation_id="createTeam",
    summary="Add a team",
    status_code=201,
    problems=[409],
    responses=CREATED,
    response_model=TeamView,
)
async def create_team(request: Request, body: NewTeam, key: http.IdempotencyKey, principal: http.CurrentPrincipal) -> Response:
    """The team `service-desk` takes what no other one names. Without any team, tickets stay unassigned until somebody takes them."""
    record = TeamRecord(body.id, body.name, body.types, body.channels, body.tiers, body.calendar, body.distribution, body.when_offline)
    return await routes.create(request, TEAMS, record, body=body, key=key, principal=principal)


@router.get("/v1/teams/{team}", scope="staff:read", operation_id="getTeam", summary="A team", responses=ETAG)
async def get_team(request: Request, response: Response, team: http.Code) -> TeamView:
    """What it is there for."""
    shown: TeamView = await routes.get(request, response, TEAMS, team)
    return shown


@router.patch("/v1/teams/{team}", scope="staff:write", operation_id="changeTeam", summary="Change a team", responses=ETAG)
async def change_team(
    request: Request, response: Response, team: http.Code, body: TeamPatch, version: http.ExpectedVersion, principal: http.CurrentPrincipal
) -> TeamView:
    """What the body leaves out stays. Tickets that somebody has stay with him."""
    shown: TeamView = await routes.change(request, response, TEAMS, team, body, version=version, principal=principal)
    return shown


@router.get("/v1/teams/{team}/history", scope="staff:read", operation_id="getTeamHistory", summary="What changed about a team")
async def get_team_history(
    request: Request, team: http.Code, limit: http.Limit = 50, cursor: http.Cursor = None
) -> http.Page[StaffChangeView]:
    """In order, with who did it."""
    return await routes.history(request, TEAMS, team, limit, cursor)


@router.get("/v1/teams/{team}/skills", scope="staff:read", operation_id="getSkillsMatrix", summary="Who of a team can do what")
async def get_skills_matrix(
    request: Request, team: http.Code, limit: http.Limit = 50, cursor: http.Cursor = None
) -> http.Page[CoverageView]:
    """In the order of the skills, those that nobody of the team has among them."""
    filters = {"list": "skills matrix", "team": team}
    runtime = routes.runtime(request)
    after = "" if cursor is None else str(runtime.cursors.decode(cursor, filters, length=1)[0])
    async with runtime.database.transaction() as tx:
        if await staff.find(tx, TEAM, team) is None:
            raise NotFound(f"There is no team {team}.")
        found = await staff.coverage(tx, team, after=after, limit=limit + 1)
    following = runtime.cursors.encode([found[limit - 1].skill], filters) if len(found) > limit else None
    return http.Page(items=[_coverage(each) for each in found[:limit]], next_cursor=following)


def _coverage(each: Coverage) -> CoverageView:
    return CoverageView(
        skill=each.skill,
        name=each.name,
        types=list(each.types),
        categories=list(each.categories),
        agents=list(each.agents),
        at_work=each.at_work,
    )


# ------------------------------------------------------------------ skills


@router.get("/v1/skills", scope="staff:read", operation_id="listSkills", summary="Skills, and which tickets need them")
async def list_skills(
    request: Request,
    type: ListCode | None = None,
    category: ListCode | None = None,
    active: bool | None = None,
    limit: http.Limit = 50,
    cursor: http.Cursor = None,
) -> http.Page[SkillView]:
    """In the order of their ids; those that name a type or a category."""
    where = {"types": type, "categories": category, "active": active}
    return http.Page[SkillView](**await routes.page(request, SKILLS, where, limit, cursor))


@router.post(
    "/v1/skills",
    scope="staff:write",
    operation_id="createSkill",
    summary="Add a skill",
    status_code=201,
    problems=[409],
    responses=CREATED,
    response_model=SkillView,
)
async def create_skill(request: Request, body: NewSkill, key: http.IdempotencyKey, principal: http.CurrentPrincipal) -> Response:
    """A ticket of its types and categories is given only to agents who have it."""
    record = SkillRecord(body.id, body.name, body.types, body.categories)
    return await routes.create(request, SKILLS, record, body=body, key=key, principal=principal)


@router.get("/v1/skills/{skill}", scope="staff:read", operation_id="getSkill", summary="A skill", responses=ETAG)
async def get_skill(request: Request, response: Response, skill: http.Code) -> SkillView:
    """Which tickets need it."""
    shown: SkillView = await routes.get(request, response, SKILLS, skill)
    return shown


@router.patch("/v1/skills/{skill}", scope="staff:write", operation_id="changeSkill", summary="Change a skill", responses=ETAG)
async def change_skill(
    request: Request,
    response: Response,
    skill: http.Code,
    body: SkillPatch,
    version: http.ExpectedVersion,
    principal: http.CurrentPrincipal,
) -> SkillView:
    """What the body leaves out stays."""
    shown: SkillView = await routes.change(request, response, SKILLS, skill, body, version=version, principal=principal)
    return shown


@router.get("/v1/skills/{skill}/history", scope="staff:read", operation_id="getSkillHistory", summary="What changed about a skill")
async def get_skill_history(
    request: Request, skill: http.Code, limit: http.Limit = 50, cursor: http.Cursor = None
) -> http.Page[StaffChangeView]:
    """In order, with who did it."""
    return await routes.history(request, SKILLS, skill, limit, cursor)
