"""Who was asked, who answered what, and who was not asked and why. Read only: whom to ask is decided by rules alone."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query
from starlette.requests import Request

from services.feedback.api.surveys import runtime
from services.feedback.schemas.invitations import InvitationOut
from services.feedback.store import invitations as store
from services.feedback.store.invitations import Filters, Listed
from services.feedback.survey.invitations import State
from shared import clock, http
from shared.auth import Scope
from shared.errors import Invalid, NotFound

router = http.Router(tags=["invitations"])

Ticket = Annotated[http.Code | None, Query(description="a ticket, by its number or another reference that answers as it")]
InState = Annotated[State | None, Query(description="only those that stand so now")]
Flag = Annotated[Literal["low", "not_solved", "complaint"] | None, Query(description="only answers that ask for this")]
Since = Annotated[http.Instant | None, Query(alias="from", description="resolved at or after this moment")]
Until = Annotated[http.Instant | None, Query(alias="to", description="resolved before this moment")]


@router.get("/v1/invitations", scope=Scope.INVITATION_READ, operation_id="listInvitations", summary="Invitations and their answers")
async def list_invitations(
    request: Request,
    ticket: Ticket = None,
    state: InState = None,
    flag: Flag = None,
    since: Since = None,
    until: Until = None,
    limit: http.Limit = 50,
    cursor: http.Cursor = None,
) -> http.Page[InvitationOut]:
    """Answers and non-answers, the latest resolution first; those whom a rule spared a survey come with its reason."""
    if since is not None and until is not None and until <= since:
        raise Invalid.field("?to", "span_empty", "the end must lie after the beginning")
    served, at = runtime(request), clock.now()
    filters = Filters(ticket, state, flag, since, until)
    named = {"ticket": ticket, "state": state, "flag": flag, "from": _text(since), "to": _text(until)}
    after = None if cursor is None else _position(served.cursors.decode(cursor, named, length=2))
    async with served.database.transaction() as tx:
        found = await store.page(tx, filters, at=at, after=after, limit=limit + 1)
    shown = found[:limit]
    resolved_at, last_id = shown[-1].position if len(found) > limit else (None, None)
    return http.Page(
        items=[_out(listed, at) for listed in shown],
        next_cursor=None if resolved_at is None else served.cursors.encode([resolved_at.isoformat(), str(last_id)], named),
    )


@router.get(
    "/v1/invitations/{invitation_id}", scope=Scope.INVITATION_READ, operation_id="getInvitation", summary="An invitation and its answer"
)
async def get_invitation(request: Request, invitation_id: UUID) -> InvitationOut:
    """One invitation as it stands now."""
    async with runtime(request).database.transaction() as tx:
        listed = await store.listed(tx, invitation_id)
    if listed is None:
        raise NotFound("There is no such invitation.")
    return _out(listed, clock.now())


def _out(listed: Listed, at: datetime) -> InvitationOut:
    return InvitationOut.of(listed.invitation, listed.answers, is_anonymous=listed.is_anonymous, at=at)


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _position(parts: list[str | int]) -> store.Position:
    resolved_at, last_id = parts
    return datetime.fromisoformat(str(resolved_at)), UUID(str(last_id))
