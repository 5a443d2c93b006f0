"""What the routes of agents, teams and skills share: they are made, changed, listed and looked back on alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, cast

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from services.tickets.handlers import staff as handler
from services.tickets.schemas import staff as schemas
from services.tickets.schemas.staff import Patch, StaffChangeView, given
from services.tickets.store import assignments, staff
from services.tickets.store.staff import AGENT, SKILL, TEAM, AgentRecord, Kind, Record, SkillRecord, StaffChange, TeamRecord
from shared import clock, http, idempotency
from shared.database import Transaction
from shared.errors import NotFound
from shared.runtime import AnyRuntime

ETAG: Final[dict[int | str, dict[str, Any]]] = {
    200: {"headers": {"ETag": {"description": "the version, for If-Match", "schema": {"type": "string"}}}}
}
CREATED: Final[dict[int | str, dict[str, Any]]] = {201: ETAG[200]}

NOT_SHOWN: Final = 0
"""Open tickets of an agent who was made in this very call."""


@dataclass(frozen=True, slots=True)
class Shelf(Generic[Record]):
    """One kind of record at the REST door: `path` is its collection's, `show` makes the answers of a page."""

    kind: Kind[Record]
    path: str
    show: Callable[[Record, int], BaseModel]


def show_agent(record: AgentRecord, open_tickets: int) -> schemas.AgentView:
    """An agent as callers see him."""
    copied: dict[str, Any] = {name: getattr(record, name) for name in schemas.AgentView.model_fields if name != "open_tickets"}
    return schemas.AgentView(**_lists(copied), open_tickets=open_tickets)


def show_team(record: TeamRecord, _: int = NOT_SHOWN) -> schemas.TeamView:
    """A team as callers see it."""
    copied: dict[str, Any] = {name: getattr(record, name) for name in schemas.TeamView.model_fields}
    return schemas.TeamView(**_lists(copied))


def show_skill(record: SkillRecord, _: int = NOT_SHOWN) -> schemas.SkillView:
    """A skill as callers see it."""
    copied: dict[str, Any] = {name: getattr(record, name) for name in schemas.SkillView.model_fields}
    return schemas.SkillView(**_lists(copied))


def _lists(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


AGENTS: Final = Shelf(AGENT, "/v1/agents", show_agent)
TEAMS: Final = Shelf(TEAM, "/v1/teams", show_team)
SKILLS: Final = Shelf(SKILL, "/v1/skills", show_skill)


# ------------------------------------------------------------------ routes


async def create(
    request: Request, shelf: Shelf[Record], record: Record, *, body: BaseModel, key: str | None, principal: http.Principal
) -> Response:
    """Make one; the same Idempotency-Key again gets the same answer."""
    fingerprint = idempotency.fingerprint(body.model_dump(mode="json"))
    async with (
        runtime(request).database.transaction() as tx,
        idempotency.once(tx, principal.id, f"POST {shelf.path}", key, fingerprint) as first,
    ):
        if isinstance(first, idempotency.Replay):
            return http.replay(first)
        made = await handler.create(tx, shelf.kind, record, by=principal.id, at=clock.now())
        answer = shelf.show(made, NOT_SHOWN).model_dump_json().encode()
        headers = {
            "ETag": http.etag(made.version),
            "Location": f"{shelf.path}/{made.id}",
            "Content-Type": "application/json",
        }
        await first.store(201, answer, headers)
    runtime(request).wakeup()
    return Response(answer, status_code=201, headers=headers)


async def change(
    request: Request,
    response: Response,
    shelf: Shelf[Record],
    id: str,
    patch: Patch,
    *,
    version: int,
    principal: http.Principal,
) -> Any:
    """Change what the body names."""
    async with runtime(request).database.transaction() as tx:
        record = await handler.change(tx, shelf.kind, id, given(patch), by=principal.id, version=version, at=clock.now())
        shown = shelf.show(record, await _load(tx, record))
    response.headers["ETag"] = http.etag(record.version)
    runtime(request).wakeup()
    return shown


async def get(request: Request, response: Response, shelf: Shelf[Record], id: str) -> Any:
    """One."""
    async with runtime(request).database.transaction() as tx:
        record = await _found(tx, shelf, id)
        shown = shelf.show(record, await _load(tx, record))
    response.headers["ETag"] = http.etag(record.version)
    return shown


async def page(request: Request, shelf: Shelf[Record], where: Mapping[str, Any], limit: int, cursor: str | None) -> dict[str, Any]:
    """Those that the conditions choose, in the order of their ids."""
    where = {name: value for name, value in where.items() if value is not None}
    filters = {"list": shelf.path, **where}
    after = "" if cursor is None else str(runtime(request).cursors.decode(cursor, filters, length=1)[0])
    async with runtime(request).database.transaction() as tx:
        found = await staff.page(tx, shelf.kind, where, after=after, limit=limit + 1)
        loads = await assignments.loads(tx, [record.id for record in found]) if shelf.kind.record is AgentRecord else {}
    following = runtime(request).cursors.encode([found[limit - 1].id], filters) if len(found) > limit else None
    return {"items": [shelf.show(record, loads.get(record.id, 0)) for record in found[:limit]], "next_cursor": following}


async def history(request: Request, shelf: Shelf[Record], id: str, limit: int, cursor: str | None) -> http.Page[StaffChangeView]:
    """What happened to one, in order."""
    filters = {"list": f"{shelf.path}/history", "id": id}
    after = 0 if cursor is None else int(runtime(request).cursors.decode(cursor, filters, length=1)[0])
    async with runtime(request).database.transaction() as tx:
        await _found(tx, shelf, id)
        found = await staff.changes(tx, shelf.kind, id, after=after, limit=limit + 1)
    following = runtime(request).cursors.encode([found[limit - 1].version], filters) if len(found) > limit else None
    return http.Page(items=[_step(change) for change in found[:limit]], next_cursor=following)


def _step(change: StaffChange) -> StaffChangeView:
    return StaffChangeView(version=change.version, at=change.at, actor=change.actor, changed=change.data)


async def _found(tx: Transaction, shelf: Shelf[Record], id: str) -> Record:
    record = await staff.find(tx, shelf.kind, id)
    if record is None:
        raise NotFound(f"There is no {shelf.kind.name} {id}.")
    return record


async def _load(tx: Transaction, record: Record) -> int:
    """Open tickets of an agent; of the others nobody asks."""
    return (await assignments.loads(tx, [record.id])).get(record.id, 0) if isinstance(record, AgentRecord) else NOT_SHOWN


def runtime(request: Request) -> AnyRuntime:
    """Of the process that answers."""
    return cast(AnyRuntime, request.app.state.runtime)
