"""Service levels: calendars and policies, their versions, and why a ticket's targets stand as they do."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Final, TypeVar, cast

from fastapi import Path, Query
from starlette.requests import Request
from starlette.responses import Response

from services.tickets.api import levels_shape as shape
from services.tickets.handlers import desk, explaining
from services.tickets.handlers import levels as handler
from services.tickets.handlers.levels import CalendarAsked
from services.tickets.schemas import levels as schemas
from services.tickets.schemas.reckoning import Explanation
from services.tickets.sla import Escalation, Policy, Priority
from services.tickets.sla.public_holidays import Region
from services.tickets.store import levels
from shared import clock, http
from shared.errors import NotFound
from shared.runtime import AnyRuntime

router: Final = http.Router(tags=["service levels"])

View = TypeVar("View", bound=schemas.VersionView)

NEWEST: Final = 2**31 - 1
ETAG: Final[dict[int | str, dict[str, Any]]] = {
    200: {"headers": {"ETag": {"description": "the version, for If-Match", "schema": {"type": "string"}}}}
}

Id = Annotated[schemas.LevelId, Path(description="chosen by whoever makes it: a letter, then letters, digits, - _ .")]
Version = Annotated[int, Query(ge=1, le=NEWEST - 1)]


# ------------------------------------------------------------------ calendars


@router.get("/v1/calendars", scope="staff:read", operation_id="listCalendars", summary="Business calendars, each in its newest version")
async def list_calendars(request: Request, limit: http.Limit = 50, cursor: http.Cursor = None) -> http.Page[schemas.CalendarView]:
    """By id."""
    after = _after(request, cursor, {"list": "calendars"})
    async with _runtime(request).database.transaction() as tx:
        rows = await levels.calendars(tx, after=after, limit=limit + 1)
    return _page(request, [shape.calendar(row) for row in rows], limit, {"list": "calendars"}, "id")


@router.get("/v1/calendars/{id}", scope="staff:read", operation_id="getCalendar", summary="One calendar", responses=ETAG)
async def get_calendar(request: Request, response: Response, id: Id, version: Version | None = None) -> schemas.CalendarView:
    """The newest version, or the one asked for; with every holiday as it was known when the version was written."""
    async with _runtime(request).database.transaction() as tx:
        rows = await levels.calendar_versions(tx, id, before=NEWEST if version is None else version + 1, limit=1)
    found = _only([shape.calendar(row) for row in rows], version)
    response.headers["ETag"] = http.etag(found.version)
    return found


@router.get(
    "/v1/calendars/{id}/versions", scope="staff:read", operation_id="listCalendarVersions", summary="Versions of a calendar, newest first"
)
async def list_calendar_versions(
    request: Request, id: Id, limit: http.Limit = 50, cursor: http.Cursor = None
) -> http.Page[schemas.CalendarView]:
    """None ever changes; which one holds for a clock depends on `valid_from` and when the clock started."""
    bound = {"list": "calendar versions", "id": id}
    async with _runtime(request).database.transaction() as tx:
        rows = await levels.calendar_versions(tx, id, before=_before(request, cursor, bound), limit=limit + 1)
    return _page(request, _any([shape.calendar(row) for row in rows], cursor), limit, bound, "version")


@router.put(
    "/v1/calendars/{id}",
    scope="config:write",
    operation_id="changeCalendar",
    summary="Write the next version of a calendar",
    responses=ETAG,
)
async def put_calendar(
    request: Request,
    response: Response,
    id: Id,
    body: schemas.CalendarBody,
    version: http.ExpectedVersion,
    principal: http.CurrentPrincipal,
) -> schemas.CalendarWritten:
    """A new calendar is written with `If-Match: "0"`. Tickets whose clocks started since `valid_from` are reckoned anew."""
    week = body.week.windows()
    asked = CalendarAsked(
        zone=body.zone,
        week=week,
        region=None if body.holidays is None else Region(body.holidays.country, body.holidays.subdivision),
        makeup=week[0] if body.makeup is None else schemas.windows(body.makeup),
        days=handler.own_days([(day.date, schemas.windows(day.windows), day.name or "") for day in body.days]),
        valid_from=body.valid_from,
    )
    async with _runtime(request).database.transaction() as tx:
        row, outcome = await handler.write_calendar(tx, id, asked, by=principal.id, version=version, at=clock.now())
    response.headers["ETag"] = http.etag(row.calendar.version)
    return schemas.CalendarWritten(**dict(shape.calendar(row)), retargeting=outcome.retargeting)


# ------------------------------------------------------------------ policies


@router.get("/v1/policies", scope="staff:read", operation_id="listPolicies", summary="SLA policies, each in its newest version")
async def list_policies(request: Request, limit: http.Limit = 50, cursor: http.Cursor = None) -> http.Page[schemas.PolicyView]:
    """By id."""
    after = _after(request, cursor, {"list": "policies"})
    async with _runtime(request).database.transaction() as tx:
        rows = await levels.policies(tx, after=after, limit=limit + 1)
    return _page(request, [shape.policy(row) for row in rows], limit, {"list": "policies"}, "id")


@router.get("/v1/policies/{id}", scope="staff:read", operation_id="getPolicy", summary="One policy", responses=ETAG)
async def get_policy(request: Request, response: Response, id: Id, version: Version | None = None) -> schemas.PolicyView:
    """The newest version, or the one asked for."""
    async with _runtime(request).database.transaction() as tx:
        rows = await levels.policy_versions(tx, id, before=NEWEST if version is None else version + 1, limit=1)
    found = _only([shape.policy(row) for row in rows], version)
    response.headers["ETag"] = http.etag(found.version)
    return found


@router.get(
    "/v1/policies/{id}/versions", scope="staff:read", operation_id="listPolicyVersions", summary="Versions of a policy, newest first"
)
async def list_policy_versions(
    request: Request, id: Id, limit: http.Limit = 50, cursor: http.Cursor = None
) -> http.Page[schemas.PolicyView]:
    """None ever changes; which one holds for a clock depends on `valid_from` and when the clock started."""
    bound = {"list": "policy versions", "id": id}
    async with _runtime(request).database.transaction() as tx:
        rows = await levels.policy_versions(tx, id, before=_before(request, cursor, bound), limit=limit + 1)
    return _page(request, _any([shape.policy(row) for row in rows], cursor), limit, bound, "version")


@router.put(
    "/v1/policies/{id}",
    scope="config:write",
    operation_id="changePolicy",
    summary="Write the next version of a policy",
    problems=[409],
    responses=ETAG,
)
async def put_policy(
    request: Request, response: Response, id: Id, body: schemas.PolicyBody, version: http.ExpectedVersion, principal: http.CurrentPrincipal
) -> schemas.PolicyWritten:
    """A new policy is written with `If-Match: "0"`. Tickets whose clocks started since `valid_from` are reckoned anew. 409 when another
    policy is for exactly the same, or when some priority would be promised nothing."""
    at = clock.now()
    async with _runtime(request).database.transaction() as tx:
        row, outcome = await handler.write_policy(tx, _policy(id, body, at), by=principal.id, version=version, at=at)
    response.headers["ETag"] = http.etag(row.policy.version)
    return schemas.PolicyWritten(**dict(shape.policy(row)), retargeting=outcome.retargeting)


def _policy(id: str, body: schemas.PolicyBody, at: datetime) -> Policy:
    next_response = None if body.next_response_seconds is None else timedelta(seconds=body.next_response_seconds)
    return Policy(
        id=id,
        version=0,
        calendar=body.calendar,
        first_response=timedelta(seconds=body.first_response_seconds),
        resolution=timedelta(seconds=body.resolution_seconds),
        next_response=next_response,
        type=body.type,
        priority=body.priority,
        tier=body.tier,
        pauses_on=frozenset(str(cause) for cause in body.pauses_on),
        warn_percent=body.warn_percent,
        escalations=tuple(Escalation(rule.reason, rule.level, rule.target) for rule in body.escalations),
        valid_from=body.valid_from or at,
        is_active=body.active,
    )


# ------------------------------------------------------------------ the reckoning


@router.get(
    "/v1/tickets/{number}/sla/explain", scope="ticket:read", operation_id="showTicketSla", summary="Why its targets stand as they do"
)
async def explain(
    request: Request,
    number: http.Code,
    policy: Annotated[schemas.LevelId | None, Query(description="what if this policy held")] = None,
    version: Annotated[Version | None, Query(description="of that policy; the newest by default")] = None,
    priority: Annotated[Priority | None, Query(description="what if it had this priority")] = None,
    team: Annotated[http.Code | None, Query(description="what if this team had it, where the policy names no calendar")] = None,
) -> Explanation:
    """The choice of the policy with all that were looked at, the calendar, what happened to each clock, and its time day by day.

    With `policy`, `priority` or `team`: the same start, pauses and end, reckoned under that policy or the one that this priority would get,
    in the hours of that team.
    """
    at = clock.now()
    async with _runtime(request).database.transaction() as tx:
        own = await desk.ticket_number(tx, number)
        found = await explaining.explain(tx, own, explaining.Supposition(policy, version, priority, team), at)
    return Explanation(
        number=found.ticket.number,
        version=found.ticket.version,
        customer_id=found.ticket.customer_id,
        at=at,
        case=shape.case(found.case),
        what_if=found.is_supposed,
        targets=[
            shape.reckoning(target, each, () if found.is_supposed else found.steps, found.levels, found.case, at)
            for target, each in found.clocks.items()
        ],
    )


# ------------------------------------------------------------------ what the routes share


def _runtime(request: Request) -> AnyRuntime:
    return cast(AnyRuntime, request.app.state.runtime)


def _after(request: Request, cursor: str | None, bound: dict[str, str]) -> str:
    if cursor is None:
        return ""
    (id,) = _runtime(request).cursors.decode(cursor, bound, length=1)
    return str(id)


def _before(request: Request, cursor: str | None, bound: dict[str, str]) -> int:
    if cursor is None:
        return NEWEST
    (version,) = _runtime(request).cursors.decode(cursor, bound, length=1)
    return int(version)


def _page(request: Request, found: list[View], limit: int, bound: dict[str, str], key: str) -> http.Page[View]:
    following = _runtime(request).cursors.encode([getattr(found[limit - 1], key)], bound) if len(found) > limit else None
    return http.Page(items=found[:limit], next_cursor=following)


def _any(found: list[View], cursor: str | None) -> list[View]:
    if not found and cursor is None:
        raise NotFound("There is none of that id.")
    return found


def _only(found: list[View], version: int | None) -> View:
    if not found or (version is not None and found[0].version != version):
        raise NotFound("There is none of that id and version.")
    return found[0]
