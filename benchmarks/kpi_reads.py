"""How long questions about key figures take at a thousand, a hundred thousand and a million tickets of one year."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from statistics import median
from typing import Final

import httpx

from benchmarks import lives
from benchmarks.bench import UNLIMITED, Bench
from benchmarks.figure import Figure
from benchmarks.load import percentile
from benchmarks.platform import SERVICES, Part, Platform, running
from services.metrics import handlers
from services.metrics.buckets import WIDTH, WIDTH_US, bucket_of, microseconds
from services.metrics.projection import DAY as DAY_OF_BUCKETS
from services.metrics.reduction import read
from services.metrics.store import building, generations, log, rollups
from services.metrics.store.generations import Generation
from shared.clock import monotonic
from shared.database import Database, Transaction
from shared.events import REGISTRY
from shared.kafka import KafkaSettings

NAME = "kpi_reads"
ABOUT = "p95 of KPI questions at 1 thousand, 100 thousand and 1 million tickets"

SIZES: Final = (1_000, 100_000, 1_000_000)
QUICK_SIZES: Final = (500, 2_000)
MONTHS: Final = 12
MONTH: Final = timedelta(days=30)
"""A year is twelve times the same month, as busy as that of so many tickets a year: what is read of a range is as dense as in earnest."""
LIVED: Final = 4_000
"""Tickets of a month that really live; more of them are copies of these, shifted in time."""
LEARNT_AT_ONCE: Final = 8_000
DAYS_AT_ONCE: Final = 2

NOVEMBER: Final = "from=2026-11-01&to=2026-12-01&zone=Asia/Shanghai"
FOUR: Final = "&kpi=csat_mean&kpi=nps&kpi=resolution_rate&kpi=sla_first_response"

_SUMS: Final = "sums by days, with hours and quarter hours at the edges of the range"
_SPANS: Final = "the times in which a ticket was open: those that touch the range are read"
_CELLS: Final = "sums by quarter hours and all dimensions at once: more of them where more happened in the range"


@dataclass(frozen=True)
class Question:
    """What is asked, in words and as a path."""

    about: str
    path: str
    reads: str
    """What its answer is made of."""
    of_dashboard: bool = False
    """Whether the dashboard asks it at each load (`services/metrics/web/static/figures.js`)."""


QUESTIONS: Final = (
    Question("all figures of a month", f"/v1/kpis?{NOVEMBER}", f"{_SUMS}; open tickets and complaints", of_dashboard=True),
    Question("four figures of a month by channel", f"/v1/kpis?{NOVEMBER}&group_by=channel{FOUR}", _SUMS, of_dashboard=True),
    Question("four figures of a month by agent", f"/v1/kpis?{NOVEMBER}&group_by=agent{FOUR}", _SUMS),
    Question("requests of each day of a month", f"/v1/kpis/requests/series?bucket=day&{NOVEMBER}", _SUMS, of_dashboard=True),
    Question("first responses of each day of a month", f"/v1/kpis/first_response_time/series?bucket=day&{NOVEMBER}", _SUMS),
    Question("backlog at the end of a month", f"/v1/kpis?{NOVEMBER}&kpi=backlog&kpi=backlog_age", _SPANS),
    Question("backlog of each day of a month", f"/v1/kpis/backlog/series?bucket=day&{NOVEMBER}", _SPANS, of_dashboard=True),
    Question("four figures of a month by channel and type", f"/v1/kpis?{NOVEMBER}&group_by=channel,type{FOUR}", _CELLS),
    Question("four figures of a month of one team", f"/v1/kpis?{NOVEMBER}&team=returns{FOUR}", _SUMS),
)

P95s = Mapping[tuple[int, str], Sequence[float]]
"""Milliseconds, of each round, by size and question."""


async def run(bench: Bench) -> list[Figure]:
    """Ask all sizes in turn, round by round."""
    sizes = QUICK_SIZES if bench.quick else SIZES
    p95: dict[tuple[int, str], list[float]] = defaultdict(list)
    async with AsyncExitStack() as stack, bench.kafka() as kafka:
        doors = {size: await stack.enter_async_context(_Door(bench, kafka, size)) for size in sizes}
        bench.say("warming up")
        await _ask(doors, 1)
        for turn in range(bench.rounds):
            bench.say(f"round {turn + 1}: asking {len(QUESTIONS)} questions of {len(sizes)} sizes")
            for asked, took in (await _ask(doors, bench.count(70, 10))).items():
                p95[asked].append(percentile(took, 0.95))
    return [figure for question in QUESTIONS for figure in _figures(question, sizes, p95)]


def _figures(question: Question, sizes: Sequence[int], p95: P95s) -> list[Figure]:
    small, *middle, large = sizes
    between = ", ".join(f"{median(p95[size, question.about]):.1f} ms at {size:,}" for size in middle)
    name = f"KPI p95: {question.about}, at {large:,} tickets"
    beside = f"at {small:,} tickets" + (f" ({between})" if between else "")
    bound = question.reads + ("; the dashboard asks it at each load" if question.of_dashboard else "")
    values, others = p95[large, question.about], p95[small, question.about]
    return [
        Figure.of(name, values, "ms", beside=beside, beside_values=others, target="<= 1.5", bound=bound),
        Figure.of(name, values, "ms", target="< 50 ms", bound=bound),
    ]


async def _ask(doors: Mapping[int, _Door], times: int) -> dict[tuple[int, str], list[float]]:
    """Each question so often, of all sizes in turn; milliseconds."""
    took: dict[tuple[int, str], list[float]] = defaultdict(list)
    for _ in range(times):
        for question in QUESTIONS:
            for size, door in doors.items():
                began_at = monotonic()
                answer = await door.client.get(question.path)
                answer.raise_for_status()
                took[size, question.about].append((monotonic() - began_at) * 1000)
    return took


# ------------------------------------------------------------------ databases of a size


class _Door:
    """A process that answers over a database with so many tickets; an async context manager."""

    client: httpx.AsyncClient

    def __init__(self, bench: Bench, kafka: KafkaSettings, size: int) -> None:
        self._bench = bench
        self._kafka = kafka
        self._size = size
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> _Door:
        bench = self._bench
        databases = {service: await bench.database_url(service) for service in SERVICES}
        for url in databases.values():
            self._stack.push_async_callback(bench.drop, url)
        bench.say(f"{self._size:,} tickets")
        database = Database(databases["metrics"], pool_size=8, application_name="benchmarks")
        await fill(database, self._size)
        await database.close()
        folder = bench.folder / f"kpi-reads-{self._size}"
        running_ = running(folder, [Part("metrics", "api")], databases, self._kafka, bench.servers, UNLIMITED)
        platform: Platform = await self._stack.enter_async_context(running_)
        client = httpx.AsyncClient(base_url=platform.url("metrics"), headers=platform.headers("manager"), timeout=60)
        self.client = await self._stack.enter_async_context(client)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()


async def fill(database: Database, size: int) -> None:
    """So many tickets of a year: their counts, and who waited; the event log holds those alone that really lived."""
    copies = -(-size // MONTHS // LIVED)
    await _spare_the_wal(database)
    async with database.transaction() as tx:
        generation = await generations.active(tx)
    await _live(database, generation, size // MONTHS // copies)
    async with database.transaction() as tx:
        await tx.execute("SET LOCAL statement_timeout = 0")
        await _fill_month(tx, copies)
        days = [day for day, _ in await building.days(tx, generation.version)]
    for start in range(0, len(days), DAYS_AT_ONCE):
        async with database.transaction() as tx:
            some = days[start : start + DAYS_AT_ONCE]
            await building.roll_up(tx, generation.version, some[0], some[-1] + DAY_OF_BUCKETS)
    async with database.transaction() as tx:
        await tx.execute("SET LOCAL statement_timeout = 0")
        await _fill_year(tx)
    await _vacuum(database)


async def _spare_the_wal(database: Database) -> None:
    """These tables are read alone; what writes them is not measured."""
    async with database.transaction() as tx:
        for table in ("kpi_cell", "kpi_rollup", "open_span", "complaint"):
            await tx.execute(f"ALTER TABLE {table} SET UNLOGGED")


async def _live(database: Database, generation: Generation, count: int) -> None:
    entries = [
        read(REGISTRY[topic, record.row.type], topic, part, record.row.seq, record.row.payload)
        for record in lives.records(count, within=MONTH)
        for topic, part in [record.row.log]
    ]
    for start in range(0, len(entries), LEARNT_AT_ONCE):
        async with database.transaction() as tx:
            cells = await handlers.learn(tx, generation, await log.append(tx, entries[start : start + LEARNT_AT_ONCE]))
            await rollups.add_cells(tx, generation.version, cells)


async def _vacuum(database: Database) -> None:
    async with database.engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.exec_driver_sql("SET statement_timeout = 0")
        await (await connection.get_raw_connection()).driver_connection.execute("VACUUM ANALYZE", timeout=log.PATIENCE)  # type: ignore[union-attr]


_DIMENSIONS: Final = "channel, type, priority, team, agent, tier"
_FIRST: Final = bucket_of(microseconds(lives.BEGIN))
_QUARTERS: Final = MONTH // WIDTH
_FOREVER: Final = 2**63 - 1


async def _fill_month(tx: Transaction, copies: int) -> None:
    """The same tickets so many times in the month; what reaches beyond its end is at its beginning. A cell that is there has enough."""
    for table, statement in _WITHIN.items():
        await tx.driver.execute(f"CREATE TEMPORARY TABLE lived ON COMMIT DROP AS SELECT * FROM {table}", timeout=log.PATIENCE)
        await tx.driver.execute(f"DELETE FROM {table}", timeout=log.PATIENCE)
        for copy in range(copies):
            await tx.driver.execute(statement, _FIRST, copy * (_QUARTERS // copies), timeout=log.PATIENCE)
        await tx.execute("DROP TABLE lived")


async def _fill_year(tx: Transaction) -> None:
    """The months that follow. They begin with a day of UTC, so that rows of hours and days are such again."""
    for statement in _FURTHER:
        await tx.driver.execute(statement, MONTHS - 1, timeout=log.PATIENCE)


def _within(instant: str) -> str:
    base = f"$1::bigint * {WIDTH_US}"
    return f"({base} + ({instant} - {base} + $2::bigint * {WIDTH_US}) % {_QUARTERS * WIDTH_US})"


_WITHIN: Final = {
    "kpi_cell": f"""
    INSERT INTO kpi_cell (projection_version, bucket, {_DIMENSIONS}, counts)
    SELECT projection_version, $1::integer + (bucket - $1::integer + $2::integer) % {_QUARTERS}, {_DIMENSIONS}, counts FROM lived
    ON CONFLICT DO NOTHING
    """,
    "open_span": f"""
    INSERT INTO open_span (projection_version, ticket, run, since, until, opened_at, {_DIMENSIONS})
    SELECT projection_version, ticket || '-' || $2::bigint, run, {_within("since")},
           CASE WHEN until = {_FOREVER} THEN until ELSE {_within("since")} + until - since END,
           {_within("since")} + opened_at - since, {_DIMENSIONS}
      FROM lived
    """,
    "complaint": f"""
    INSERT INTO complaint (projection_version, ticket, customer_id, topic, opened_at, ended_at, {_DIMENSIONS}, is_shared)
    SELECT projection_version, ticket || '-' || $2::bigint, customer_id || '-' || $2::bigint, topic, {_within("opened_at")},
           CASE WHEN ended_at = {_FOREVER} THEN ended_at ELSE {_within("opened_at")} + ended_at - opened_at END,
           {_DIMENSIONS}, is_shared
      FROM lived
    """,
}
"""By table: what lived, once more, so many quarter hours later."""


def _later(instant: str) -> str:
    moved = f"{instant} + month * {_QUARTERS * WIDTH_US}"
    return f"CASE WHEN {instant} = {_FOREVER} THEN {instant} ELSE {moved} END"


_FURTHER: Final = (
    f"""
    INSERT INTO kpi_cell (projection_version, bucket, {_DIMENSIONS}, counts)
    SELECT projection_version, bucket + month * {_QUARTERS}, {_DIMENSIONS}, counts
      FROM kpi_cell CROSS JOIN generate_series(1, $1::integer) month ORDER BY month, projection_version, bucket, {_DIMENSIONS}
    """,
    f"""
    INSERT INTO kpi_rollup (projection_version, dimension, span, bucket, value, counts, durations)
    SELECT projection_version, dimension, span, bucket + month * {_QUARTERS}, value, counts, durations
      FROM kpi_rollup CROSS JOIN generate_series(1, $1::integer) month ORDER BY 1, 2, 3, 4, 5
    """,
    f"""
    INSERT INTO open_span (projection_version, ticket, run, since, until, opened_at, {_DIMENSIONS})
    SELECT projection_version, month || '-' || ticket, run, {_later("since")}, {_later("until")}, {_later("opened_at")}, {_DIMENSIONS}
      FROM open_span CROSS JOIN generate_series(1, $1::bigint) month ORDER BY month, since
    """,
    f"""
    INSERT INTO complaint (projection_version, ticket, customer_id, topic, opened_at, ended_at, {_DIMENSIONS}, is_shared)
    SELECT projection_version, month || '-' || ticket, month || '-' || customer_id, topic, {_later("opened_at")}, {_later("ended_at")},
           {_DIMENSIONS}, is_shared
      FROM complaint CROSS JOIN generate_series(1, $1::bigint) month
    """,
)
"""What happened in the month, once more in each further one."""
