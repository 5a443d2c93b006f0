"""Very many tickets in a database, quickly, and such as tickets itself writes them.

Some are made by the service's own handlers: requests are received, staff act on them. All others are copies of those, made by the database
row by row in every table: under numbers, ids, customers and serial numbers of their own, each further back in time. So a copy has whatever
the handlers write, also in columns that did not exist when this was written. `check` shows it on some of them: the history of a copy gives
the ticket that stands there, with its timers and the words that it is found by.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID, uuid4

from services.tickets import search
from services.tickets.handlers import desk, reception
from services.tickets.sla import Priority
from services.tickets.store import loading, views
from services.tickets.store.saving import searched
from services.tickets.workflow.commands import Actor, Cancel, Close, Command, Letter, Resolve, Start, Take, Triage, Wait
from services.tickets.workflow.evolution import replay
from services.tickets.workflow.status import Cause, Role
from services.tickets.workflow.ticket import deadlines, next_due
from shared import clock
from shared.database import Database, Transaction
from shared.events.intake import Product, RequestReceived

PATTERNS: Final = 250
STEP: Final = 25_000
"""Copies made by one statement, about."""
YEARS: Final = timedelta(days=730)
"""How far back the ended ones go."""
WEEKS: Final = timedelta(days=14)
"""How far back those go that are still open."""

COMPANY: Final = UUID("00000000-0000-4000-8000-00000000c0de")
"""A customer with one ticket in five hundred; all others have a few each."""
FAMILY: Final = UUID("00000000-0000-4000-8000-00000000fa51")
"""A customer with three tickets."""

FREQUENT_TEAM: Final = "north"
RARE_TEAM: Final = "night-shift"
AGENTS: Final = 20
"""`agent-0` to `agent-19` have about as many tickets each."""
RARE_AGENT: Final = "agent-guest"
RARE_WORDS: Final = ("xylophone", "木琴")
"""Of the three tickets that are not copied."""

_SUBJECTS: Final = (
    "The machine does not spin", "洗衣机漏水需要维修", "The fridge makes a loud noise at night", "空调不制冷", "Where is my parcel?",
    "申请退货，屏幕有划痕", "The invoice is missing", "路由器经常断线",
)  # fmt: skip
_LEAD: Final = Actor("lead-0", Role.LEAD)


async def fill(database: Database, count: int, say: Callable[[str], None]) -> None:
    """Have so many tickets in an empty database."""
    await _make_patterns(database)
    async with database.transaction() as tx:
        await tx.execute(_PATTERN_TABLE)
        await tx.execute(_SUBJECT_TABLE, list(_SUBJECTS), [" ".join(search.words(f"{subject} SN WM-8000")) for subject in _SUBJECTS])
    copies = count // PATTERNS - 1
    step = max(1, STEP // PATTERNS)
    for first in range(copies, 0, -step):
        say(f"{(copies - first) * PATTERNS:,} of {count:,} tickets written")
        await _copy(database, first, max(1, first - step + 1), copies)
    await _tidy(database)


# ------------------------------------------------------------------ patterns


async def _make_patterns(database: Database) -> None:
    for place in range(PATTERNS):
        await _live(database, _request(place), _life(place), f"agent-{place % AGENTS}")
    for place in range(3):
        rare = {"customer_id": FAMILY, "subject": f"{RARE_WORDS[0]} {RARE_WORDS[1]}", "reference": f"AS-20261124-000000{place}"}
        await _live(database, _request(place).model_copy(update=rare), [Take(RARE_TEAM)], RARE_AGENT)


def _request(place: int) -> RequestReceived:
    at = clock.now() - timedelta(minutes=7 * place + 1)
    return RequestReceived(
        occurred_at=at,
        request_id=uuid4(),
        reference=f"AS-20261125-{place:07X}",
        customer_id=uuid4(),
        channel=("web", "phone", "email", "wechat", "app")[place % 5],
        type=("repair", "enquiry", "return", "complaint")[place % 4],
        locale=("zh-CN", "en")[place % 2],
        subject=_SUBJECTS[place % len(_SUBJECTS)],
        text="It hums, then stops. I have cleaned the filter as the manual says, but nothing changes.",
        product=Product(model="WM-8000", serial_number=_serial(place)),
        received_at=at,
        completeness=1.0,
    )


def _serial(place: int) -> str:
    return f"SN-9{place:07d}"


def _life(place: int) -> list[Command | Letter]:
    """One in fifty is somewhere on the way; the others have ended."""
    team = FREQUENT_TEAM if place % 2 else ("south", "east", "west")[place % 3]
    work: list[Command | Letter] = [Take(team), Start()]
    match place:
        case 0:
            return []
        case 1:
            return [Triage(Priority.URGENT)]
        case 2:
            return [Take(team)]
        case 3:
            return work
        case 4:
            return [*work, Wait(Cause.CUSTOMER)]
        case 5:
            return [Cancel("withdrawn")]
        case _:
            return [Take(team), Letter("It is repaired and on its way."), Resolve("repaired"), Close("staff")]


async def _live(database: Database, request: RequestReceived, life: list[Command | Letter], agent: str) -> None:
    worker = Actor(agent, Role.AGENT)
    async with database.transaction() as tx:
        await reception.receive(tx, [request])
        for version, command in enumerate(life, 1):
            at = request.occurred_at + timedelta(seconds=20 * version)
            by = _LEAD if isinstance(command, Close) else worker
            await desk.act(tx, request.reference, command, by=by, version=version, at=at)


# ------------------------------------------------------------------ copies

_PATTERN_TABLE: Final = f"""
CREATE TABLE pattern AS
SELECT number AS old, row_number() OVER (ORDER BY number) AS place, closed_at IS NULL AS open
  FROM ticket WHERE customer_id <> '{FAMILY}'
