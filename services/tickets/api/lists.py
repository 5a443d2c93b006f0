"""Tickets in lists: filters that combine, four orders, search."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Final, cast
from uuid import UUID

from fastapi import Depends, Query
from starlette.requests import Request

from services.tickets.api import shape
from services.tickets.schemas import answers
from services.tickets.sla import Priority
from services.tickets.store import customers, lists, views
from services.tickets.store.lists import Filter, Position, SlaFilter, Sort
from services.tickets.workflow.status import Status
from shared import clock, http
from shared.errors import Invalid
from shared.runtime import AnyRuntime

router: Final = http.Router(tags=["tickets"])

Text = Annotated[str | None, Query(min_length=1, max_length=200)]


class Asked:
    """The query of a list, as the caller wrote it."""

    def __init__(
        self,
        status: Annotated[list[Status] | None, Query(description="repeat for several")] = None,
        type: http.Code | None = None,
        assignee: Text = None,
        unassigned: Annotated[bool, Query(description="only those that nobody has")] = False,
        escalated: Annotated[bool, Query(description="only those that somebody higher has to look at")] = False,
        team: http.Code | None = None,
        customer_id: Annotated[UUID | None, Query(description="also finds tickets under other ids of the same person")] = None,
        channel: http.Code | None = None,
        priority: Annotated[list[Priority] | None, Query(description="repeat for several")] = None,
        tier: http.Code | None = None,
        opened_from: http.Instant | None = None,
        opened_before: http.Instant | None = None,
        updated_from: http.Instant | None = None,
        updated_before: http.Instant | None = None,
        sla: Annotated[
            SlaFilter | None, Query(description="overdue: a promise was due before now; running: one runs, none is overdue")
        ] = None,
        q: Annotated[
            str | None,
            Query(
                min_length=1,
                max_length=200,
                description="beginning of a number, or words of subject, product, serial or order number, the last of them as a beginning",
            ),
        ] = None,
        sort: Annotated[
            Sort, Query(description="due: those with a running promise, soonest first; priority: open ones, most urgent first")
        ] = Sort.NEWEST,
    ) -> None:
        self.filter: Final = Filter(
            status=tuple(sorted(set(status or ()))),
            type=type,
            assignee=assignee,
            unassigned=unassigned,
            escalated=escalated,
            team=team,
            customers=() if customer_id is None else (customer_id,),
            channel=channel,
            priority=tuple(sorted(set(priority or ()))),
            tier=tier,
            opened_from=opened_from,
            opened_before=opened_before,
            updated_from=updated_from,
            updated_before=updated_before,
            sla=sla,
            q=q,
        )
        self.sort: Final = sort
        if unassigned and assignee is not None:
            raise Invalid.field("?unassigned", "contradiction", "A ticket that somebody has is not unassigned.")

    def as_json(self) -> dict[str, Any]:
        """What a cursor of this list is bound to."""
        values = {name: getattr(self.filter, name) for name in Filter.__slots__}
        return {"list": "tickets", "sort": self.sort} | {name: _plain(value) for name, value in values.items()}


@router.get("/v1/tickets", scope="ticket:read", operation_id="listTickets", summary="Tickets, newest first or as asked for")
async def list_tickets(
    request: Request, asked: Annotated[Asked, Depends()], limit: http.Limit = 50, cursor: http.Cursor = None
) -> http.Page[answers.TicketView]:
    """Filters combine. Pages neither repeat nor lose tickets while others arrive."""
    runtime = cast(AnyRuntime, request.app.state.runtime)
    after = None if cursor is None else _position(runtime.cursors.decode(cursor, asked.as_json(), length=_parts(asked.sort)))
    now = clock.now()
    async with runtime.database.transaction() as tx:
        chosen = asked.filter
        if chosen.customers:
            chosen = replace(chosen, customers=tuple(await customers.same_person(tx, chosen.customers[0])))
        found = await lists.page(tx, chosen, asked.sort, after=after, now=now, limit=limit + 1)
        shown = await views.views(tx, [place[-1] for place in found[:limit]])
    following = runtime.cursors.encode([_text(part) for part in found[limit - 1]], asked.as_json()) if len(found) > limit else None
    return http.Page(items=[shape.ticket(view, now) for view in shown], next_cursor=following)


def _parts(sort: Sort) -> int:
    return len(lists.ORDERS[sort].columns)


def _text(part: Any) -> str | int:
    """A part of a sort key, for a cursor."""
    return part.isoformat() if isinstance(part, datetime) else part


def _position(parts: list[str | int]) -> Position:
    """The sort key in a cursor: numbers as they are, then a moment, then the ticket."""
    *ranks, moment, number = parts
    return (*ranks, datetime.fromisoformat(str(moment)), number)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [str(each) for each in value]
    return value if value is None or isinstance(value, bool | str) else str(value)
