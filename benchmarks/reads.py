"""How long lists, one ticket and a search take with a thousand, a hundred thousand and a million tickets.

Each database has a process of the service in front of it. The three are asked in turn, call by call, over connections that are kept; so
whatever else the machine does, it does to all three. Every filter and order that the door offers is asked for, with values that are
frequent, rare and of nobody, and the page after the first one. Numbers, words, days and sizes of pages are drawn anew each time.

Who asks is a process of its own, with the plainest client there is: what this one does meanwhile is in no figure.
"""

from __future__ import annotations

import asyncio
import gc
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from http.client import HTTPConnection
from multiprocessing import get_context
from random import Random
from statistics import median
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from benchmarks import cpu, many_tickets
from benchmarks.bench import UNLIMITED, Bench
from benchmarks.figure import Figure
from benchmarks.load import percentile
from benchmarks.many_tickets import COMPANY, FAMILY, FREQUENT_TEAM, RARE_AGENT, RARE_TEAM, RARE_WORDS, Drawn
from benchmarks.platform import SERVICES, Part, running
from services.tickets.store.lists import SlaFilter, Sort
from shared import clock
from shared.database import Database
from shared.kafka import KafkaSettings

NAME = "reads"
ABOUT = "lists, one ticket and search with 1 thousand, 100 thousand and 1 million tickets"

SMALL: Final = 1_000
MIDDLE: Final = 100_000
LARGE: Final = 1_000_000

API: Final = Part("tickets", "api")
SAMPLES: Final = 20
"""How often each question is asked in all rounds together, twice where there is another page: its own p95 wants so many."""
TICKETS_AT_ONCE: Final = 25
WARM_PAGES: Final = range(20, 40)
PAGES: Final = range(40, 61)
"""Tickets of a page; 50 is what callers get who say nothing. None is as in the warm-up, so none of its calls is asked again."""

Kind = str
Call = tuple[str, str]
"""A question, and its path."""
Took = dict[str, list[float]]
"""Milliseconds of each call, by question."""


@dataclass(frozen=True)
class Door:
    """The REST door of one database."""

    size: int
    url: str
    headers: Mapping[str, str]
    process: int
    """Its process id."""
    database: str
    drawn: Sequence[Drawn]
    """Some of its tickets."""


@dataclass(frozen=True)
class Draw:
    """What chance decides; the same at all doors."""

    seed: str
    pages: range
    at: datetime
    """Now: days and times of change are drawn before it."""

    def dice(self) -> Random:
        """From their beginning."""
        return Random(self.seed)

    def page(self, dice: Random, question: str, chosen: Mapping[str, Any]) -> Call:
        """A list of so many tickets."""
        return question, "/v1/tickets?" + urlencode({**chosen, "limit": dice.choice(self.pages)}, doseq=True)


@dataclass(frozen=True)
class Answered:
    """What came of the calls at one door."""

    took: Took
    service: float
    """Milliseconds of CPU of the service for each call."""
    postgres: float