"""

_SUBJECT_TABLE: Final = """
CREATE TABLE subject AS
SELECT place - 1 AS place, subject, words::tsvector AS words FROM unnest($1::text[], $2::text[]) WITH ORDINALITY u(subject, words, place)
"""

_COPIED: Final = """
SELECT 'AS-20250601-' || lpad(upper(to_hex(p.place * 50000 + c)), 7, '0') AS number,
       c * CASE WHEN p.open THEN $4::interval ELSE $5::interval END / $3::int AS ago,
       CASE WHEN (p.place + c) % 500 = 0 THEN '{company}'::uuid
            ELSE md5('customer' || (p.place * 7919 + c * 31) % ($3::int * 50 + 1))::uuid END AS customer_id,
       lpad((p.place * 50000 + c)::text, 8, '0') AS serial,
       -- whatever becomes of tickets, they are about the same things
       (SELECT subject FROM subject WHERE subject.place = (p.place + c) % {subjects}) AS subject,
       (SELECT words FROM subject WHERE subject.place = (p.place + c) % {subjects}) AS words
"""

_OF_TICKET: Final[Mapping[str, str]] = {
    "number": "made.number",
    "series": "made.number",
    "customer_id": "made.customer_id",
    "serial_number": "'SN-' || made.serial",
    "subject": "made.subject",
    "words": "made.words || made.serial::tsvector",
}
_OF_HISTORY: Final[Mapping[str, str]] = {
    "number": "made.number",
    "data": """
        CASE s.type WHEN 'ticket.opened' THEN s.data || jsonb_build_object('number', made.number, 'series', made.number,
            'customer_id', made.customer_id, 'request_id', md5(made.number || (s.data->>'request_id'))::uuid)
        ELSE s.data END""",
}
_OF_MESSAGE: Final[Mapping[str, str]] = {
    "number": "made.number",
    "id": "md5(made.number || s.id)::uuid",
    "reference": "CASE WHEN s.reference IS NOT NULL THEN made.number END",
}

_TABLES: Final[Mapping[str, Mapping[str, str]]] = {
    "ticket": _OF_TICKET,
    "sla_clock": {"number": "made.number"},
    "sla_pause": {"number": "made.number"},
    "history": _OF_HISTORY,
    "message": _OF_MESSAGE,
    "assignment": {"number": "made.number"},
    "timer": {"subject": "made.number"},
}
"""What is different in a copy. Moments are as much earlier as the copy is older; everything else is the same."""


async def _copy(database: Database, first: int, last: int, copies: int) -> None:
    """Make the copies from ``first`` down to ``last``: the oldest first, as they would have come."""
    async with database.transaction() as tx:
        await tx.execute("SET LOCAL statement_timeout = 0")
        for table, different in _TABLES.items():
            await tx.driver.execute(await _statement(tx, table, different), first, last, copies, WEEKS, YEARS, timeout=600)


async def _statement(tx: Transaction, table: str, different: Mapping[str, str]) -> str:
    columns = await tx.fetch(
        "SELECT attname AS name, atttypid = 'timestamptz'::regtype AS moment FROM pg_attribute"
        " WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum",
        table,
    )
    values = [different.get(name, f"s.{name} - made.ago" if moment else f"s.{name}") for name, moment in columns]
    key = "subject" if table == "timer" else "number"
    return f"""
        INSERT INTO {table} ({", ".join(name for name, _ in columns)})
        SELECT {", ".join(values)}
          FROM generate_series($1::int, $2::int, -1) c CROSS JOIN pattern p
          JOIN {table} s ON s.{key} = p.old
         CROSS JOIN LATERAL ({_COPIED.format(company=COMPANY, subjects=len(_SUBJECTS))}) made
    """


async def _tidy(database: Database) -> None:
    """What autovacuum does in the background, before anything is measured."""
    async with database.engine.connect() as connection:
        raw = await connection.get_raw_connection()
        driver = raw.driver_connection
        assert driver is not None
        await driver.execute("SET statement_timeout = 0", timeout=5)
        await driver.execute("VACUUM (ANALYZE)", timeout=900)


# ------------------------------------------------------------------ some of them


@dataclass(frozen=True)
class Drawn:
    """What somebody who asks knows of a ticket."""

    number: str
    customer_id: UUID
    serial_number: str


async def draw(database: Database, count: int) -> list[Drawn]:
    """So many tickets by chance, of all."""
    async with database.transaction() as tx:
        await tx.execute("SET LOCAL statement_timeout = 0")
        rows = await tx.fetch("SELECT number, customer_id, serial_number FROM ticket ORDER BY random() LIMIT $1", count)
    return [Drawn(**row) for row in rows]


# ------------------------------------------------------------------ check


@dataclass(frozen=True)
class WrongCopy(Exception):
    """A copied ticket is not what the handlers would have written."""

    number: str
    what: str


async def check(database: Database, some: int = 40) -> int:
    """Look at some copies, spread over all of them; how many they were.

    Raises:
        WrongCopy: the history does not give the ticket, or its timers or words are not what they should be.
    """
    async with database.transaction() as tx:
        rows = await tx.fetch("SELECT number FROM ticket WHERE number LIKE 'AS-20250601-%' ORDER BY md5(number) LIMIT $1", some)
        for row in rows:
            await _check(tx, row["number"])
    return len(rows)


async def _check(tx: Transaction, number: str) -> None:
    ticket = (await loading.load(tx, [number]))[number]
    if replay(await views.changes(tx, number)) != ticket:
        raise WrongCopy(number, "history")
    if await tx.fetchval("SELECT next_due_at FROM ticket WHERE number = $1", number) != next_due(ticket):
        raise WrongCopy(number, "next_due_at")
    timers = await tx.fetch("SELECT kind, due_at FROM timer WHERE subject = $1", number)
    if {row["kind"]: row["due_at"] for row in timers} != deadlines(ticket):
        raise WrongCopy(number, "timers")
    (view,) = await views.views(tx, [number])
    words = " ".join(search.words(searched(view.particulars)))
    if not await tx.fetchval("SELECT words = $2::text::tsvector FROM ticket WHERE number = $1", number, words):
        raise WrongCopy(number, "words")
