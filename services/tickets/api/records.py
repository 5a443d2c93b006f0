"""What there is to read about one ticket: its history in words, its messages, the tickets that it has to do with."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, cast

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from services.tickets.api import shape
from services.tickets.handlers import desk
from services.tickets.schemas import answers
from services.tickets.store import histories, links, views
from shared import http
from shared.events.codes import DEFAULT_LOCALE
from shared.languages import preferred
from shared.runtime import AnyRuntime

router: Final = http.Router(tags=["tickets"])

SUGGESTED: Final = 20
"""Open tickets of the same customer that are shown at most."""


@router.get("/v1/tickets/{number}/history", scope="ticket:read", operation_id="getTicketHistory", summary="What happened, in order")
async def get_history(
    request: Request, response: Response, number: http.Code, limit: http.Limit = 50, cursor: http.Cursor = None
) -> http.Page[answers.HistoryView]:
    """Each step in codes and, in the language of Accept-Language, in words, with what it changed. What was written is under messages."""
    runtime = cast(AnyRuntime, request.app.state.runtime)
    bound = {"list": "history", "number": number}
    after = 0 if cursor is None else int(runtime.cursors.decode(cursor, bound, length=1)[0])
    async with runtime.database.transaction() as tx:
        found = await histories.history(tx, await desk.ticket_number(tx, number), after=after, limit=limit + 1)
        names = await histories.staff_names(tx, _people(found))
    locale = preferred(request.headers.get("accept-language")) or DEFAULT_LOCALE
    response.headers["Content-Language"] = locale.value
    following = runtime.cursors.encode([found[limit - 1].version], bound) if len(found) > limit else None
    return http.Page(items=[shape.history(entry, locale, names) for entry in found[:limit]], next_cursor=following)


@router.get("/v1/tickets/{number}/messages", scope="ticket:read", operation_id="getTicketMessages", summary="What was written, in order")
async def get_messages(
    request: Request, number: http.Code, limit: http.Limit = 50, cursor: http.Cursor = None
) -> http.Page[answers.MessageView]:
    """The customer's messages, replies and notes, by the time of writing; those of tickets that were merged into this one too."""
    runtime = cast(AnyRuntime, request.app.state.runtime)
    bound = {"list": "messages", "number": number}
    after = None
    if cursor is not None:
        at, written_on, version = runtime.cursors.decode(cursor, bound, length=3)
        after = datetime.fromisoformat(str(at)), str(written_on), int(version)
    async with runtime.database.transaction() as tx:
        found = await views.messages(tx, await desk.ticket_number(tx, number), after=after, limit=limit + 1)
    following = None
    if len(found) > limit:
        last = found[limit - 1]
        following = runtime.cursors.encode([last.at.isoformat(), last.number, last.version], bound)
    return http.Page(items=[shape.message(view) for view in found[:limit]], next_cursor=following)


@router.get("/v1/tickets/{number}/links", scope="ticket:read", operation_id="getTicketLinks", summary="Tickets that have to do with it")
async def get_links(
    request: Request,
    number: http.Code,
    suggestions: Annotated[bool, Query(description="also open tickets of the same customer that are not linked yet")] = False,
) -> answers.LinkList:
    """Links of both sides, merges, and the series that it continues. Links are added and removed by the actions link and unlink."""
    runtime = cast(AnyRuntime, request.app.state.runtime)
    async with runtime.database.transaction() as tx:
        own = await desk.ticket_number(tx, number)
        linked = await links.of_ticket(tx, own)
        suggested = await links.suggestions(tx, own, limit=SUGGESTED) if suggestions else []
    return answers.LinkList(items=[shape.link(view) for view in linked], suggestions=[shape.link(view) for view in suggested])


def _people(found: list[histories.HistoryEntry]) -> set[str]:
    """Whose names the sentences need."""
    return {entry.actor for entry in found} | {str(entry.data["assignee"]) for entry in found if entry.data.get("assignee")}
