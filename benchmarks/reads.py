"""How long lists, one ticket and a search take with a thousand, a hundred thousand and a million tickets.

The three databases are asked in turn, call by call, through the service's own REST door; so whatever else the machine does, it does to all
three. Every filter and order that the door offers is asked for, with values that are frequent, rare and of nobody, and the page after the
first one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import product
from typing import Any, Final

import httpx

from benchmarks import many_tickets
from benchmarks.bench import Bench
from benchmarks.figure import Figure
from benchmarks.many_tickets import COMPANY, FAMILY, FREQUENT_AGENT, FREQUENT_TEAM, RARE_AGENT, RARE_TEAM, RARE_WORDS
from services.tickets.app import create_app
from services.tickets.settings import TicketsSettings
from services.tickets.store.lists import SlaFilter, Sort
from shared import auth, clock, telemetry
from shared.auth import Role
from shared.database import Database
from shared.runtime import Runtime

NAME = "reads"
ABOUT = "lists, one ticket and search with 1 thousand, 100 thousand and 1 million tickets"

SMALL: Final = 1_000
MIDDLE: Final = 100_000
LARGE: Final = 1_000_000

Call = Mapping[str, Any]


@dataclass
class Door:
    """The REST door of one database, and what its callers ask."""

    size: int
    caller: httpx.AsyncClient
    took: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Milliseconds of each call, by kind."""
    slowest: dict[str, tuple[float, str]] = field(default_factory=dict)

    async def get(self, kind: str, path: str, call: Call) -> Any:
        """One call, timed."""
        before = clock.monotonic()
        answer = await self.caller.get(path, params=call)
        took = (clock.monotonic() - before) * 1000
        answer.raise_for_status()
        self.took[kind].append(took)
        self.slowest[kind] = max(self.slowest.get(kind, (0.0, "")), (took, f"{path} {dict(call)}"))
        return answer.json()

    def p95(self, kind: str) -> float:
        """The time that one call in twenty exceeds."""
        took = sorted(self.took[kind])
        return took[int(0.95 * (len(took) - 1))]


async def run(bench: Bench) -> list[Figure]:
    """Fill three databases, ask them in turn."""
    telemetry.configure_logs(service="benchmarks", version="", env="bench", level="WARNING")
    sizes = [SMALL, 5_000, 20_000] if bench.quick else [SMALL, MIDDLE, LARGE]
    p95: dict[tuple[str, int], list[float]] = defaultdict(list)
    async with AsyncExitStack() as stack:
        doors = [await stack.enter_async_context(_door(bench, size)) for size in sizes]
        await _ask(bench, doors, "warming up")
        for turn in range(bench.rounds):
            for door in doors:
                door.took.clear()
                door.slowest.clear()
            await _ask(bench, doors, f"round {turn + 1}")
            for door, kind in product(doors, KINDS):
                p95[kind, door.size].append(door.p95(kind))
        for door, kind in product(doors, KINDS):
            bench.say(f"{door.size:,} tickets, {kind}: slowest {door.slowest[kind][0]:.1f} ms, {door.slowest[kind][1]}")
    return [figure for kind in KINDS for figure in _figures(kind, sizes, p95)]


def _figures(kind: str, sizes: Sequence[int], p95: Mapping[tuple[str, int], Sequence[float]]) -> list[Figure]:
    small, middle, large = ([*p95[kind, size]] for size in sizes)
    beside = f"the same at {sizes[0]:,}"
    return [
        Figure.of(f"p95 of {kind} at {sizes[1]:,} tickets", middle, "ms", beside=beside, beside_values=small, target="< 50 ms"),
        Figure.of(f"p95 of {kind} at {sizes[2]:,} tickets", large, "ms", beside=beside, beside_values=small, target="< 50 ms"),
        Figure.of(
            f"growth of {kind}, {sizes[0]:,} to {sizes[2]:,} tickets", large, "ms", beside=beside, beside_values=small, target="<= 1.5"
        ),
    ]


@asynccontextmanager
async def _door(bench: Bench, size: int) -> AsyncIterator[Door]:
    async with bench.database("tickets") as database:
        bench.say(f"Writing {size:,} tickets")
        await many_tickets.fill(database, size, bench.say)
        await many_tickets.check(database)
        async with _caller(database) as caller:
            yield Door(size, caller)


@asynccontextmanager
async def _caller(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    text, row = auth.new_key(role=Role.AGENT, principal=FREQUENT_AGENT)
    async with database.transaction() as tx:
        await auth.store_key(tx, row)
    given: dict[str, Any] = {"database_url": "postgresql://not-used/", "signing_key": "k" * 40, "rate_limit": 0}
    app = create_app(Runtime.for_tests(database, TicketsSettings(**given)))
    headers = {"Authorization": f"Bearer {text}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://tickets", headers=headers) as caller:
        yield caller


# ------------------------------------------------------------------ what is asked

KINDS: Final = ("lists", "one ticket", "search")


def _filters() -> list[dict[str, Any]]:
    now = clock.now()
    return [
        {},
        *({"status": each} for each in ("closed", "waiting_customer", "resolved", ["new", "triaged"])),
        *({"team": each} for each in (FREQUENT_TEAM, RARE_TEAM, "nobody")),
        *({"assignee": each} for each in (FREQUENT_AGENT, RARE_AGENT, "nobody")),
        *({"customer_id": str(each)} for each in (COMPANY, FAMILY)),
        *({"type": each} for each in ("repair", "refund")),
        *({"channel": each} for each in ("web", "telegram")),
        *({"priority": each} for each in ("normal", "urgent", "low")),
        *({"tier": each} for each in ("standard", "vip")),
        *({"sla": str(each)} for each in SlaFilter),
        {"unassigned": "true"},
        {"escalated": "true"},
        {"opened_from": (now - timedelta(days=200)).isoformat(), "opened_before": (now - timedelta(days=199)).isoformat()},
        {"updated_from": (now - timedelta(hours=2)).isoformat()},
        {"type": "complaint", "channel": "phone", "priority": "high", "status": "closed"},
        {"team": FREQUENT_TEAM, "type": "enquiry"},
    ]


SEARCHES: Final = (
    *("machine", "noise fridge", "洗衣机", "路由器断线", "spi", "退货"),
    *RARE_WORDS,
    *("WM-8000", "SN-90000007", "nothing like this", "AS-20261125-0000007", "AS-20250601-00"),
)
"""Words of one ticket in eight, of three tickets, of all, of one, of none; in English and Chinese; whole and as beginnings; numbers."""


async def _ask(bench: Bench, doors: Sequence[Door], what: str) -> None:
    """Everything once, each call of each of the databases in turn."""
    lists = [chosen | {"sort": str(sort)} for chosen, sort in product(_filters(), Sort)]
    for place, call in enumerate(lists):
        bench.say(f"{what}: list {place + 1} of {len(lists)}")
        for door in doors:
            page = await door.get("lists", "/v1/tickets", call)
            if page["next_cursor"]:
                await door.get("lists", "/v1/tickets", call | {"cursor": page["next_cursor"]})
            for item in page["items"][:1]:
                await door.get("one ticket", f"/v1/tickets/{item['number']}", {})
    for q, sort in product(SEARCHES, Sort):
        for door in doors:
            await door.get("search", "/v1/tickets", {"q": q, "sort": str(sort)})
    for q, chosen in product(("machine", "洗衣机", RARE_WORDS[0]), ({"status": "closed"}, {"team": RARE_TEAM}, {"unassigned": "true"})):
        for door in doors:
            await door.get("search", "/v1/tickets", chosen | {"q": q})
