"""Lists of tickets: filters, four orders; each page is read by key from the index of its order, so it costs the same however far it is.

What is counted over all tickets or sorted as a whole is never asked for. Closed lists of codes are written into the statement, because the
planner uses the partial indexes of open tickets only for what it can read there. And each page is planned for its own values: what one
ticket in three is, is met soon on the way through the order; what three of all are is found by its index and sorted. Which kinds of tickets
go together (no complaint is of low priority, say) is known from statistics on several columns at once, `ticket_kinds` and
`ticket_teams`.

Of words and promises the planner cannot know where in an order they are: words come and go with products, what is overdue is old. So those
are looked for on a short way through the order first, and by their index when that does not give a page. A word that was met often on this
way is not: its index would give one ticket in ten, and what is rare are the other conditions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any, Final
from uuid import UUID

from services.tickets import search
from services.tickets.models.expressions import OPEN_NOW, PRIORITY_RANK, among, has_status
from services.tickets.sla import Priority
from services.tickets.store.views import NUMBER_PREFIX
from services.tickets.workflow.status import OPEN, WITH_NOBODY, Status
from shared.database import Transaction

WINDOW: Final = 2_000
"""Tickets of an order that are looked at for what may be rare."""

FREQUENT: Final = 0.01
"""Share of the tickets looked at from which on a word is in too many for its index: who searches his own tickets for it meets it soon on
the way through these."""

PLANNING: Final = "SET LOCAL plan_cache_mode = force_custom_plan; SET LOCAL work_mem = '16MB'"
"""A word that one ticket in ten has is in that many places, each of which is remembered; where memory does not hold them, PostgreSQL
remembers whole pages and compares all tickets on them again."""


class Sort(StrEnum):
    """In which order."""

    NEWEST = "newest"
    UPDATED = "updated"
    """Changed last first."""
    DUE = "due"
    """Whose running promise is due soonest; tickets without one are left out."""
    PRIORITY = "priority"
    """The most urgent first, among them the oldest; open tickets only."""


class SlaFilter(StrEnum):
    """How the promises stand."""

    OVERDUE = "overdue"
    """One that is not kept yet was due before now."""
    RUNNING = "running"
    """One runs, and none is overdue."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which tickets a list shows; None and empty do not restrict. ``customers`` are all ids of one person."""

    status: tuple[Status, ...] = ()
    type: str | None = None
    assignee: str | None = None
    unassigned: bool = False
    escalated: bool = False
    team: str | None = None
    customers: tuple[UUID, ...] = ()
    channel: str | None = None
    priority: tuple[Priority, ...] = ()
    tier: str | None = None
    opened_from: datetime | None = None
    opened_before: datetime | None = None
    updated_from: datetime | None = None
    updated_before: datetime | None = None
    sla: SlaFilter | None = None
    q: str | None = None


Position = tuple[Any, ...]
"""The sort key of a ticket: what its order compares, and its number."""


@dataclass(frozen=True, slots=True)
class Order:
    """How an order is written: what is compared, which way, and what it leaves out."""

    columns: tuple[str, ...]
    descending: bool
    only: str | None = None


_WITH_NOBODY: Final = has_status(WITH_NOBODY)
"""What the table demands of a ticket that nobody has, said again where the planner knows which statuses the tickets of a team have."""

ORDERS: Final[Mapping[Sort, Order]] = {
    Sort.NEWEST: Order(("opened_at", "number"), descending=True),
    Sort.UPDATED: Order(("moved_at", "moved"), descending=True),
    Sort.DUE: Order(("next_due_at", "number"), descending=False, only="next_due_at IS NOT NULL"),
    Sort.PRIORITY: Order((PRIORITY_RANK, "opened_at", "number"), descending=False, only=OPEN_NOW),
}


async def page(tx: Transaction, chosen: Filter, sort: Sort, *, after: Position | None, now: datetime, limit: int) -> list[Position]:
    """Sort keys, the number last, of the tickets that the filter chooses, in order, from after that one."""
    if _is_contradiction(chosen, sort):
        return []
    await tx.execute(PLANNING)
    ask = partial(_ask, tx, sort=sort, after=after, now=now)
    if not _is_of_few(chosen, sort):
        return await ask(chosen, limit=limit)
    found = await ask(chosen, limit=limit, window=WINDOW)
    if len(found) == limit:
        return found
    if not _has_words(chosen):
        return await ask(chosen, limit=limit)
    alone = Filter(q=chosen.q)
    with_words = found if chosen == alone else await ask(alone, limit=WINDOW, window=WINDOW)
    return await ask(chosen, limit=limit, by_index=len(with_words) < WINDOW * FREQUENT)


async def _ask(tx: Transaction, chosen: Filter, **how: Any) -> list[Position]:
    statement, values = query(chosen, **how)
    return [tuple(row) for row in await tx.fetch(statement, *values)]


def _is_contradiction(chosen: Filter, sort: Sort) -> bool:
    """The order by priority has only open tickets, and none of those is asked for."""
    return sort is Sort.PRIORITY and bool(chosen.status) and OPEN.isdisjoint(chosen.status)