@dataclass
class Found:
    """What the rounds measured at one door."""

    took: dict[Kind, Took] = field(default_factory=dict)
    """Of all rounds."""
    p95: dict[Kind, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Over all questions, of each round."""
    service: dict[Kind, list[float]] = field(default_factory=lambda: defaultdict(list))
    postgres: dict[Kind, list[float]] = field(default_factory=lambda: defaultdict(list))

    def keep(self, kind: Kind, answered: Answered) -> None:
        """One more round."""
        for question, took in answered.took.items():
            self.took.setdefault(kind, {}).setdefault(question, []).extend(took)
        self.p95[kind].append(percentile([each for took in answered.took.values() for each in took], 0.95))
        self.service[kind].append(answered.service)
        self.postgres[kind].append(answered.postgres)

    def bound(self, kind: Kind) -> str:
        """What the time goes to."""
        return f"CPU of a call: {median(self.service[kind]):.1f} ms of the service, {median(self.postgres[kind]):.1f} ms of PostgreSQL"


async def run(bench: Bench) -> list[Figure]:
    """Fill three databases, ask them in turn."""
    sizes = [SMALL, 5_000, 20_000] if bench.quick else [SMALL, MIDDLE, LARGE]
    times = bench.count(-(-SAMPLES // bench.rounds), 2)
    found = {size: Found() for size in sizes}
    async with AsyncExitStack() as stack, bench.kafka() as kafka:
        doors = [await stack.enter_async_context(_door(bench, kafka, size)) for size in sizes]
        asker = stack.enter_context(ProcessPoolExecutor(1, mp_context=get_context("spawn")))
        for kind in KINDS:
            bench.say(f"warming up: {kind}")
            await _ask(bench, asker, doors, kind, [Draw("warm-up", WARM_PAGES, clock.now())])
        for turn in range(bench.rounds):
            for kind in KINDS:
                bench.say(f"round {turn + 1}: {kind}")
                draws = [Draw(f"{turn} {time}", PAGES, clock.now()) for time in range(times)]
                for door, answered in zip(doors, await _ask(bench, asker, doors, kind, draws), strict=True):
                    found[door.size].keep(kind, answered)
    return [figure for kind in KINDS for figure in _figures(kind, sizes, found)]


# ------------------------------------------------------------------ databases of a size


@asynccontextmanager
async def _door(bench: Bench, kafka: KafkaSettings, size: int) -> AsyncIterator[Door]:
    async with AsyncExitStack() as stack:
        databases = {service: await bench.database_url(service) for service in SERVICES}
        for url in databases.values():
            stack.push_async_callback(bench.drop, url)
        bench.say(f"Writing {size:,} tickets")
        database = Database(databases["tickets"], pool_size=8, application_name="benchmarks")
        try:
            await many_tickets.fill(database, size, bench.say)
            await many_tickets.check(database)
            drawn = await many_tickets.draw(database, bench.count(2_000, 200))
        finally:
            await database.close()
        folder = bench.folder / f"reads-{size}"
        platform = await stack.enter_async_context(running(folder, [API], databases, kafka, bench.servers, UNLIMITED))
        name = databases["tickets"].rpartition("/")[2]
        yield Door(size, platform.url("tickets"), platform.headers("agent"), platform.pids[API.name], name, drawn)


# ------------------------------------------------------------------ asking


async def _ask(bench: Bench, asker: ProcessPoolExecutor, doors: Sequence[Door], kind: Kind, draws: Sequence[Draw]) -> list[Answered]:
    """The same draws at all doors, each with the numbers of its own tickets."""
    calls = [[call for draw in draws for call in KINDS[kind](draw, door.drawn)] for door in doors]
    told = [(door.url, dict(door.headers)) for door in doors]
    before = _used(bench, doors)
    took = await asyncio.get_running_loop().run_in_executor(asker, ask, told, list(zip(*calls, strict=True)))
    after = _used(bench, doors)
    return [Answered(of_door, *_per_call(of_door, *used)) for of_door, *used in zip(took, before, after, strict=True)]


def _used(bench: Bench, doors: Sequence[Door]) -> list[tuple[float, float]]:
    """CPU seconds so far of each door's service, and of PostgreSQL for it."""
    of_databases = cpu.databases(bench.postgres.child.pid)
    return [(cpu.seconds(door.process), of_databases.get(door.database, 0.0)) for door in doors]


def _per_call(took: Took, before: tuple[float, float], after: tuple[float, float]) -> tuple[float, float]:
    calls = sum(map(len, took.values()))
    return (after[0] - before[0]) / calls * 1000, (after[1] - before[1]) / calls * 1000


def ask(doors: Sequence[tuple[str, dict[str, str]]], calls: Sequence[Sequence[Call]]) -> list[Took]:
    """Each call at each door in turn, and for the page after it. In a process of its own, which does nothing else."""
    gc.disable()
    callers = [_Caller(url, headers) for url, headers in doors]
    for of_doors in calls:
        for caller, (question, path) in zip(callers, of_doors, strict=True):
            cursor = caller.get(question, path)
            if cursor is not None:
                caller.get(question, f"{path}&cursor={quote(cursor)}")
    return [caller.took for caller in callers]


class _Caller:
    """One kept connection."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self._connection = HTTPConnection(urlsplit(url).netloc, timeout=60)
        self._headers = headers
        self.took: Took = {}

    def get(self, question: str, path: str) -> str | None:
        """One call, timed; where the next page begins."""
        began_at = clock.monotonic()
        self._connection.request("GET", path, headers=self._headers)
        answer = self._connection.getresponse()
        body = answer.read()
        self.took.setdefault(question, []).append((clock.monotonic() - began_at) * 1000)
        if answer.status != HTTPStatus.OK:
            raise RuntimeError(f"{answer.status} for {path}: {body[:500]!r}")
        cursor: str | None = json.loads(body).get("next_cursor")
        return cursor


# ------------------------------------------------------------------ what is asked


def _lists(draw: Draw, drawn: Sequence[Drawn]) -> list[Call]:
    dice = draw.dice()
    return [
        draw.page(dice, f"{name}, {sort}", chosen | {"sort": str(sort)})
        for name, chosen in _filters(dice, draw.at, dice.choice(drawn)).items()
        for sort in Sort
    ]


def _filters(dice: Random, now: datetime, ticket: Drawn) -> dict[str, dict[str, Any]]:
    """Of many tickets, of few, of none."""
    day = now - timedelta(days=dice.randrange(30, 700), seconds=dice.randrange(86_400))
    return {
        "no filter": {},
        "status of many": {"status": "closed"},
        "status of few": {"status": dice.choice(("waiting_customer", "in_progress", "cancelled"))},
        "status of none": {"status": "resolved"},
        "two statuses": {"status": ["new", "triaged"]},
        "team of many": {"team": FREQUENT_TEAM},
        "team": {"team": dice.choice(("south", "east", "west"))},
        "team of few": {"team": RARE_TEAM},
        "team of none": {"team": f"team-{dice.randrange(10**6)}"},
        "agent": {"assignee": f"agent-{dice.randrange(many_tickets.AGENTS)}"},
        "agent of few": {"assignee": RARE_AGENT},
        "agent of none": {"assignee": f"nobody-{dice.randrange(10**6)}"},
        "customer of many": {"customer_id": str(COMPANY)},
        "customer": {"customer_id": str(ticket.customer_id)},
        "customer of few": {"customer_id": str(FAMILY)},
        "type": {"type": dice.choice(("repair", "enquiry", "return", "complaint"))},
        "type of none": {"type": "refund"},
        "channel": {"channel": dice.choice(("web", "phone", "email", "wechat", "app"))},
        "channel of none": {"channel": "telegram"},
        **{f"priority {each}": {"priority": each} for each in ("normal", "urgent", "low")},
        **{f"tier {each}": {"tier": each} for each in ("standard", "vip")},
        **{f"promise {each}": {"sla": str(each)} for each in SlaFilter},
        "unassigned": {"unassigned": "true"},
        "escalated": {"escalated": "true"},
        "opened on a day": {"opened_from": day.isoformat(), "opened_before": (day + timedelta(days=1)).isoformat()},
        "changed lately": {"updated_from": (now - timedelta(minutes=dice.randrange(60, 240))).isoformat()},
        "four filters": {"type": "complaint", "channel": "phone", "priority": dice.choice(("high", "normal")), "status": "closed"},
        "team and type": {"team": FREQUENT_TEAM, "type": dice.choice(("enquiry", "complaint"))},
    }


def _searches(draw: Draw, drawn: Sequence[Drawn]) -> list[Call]:
    dice = draw.dice()
    return [
        draw.page(dice, f"{name}, {sort}", chosen | {"sort": str(sort)})
        for name, chosen in _words(dice, dice.choice(drawn)).items()
        for sort in Sort
    ]


def _words(dice: Random, ticket: Drawn) -> dict[str, dict[str, Any]]:
    """Words of one ticket in eight, of three tickets, of all, of one, of none; in English and Chinese; whole and as beginnings; numbers."""
    english, chinese = dice.choice(("machine", "fridge", "parcel", "invoice")), dice.choice(("洗衣机", "空调", "路由器", "划痕"))
    return {
        "English word": {"q": english},
        "Chinese word": {"q": chinese},
        "two words": {"q": dice.choice(("noise fridge", "machine spin", "路由器断线", "退货 屏幕"))},
        "beginning of a word": {"q": dice.choice(("spi", "nois", "parc", "invo"))},
        "words of few": {"q": dice.choice(RARE_WORDS)},
        "word of all": {"q": dice.choice(("WM-8000", "WM", "8000"))},
        "word of none": {"q": f"nothing{dice.randrange(10**6)}"},
        "serial number": {"q": ticket.serial_number},
        "number": {"q": ticket.number},
        "beginning of a number": {"q": ticket.number[: dice.randrange(13, 16)]},
        "word, status of many": {"q": english, "status": "closed"},
        "word, team of few": {"q": chinese, "team": RARE_TEAM},
        "word, unassigned": {"q": english, "unassigned": "true"},
        "words of few, status of many": {"q": dice.choice(RARE_WORDS), "status": "closed"},
    }


def _tickets(draw: Draw, drawn: Sequence[Drawn]) -> list[Call]:
    return [("one ticket", f"/v1/tickets/{ticket.number}") for ticket in draw.dice().sample(drawn, TICKETS_AT_ONCE)]


KINDS: Final[Mapping[Kind, Callable[[Draw, Sequence[Drawn]], list[Call]]]] = {
    "lists": _lists,
    "one ticket": _tickets,
    "search": _searches,
}


# ------------------------------------------------------------------ figures


def _figures(kind: Kind, sizes: Sequence[int], found: Mapping[int, Found]) -> list[Figure]:
    small, middle, large = sizes
    mixed = {size: found[size].p95[kind] for size in sizes}
    beside = f"the same at {small:,}"
    figures = [
        Figure.of(
            f"p95 of {kind} at {size:,} tickets",
            mixed[size],
            "ms",
            beside=beside,
            beside_values=mixed[small],
            target="< 50 ms",
            bound=found[size].bound(kind),
        )
        for size in (middle, large)
    ]
    growth = Figure.of(
        f"growth of {kind}, {small:,} to {large:,} tickets",
        mixed[large],
        "ms",
        beside=beside,
        beside_values=mixed[small],
        target="<= 1.5",
        bound=f"at {small:,}: {found[small].bound(kind)}",
    )
    slowest = [] if len(found[large].took[kind]) == 1 else [_slowest(kind, small, large, found)]
    return [*figures, growth, *slowest]


def _slowest(kind: Kind, small: int, large: int, found: Mapping[int, Found]) -> Figure:
    """The mix hides what one question in thirty takes."""
    p95 = {question: percentile(took, 0.95) for question, took in found[large].took[kind].items()}
    question = max(p95, key=lambda each: p95[each])
    return Figure.of(
        f"p95 of the slowest question of {kind} at {large:,} tickets",
        [p95[question]],
        "ms",
        beside=f"the same question at {small:,}",
        beside_values=[percentile(found[small].took[kind][question], 0.95)],
        target="< 50 ms",
        bound=f"the question is: {question}; of {len(found[large].took[kind][question])} calls",
    )
