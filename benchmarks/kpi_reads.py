"""How long questions about key figures take at a thousand, a hundred thousand and a million tickets of one year."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from statistics import quantiles
from typing import Final

import httpx

from benchmarks import lives
from benchmarks.bench import UNLIMITED, Bench
from benchmarks.figure import Figure
from benchmarks.platform import SERVICES, Part, Platform, running
from services.metrics import handlers
from services.metrics.projection import DAY as DAY_OF_BUCKETS
from services.metrics.reduction import read
from services.metrics.store import generations, log, rollups
from shared.clock import monotonic
from shared.database import Database
from shared.events import REGISTRY
from shared.kafka import KafkaSettings

NAME = "kpi_reads"
ABOUT = "p95 of KPI questions at 1 thousand, 100 thousand and 1 million tickets"

SIZES: Final = (1_000, 100_000, 1_000_000)
QUICK_SIZES: Final = (500, 2_000)
LIVED: Final = 10_000
"""Tickets that really live; more of them are copies of these, shifted in time."""
YEAR: Final = timedelta(days=365)
CELLS_AT_ONCE: Final = 8_000

NOVEMBER: Final = "from=2026-11-01&to=2026-12-01&zone=Asia/Shanghai"
FOUR: Final = "&kpi=csat_mean&kpi=nps&kpi=resolution_rate&kpi=sla_first_response"


@dataclass(frozen=True)
class Question:
    """What is asked, in words and as a path; ``is_judged`` when it is one that the dashboard asks."""

    about: str
    path: str
    is_judged: bool = True


QUESTIONS: Final = (
    Question("all figures of a month", f"/v1/kpis?{NOVEMBER}"),
    Question("four figures of a month by channel", f"/v1/kpis?{NOVEMBER}&group_by=channel{FOUR}"),
    Question("four figures of a month by agent", f"/v1/kpis?{NOVEMBER}&group_by=agent{FOUR}"),
    Question("requests of each day of a month", f"/v1/kpis/requests/series?bucket=day&{NOVEMBER}"),
    Question("first responses of each day of a month", f"/v1/kpis/first_response_time/series?bucket=day&{NOVEMBER}"),
    Question("backlog at the end of a month", f"/v1/kpis?{NOVEMBER}&kpi=backlog&kpi=backlog_age"),
    Question("backlog of each day of a month", f"/v1/kpis/backlog/series?bucket=day&{NOVEMBER}", is_judged=False),
    Question("four figures of a month by channel and type", f"/v1/kpis?{NOVEMBER}&group_by=channel,type{FOUR}", is_judged=False),
    Question("four figures of a month of one team", f"/v1/kpis?{NOVEMBER}&team=returns{FOUR}", is_judged=False),
)
"""Those of the last kind are read from the cells, so they grow with the tickets of the range."""

Took = Mapping[tuple[int, str], Sequence[float]]
"""Milliseconds by size and question."""


async def run(bench: Bench) -> list[Figure]:
    """Ask all sizes in turn."""
    sizes = QUICK_SIZES if bench.quick else SIZES
    async with AsyncExitStack() as stack, bench.kafka() as kafka:
        doors = {size: await stack.enter_async_context(_Door(bench, kafka, size)) for size in sizes}
        bench.say(f"asking {len(QUESTIONS)} questions of {len(sizes)} sizes")
        took = await _ask(doors, bench.count(200, 10))
    return [figure for question in QUESTIONS for figure in _figures(question, sizes, took)]


def _figures(question: Question, sizes: Sequence[int], took: Took) -> list[Figure]:
    p95 = {size: quantiles(took[size, question.about], n=20)[-1] for size in sizes}
    small, large = sizes[0], sizes[-1]
    between = ", ".join(f"{p95[size]:.1f} ms at {size:,}" for size in sizes[1:-1])
    bound = "days of a range, with hours and quarter hours at its edges" if question.is_judged else "grows with what happened in the range"
    name = f"KPI p95: {question.about}, at {large:,} tickets"
    beside = f"at {small:,} tickets" + (f" ({between})" if between else "")
    ratio = Figure.of(
        name,
        [p95[large]],
        "ms",
        beside=beside,
        beside_values=[p95[small]],
        target="<= 1.5" if question.is_judged else "",
        bound=bound,
    )
    return [ratio, Figure.of(name, [p95[large]], "ms", target="< 50 ms", bound=bound)] if question.is_judged else [ratio]


async def _ask(doors: Mapping[int, _Door], rounds: int) -> Took:
    took: dict[tuple[int, str], list[float]] = defaultdict(list)
    for turn in range(rounds + 1):
        for question in QUESTIONS:
            for size, door in doors.items():
                began_at = monotonic()
                answer = await door.client.get(question.path)
                answer.raise_for_status()
                if turn:  # the first one warms up
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
    lived = min(size, LIVED)
    entries = [
        read(REGISTRY[topic, record.row.type], topic, part, record.row.seq, record.row.payload)
        for record in lives.records(lived, within=YEAR)
        for topic, part in [record.row.log]
    ]
    async with database.transaction() as tx:
        generation = await generations.active(tx)
    for start in range(0, len(entries), CELLS_AT_ONCE):
        async with database.transaction() as tx:
            await handlers.learn(tx, generation, await log.append(tx, entries[start : start + CELLS_AT_ONCE]))
    await _copy(database, size // lived - 1)
    async with database.transaction() as tx:
        days = await rollups.days(tx, generation.version)
    for day, _ in days:
        async with database.transaction() as tx:
            await rollups.roll_up(tx, generation.version, day, day + DAY_OF_BUCKETS)
    async with database.engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.exec_driver_sql("SET statement_timeout = 0")
        await (await connection.get_raw_connection()).driver_connection.execute("VACUUM ANALYZE", timeout=log.PATIENCE)  # type: ignore[union-attr]


_LIVED: Final = ("kpi_cell", "open_span", "complaint")
_DIMENSIONS: Final = "channel, type, priority, team, agent, tier"
_YEAR_US: Final = YEAR // timedelta(microseconds=1)
_QUARTER_US: Final = 900 * 1_000_000
_SHIFT: Final = 331
"""Quarter hours between two copies: three days and some hours."""


async def _copy(database: Database, copies: int) -> None:
    """The same tickets once more and more, each time some days later in the year; a cell that is there already has enough."""
    async with database.transaction() as tx:
        await tx.execute("SET LOCAL statement_timeout = 0")
        for table in _LIVED:
            await tx.execute(f"CREATE TEMPORARY TABLE lived_{table} ON COMMIT DROP AS SELECT * FROM {table}")
        first = await tx.fetchval("SELECT min(bucket) FROM kpi_cell")
        for copy in range(1, copies + 1):
            shift = copy * _SHIFT
            for query in (_CELLS, _SPANS, _COMPLAINTS):
                await tx.driver.execute(query, first, shift, timeout=log.PATIENCE)


def _later(instant: str) -> str:
    base = f"$1::bigint * {_QUARTER_US}"
    return f"({base} + ({instant} - {base} + $2::bigint * {_QUARTER_US}) % {_YEAR_US})"


_CELLS: Final = f"""
    INSERT INTO kpi_cell (projection_version, bucket, {_DIMENSIONS}, counts)
    SELECT projection_version, $1::integer + (bucket - $1::integer + $2::integer) % {365 * 96}, {_DIMENSIONS}, counts FROM lived_kpi_cell
    ON CONFLICT DO NOTHING
"""
_SPANS: Final = f"""
    INSERT INTO open_span (projection_version, ticket, run, since, until, opened_at, {_DIMENSIONS})
    SELECT projection_version, ticket || '-' || $2::bigint, run, {_later("since")},
           CASE WHEN until = 9223372036854775807 THEN until ELSE {_later("since")} + until - since END, {_later("opened_at")}, {_DIMENSIONS}
      FROM lived_open_span
"""
_COMPLAINTS: Final = f"""
    INSERT INTO complaint (projection_version, ticket, customer_id, topic, opened_at, ended_at, {_DIMENSIONS})
    SELECT projection_version, ticket || '-' || $2::bigint, customer_id || '-' || $2::bigint, topic, {_later("opened_at")},
           CASE WHEN ended_at = 9223372036854775807 THEN ended_at ELSE {_later("opened_at")} + ended_at - opened_at END, {_DIMENSIONS}
      FROM lived_complaint
"""