def query(
    chosen: Filter,
    sort: Sort,
    *,
    after: Position | None,
    now: datetime,
    limit: int,
    window: int | None = None,
    by_index: bool = True,
) -> tuple[str, list[Any]]:
    """The statement of `page`, and its parameters; with a ``window`` it looks only at so many tickets of the order. ``by_index``: what few
    have is found by its index and then sorted; without, words are looked for in what the other conditions give."""
    order, conditions = ORDERS[sort], _Conditions()
    if order.only is not None:
        conditions.where.append(order.only)
    if after is not None:
        place = ", ".join(conditions.parameter(value) for value in after)
        conditions.where.append(f"({', '.join(order.columns)}) {'<' if order.descending else '>'} ({place})")
    on_the_way = conditions.text
    _restrict(conditions, chosen, now)
    if chosen.q is not None:
        _look_for(conditions, chosen.q, by_index=by_index)
    sources: Sequence[str] = _BY_CHANGE if _asks_for_changes(chosen, sort) else ("ticket",)
    if window is not None:
        whole = [f"SELECT * FROM {each} WHERE {on_the_way}" for each in sources]
        sources = [f"({_first(whole, order, order.columns, conditions.parameter(window))}) ticket"]
    elif _is_of_few(chosen, sort, by_index=by_index):
        sources = [f"(SELECT * FROM {each} WHERE {conditions.text} OFFSET 0) ticket" for each in sources]
    keys = [f"SELECT {', '.join(order.columns)} FROM {each} WHERE {conditions.text}" for each in sources]
    places = [str(place) for place, _ in enumerate(order.columns, 1)]
    return _first(keys, order, places, conditions.parameter(limit)), conditions.values


def _first(parts: Sequence[str], order: Order, columns: Sequence[str], most: str) -> str:
    """The first rows of one or more questions together, each of which gives so many of its own; ``columns``: what to sort the whole by."""
    one_by_one = [f"{part}{_sorted(order, order.columns)} LIMIT {most}" for part in parts]
    if len(parts) == 1:
        return one_by_one[0]
    return f"SELECT * FROM (({') UNION ALL ('.join(one_by_one)})) ticket{_sorted(order, columns)} LIMIT {most}"


def _sorted(order: Order, columns: Sequence[str]) -> str:
    return f" ORDER BY {', '.join(column + (' DESC' if order.descending else '') for column in columns)}"


_BY_CHANGE: Final = (
    "(SELECT *, changed_at AS moved_at, number AS moved FROM ticket WHERE told_at IS NULL) ticket",
    "(SELECT ticket.*, told.at AS moved_at, told.number AS moved FROM told JOIN ticket ON ticket.number = told.number) ticket",
)
"""All tickets with the moment of their newest change: those that a due time changed last have their places in a table of their own."""


def _asks_for_changes(chosen: Filter, sort: Sort) -> bool:
    return sort is Sort.UPDATED or chosen.updated_from is not None or chosen.updated_before is not None


def _is_of_few(chosen: Filter, sort: Sort, *, by_index: bool = True) -> bool:
    """Few tickets have a promise that runs, or a word, unless that is not to be looked up."""
    return (chosen.sla is not None and sort is not Sort.DUE) or (by_index and _has_words(chosen))


def _has_words(chosen: Filter) -> bool:
    return chosen.q is not None and not _is_number(chosen.q)


class _Conditions:
    """Conditions that are all to hold, and their parameters."""

    def __init__(self) -> None:
        self.where: list[str] = []
        self.values: list[Any] = []

    @property
    def text(self) -> str:
        return " AND ".join(self.where) or "true"

    def parameter(self, value: Any) -> str:
        self.values.append(value)
        return f"${len(self.values)}"

    def add(self, condition: str, value: Any) -> None:
        self.where.append(condition.format(self.parameter(value)))


def _restrict(conditions: _Conditions, chosen: Filter, now: datetime) -> None:
    for column, codes in (("status", chosen.status), ("priority", chosen.priority)):
        if codes:
            conditions.where.append(among(column, codes))
    if chosen.unassigned:
        conditions.where.append("assignee IS NULL")
    if chosen.unassigned and chosen.team is not None:
        conditions.where.append(_WITH_NOBODY)
    if chosen.escalated:
        conditions.where.append("escalation > 0")
    for condition, value in _given(chosen, now):
        if value is not None:
            conditions.add(condition, value)
    if len(chosen.customers) > 1:
        conditions.add("customer_id = ANY({}::uuid[])", list(chosen.customers))


def _look_for(conditions: _Conditions, q: str, *, by_index: bool) -> None:
    if _is_number(q):
        conditions.add("starts_with(number, {})", q.upper())
    elif by_index:
        conditions.add("words @@ {}::text::tsquery", search.query(q))
    else:
        # the planner knows no index for what IS TRUE
        conditions.add("(words @@ {}::text::tsquery) IS TRUE", search.query(q))


def _given(chosen: Filter, now: datetime) -> Iterator[tuple[str, Any]]:
    """Conditions with the value that each compares with; None does not restrict."""
    for column in ("type", "assignee", "team", "channel", "tier"):
        yield column + " = {}", getattr(chosen, column)
    yield "customer_id = {}", chosen.customers[0] if len(chosen.customers) == 1 else None
    yield "opened_at >= {}", chosen.opened_from
    yield "opened_at < {}", chosen.opened_before
    yield "moved_at >= {}", chosen.updated_from
    yield "moved_at < {}", chosen.updated_before
    yield "next_due_at < {}", now if chosen.sla is SlaFilter.OVERDUE else None
    yield "next_due_at >= {}", now if chosen.sla is SlaFilter.RUNNING else None


def _is_number(q: str) -> bool:
    return q.upper().startswith(NUMBER_PREFIX)
