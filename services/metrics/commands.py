"""`aftercare kpi`: prove the figures, and build them anew.

Both are safe while the service runs: `verify` reads one snapshot, `rebuild` builds beside what is in use and changes over once proved.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Final

import orjson
import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column, Table

from services.metrics import handlers
from services.metrics.rebuild import RebuildRefused, Rebuilt, rebuild, workers
from services.metrics.settings import MetricsSettings
from services.metrics.store import generations, log
from services.metrics.verification import Difference
from shared import garbage
from shared.database import Database

app = typer.Typer(help="Prove the key figures against the event log, or build them anew from it.", no_args_is_help=True)

SHOWN: Final = 50
"""Differences that the table holds; --json holds all."""

Processes = Annotated[
    int | None, typer.Option(min=1, max=64, help="How many work at once; by default METRICS_REBUILD_PROCESSES, else one a core.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@dataclass(frozen=True, slots=True)
class Proof:
    """What was compared, and what differs."""

    projection_version: int
    entries: int
    """Lines of the event log that were read."""
    rows: int
    """Rollup rows that were compared."""
    differences: Sequence[Difference]


async def prove(database: Database) -> Proof:
    """Compare all rollups in use with the event log, in one snapshot."""
    async with log.snapshot(database, scratch=True) as tx:
        version = (await generations.active(tx)).version
        found = await handlers.differences(tx, version)
        rows = await tx.fetchval(_ROWS_THAT_COUNT, version)
        entries = sum(held for held, _ in (await log.vector(tx)).values())
    return Proof(version, entries, rows, found)


_ROWS_THAT_COUNT: Final = """
    SELECT count(*) FROM kpi_rollup WHERE projection_version = $1 AND (counts::text <> '{}' OR durations::text <> '{}')
"""


async def verify(database: Database) -> list[Difference]:
    """All rows of the figures in use that differ from the event log; an empty list is the proof."""
    return list((await prove(database)).differences)


@app.command("verify")
def verify_command(as_json: AsJson = False) -> None:
    """Derive every key figure from the event log and compare; exit code 1 when anything differs."""
    proof = asyncio.run(_prove())
    if as_json:
        _print_json(asdict(proof))
    else:
        _print_proof(proof)
    if proof.differences:
        raise typer.Exit(1)


@app.command("rebuild")
def rebuild_command(as_json: AsJson = False, processes: Processes = None) -> None:
    """Build facts and rollups anew from the event log; exit code 1 when the result could not be proved and was given up."""
    try:
        rebuilt = asyncio.run(_rebuild(processes, is_shown=not as_json))
    except RebuildRefused as refused:
        _print_json({"error": str(refused)}) if as_json else Console(stderr=True).print(f"Not rebuilt: {refused}", highlight=False)
        raise typer.Exit(1) from refused
    if as_json:
        _print_json(asdict(rebuilt))
    else:
        Console().print(
            f"Projection {rebuilt.version} is in use, built from {rebuilt.entries} events; {rebuilt.replaced} is gone.", highlight=False
        )


# ------------------------------------------------------------------ doing


async def _prove() -> Proof:
    async with _database(_settings()) as database:
        return await prove(database)


async def _rebuild(processes: int | None, *, is_shown: bool) -> Rebuilt:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not is_shown) as shown:
        task = shown.add_task("events")
        settings = _settings()
        garbage.collect_seldom()
        async with _database(settings) as database:
            number = workers.number(processes or settings.rebuild_processes)
            return await rebuild(database, lambda read, every: shown.update(task, completed=read, total=every), number)


def _settings() -> MetricsSettings:
    try:
        return MetricsSettings()
    except ValidationError as error:
        raise typer.BadParameter("METRICS_DATABASE_URL is not set; locally: set -a; . .aftercare/environment; set +a") from error


@asynccontextmanager
async def _database(settings: MetricsSettings) -> AsyncIterator[Database]:
    database = Database(settings.database_url.get_secret_value(), pool_size=8, application_name="aftercare-kpi")
    try:
        yield database
    finally:
        await database.close()


# ------------------------------------------------------------------ telling


def _print_proof(proof: Proof) -> None:
    if proof.differences:
        table = Table(Column("figure", no_wrap=True), "dimension", "value", "from", "hours", "measure", "event log", "rollup")
        for found in proof.differences[:SHOWN]:
            when = found.bucket_start.strftime("%Y-%m-%d %H:%MZ")
            table.add_row(
                found.kpi, found.dimension, found.value, when, f"{found.span / 4:g}", found.measure, str(found.expected), str(found.actual)
            )
        Console().print(table)
    counted = f"{proof.rows} rows of projection {proof.projection_version} against {proof.entries} events"
    Console().print(f"{len(proof.differences)} differences; compared {counted}.", highlight=False)


def _print_json(value: Any) -> None:
    sys.stdout.write(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() + "\n")
