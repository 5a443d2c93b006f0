"""Who waits in which queue, and whose a ticket is and why."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from starlette.requests import Request

from services.tickets.api.staff import runtime
from services.tickets.assignment.queue import Waiting
from services.tickets.assignment.roster import Roster
from services.tickets.handlers import desk
from services.tickets.schemas.queues import AssignmentHistory, AssignmentView, QueueView, WaitingView
from services.tickets.store import assignments, loading, queues
from services.tickets.store.assignments import Assignment
from services.tickets.store.queues import Place, QueueRecord
from shared import http
from shared.errors import NotFound

router: Final = http.Router(tags=["queues"])


@router.get("/v1/queues", scope="ticket:read", operation_id="listQueues", summary="What waits in the queue of each team")
async def list_queues(request: Request, limit: http.Limit = 50, cursor: http.Cursor = None) -> http.Page[QueueView]:
    """In the order of the teams; how many wait by priority, and since when the oldest."""
    filters = {"list": "queues"}
    after = "" if cursor is None else str(runtime(request).cursors.decode(cursor, filters, length=1)[0])
    async with runtime(request).database.transaction() as tx:
        found = await queues.page(tx, after=after, limit=limit + 1)
    following = runtime(request).cursors.encode([found[limit - 1].team], filters) if len(found) > limit else None
    return http.Page(items=[_queue(record) for record in found[:limit]], next_cursor=following)


@router.get("/v1/queues/{team}", scope="ticket:read", operation_id="getQueue", summary="What waits in the queue of a team")
async def get_queue(request: Request, team: http.Code) -> QueueView:
    """How many wait by priority, and since when the oldest."""
    async with runtime(request).database.transaction() as tx:
        found = await queues.page(tx, after="", limit=1, team=team)
    if not found:
        raise NotFound(f"There is no team {team}.")
    return _queue(found[0])


@router.get("/v1/queues/{team}/tickets", scope="ticket:read", operation_id="listQueuedTickets", summary="Who waits, in turn")
async def list_waiting(request: Request, team: http.Code, limit: http.Limit = 50, cursor: http.Cursor = None) -> http.Page[WaitingView]:
    """In the order in which they are handed out: by priority, then by tier, then by age."""
    filters = {"list": "queued tickets", "team": team}
    after = None if cursor is None else _place(runtime(request).cursors.decode(cursor, filters, length=4))
    async with runtime(request).database.transaction() as tx:
        if not await queues.page(tx, after="", limit=1, team=team):
            raise NotFound(f"There is no team {team}.")
        found = await queues.waiting(tx, team, after=after, limit=limit + 1)
        roster = Roster(skills=await assignments.skills(tx))
    following = None
    if len(found) > limit:
        priority, tier, opened_at, number = found[limit - 1].place
        following = runtime(request).cursors.encode([priority, tier, opened_at.isoformat(), number], filters)
    return http.Page(items=[_waiting(each, roster) for each in found[:limit]], next_cursor=following)


@router.get("/v1/tickets/{number}/assignment", scope="ticket:read", operation_id="getAssignment", summary="Whose the ticket is, and why")
async def get_assignment(request: Request, number: http.Code) -> AssignmentHistory:
    """Each time that it changed hands: who had it then, how he was found, and the verdict on everybody who was looked at."""
    async with runtime(request).database.transaction() as tx:
        number = await desk.ticket_number(tx, number)
        ticket = (await loading.load(tx, [number]))[number]
        found = await assignments.of_ticket(tx, number)
    return AssignmentHistory(number=number, team=ticket.team, agent=ticket.assignee, items=[_assignment(each) for each in found])


# ------------------------------------------------------------------ shapes


def _queue(record: QueueRecord) -> QueueView:
    return QueueView(
        team=record.team,
        name=record.name,
        active=record.active,
        waiting=record.waiting,
        by_priority=dict(record.by_priority),
        oldest_opened_at=record.oldest_opened_at,
        at_work=record.at_work,
    )


def _waiting(each: Waiting, roster: Roster) -> WaitingView:
    return WaitingView(
        number=each.number,
        priority=each.priority,
        tier=each.work.tier,
        type=each.work.type,
        category=each.work.category,
        channel=each.work.channel,
        opened_at=each.opened_at,
        needed_skills=list(roster.needed(each.work)),
    )


def _assignment(each: Assignment) -> AssignmentView:
    decision = each.decision
    return AssignmentView(
        version=each.version,
        at=each.at,
        actor=each.actor,
        team=each.team,
        agent=each.agent,
        code=each.code,
        reason=each.reason,
        needed_skills=list(decision.needed) if decision else [],
        teams={id: str(verdict) for id, verdict in decision.teams.items()} if decision else {},
        candidates={id: str(verdict) for id, verdict in decision.candidates.items()} if decision else {},
    )


def _place(position: list[str | int]) -> Place:
    priority, tier, opened_at, number = position
    return int(priority), int(tier), datetime.fromisoformat(str(opened_at)), str(number)
