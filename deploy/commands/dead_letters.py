"""`aftercare dead-letters`: events that could not be applied, and what an operator decides about them."""

from __future__ import annotations

import asyncio
import getpass
import importlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Annotated, Any

import typer

from deploy.commands.output import AsJson, print_json, say, show
from deploy.commands.places import SERVICES, database_of, database_url, transaction_of
from shared import dead_letter
from shared.consumer.received import apply_with
from shared.database import Database, Transaction
from shared.kafka.records import LogRecord
from shared.runtime import Runtime
from shared.service import Service

app = typer.Typer(help="Events that could not be applied: list, show, replay, replay-all, discard.", no_args_is_help=True)

ServiceName = Annotated[str, typer.Argument(help="The consuming service.")]
Topic = Annotated[str, typer.Argument(help="Topic of the event.")]
Part = Annotated[int, typer.Argument(help="Partition.", min=0)]
Seq = Annotated[int, typer.Argument(help="Number in its log.", min=1)]
Reason = Annotated[str, typer.Option(help="Why; kept with the event.", prompt="Reason")]
By = Annotated[str, typer.Option(help="Who decides; by default the user of this machine.", default_factory=getpass.getuser)]


@app.command(name="list")
def list_(
    service: Annotated[str | None, typer.Argument(help="Only this service.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Also those that were replayed or discarded.")] = False,
    as_json: AsJson = False,
) -> None:
    """Parked events, oldest first. An event without an error waits behind an earlier one of its key."""
    rows = asyncio.run(_list([service] if service else list(SERVICES), "parked" if not every else None))
    columns = ("service", "topic", "part", "seq", "key", "type", "status", "error_class", "error_text", "attempts", "first_at")
    show(rows, as_json=as_json, columns=columns, empty="no parked events")


@app.command(name="show")
def show_(service: ServiceName, topic: Topic, part: Part, seq: Seq, as_json: AsJson = False) -> None:
    """One event with its headers and data; the data may be personal."""
    letter, headers, value = asyncio.run(_show(service, topic, part, seq))
    facts = asdict(letter) | {"headers": headers, "data": None if value is None else value.decode(errors="replace")}
    if as_json:
        print_json(facts)
        return
    show([{"field": name, "value": found} for name, found in facts.items()], as_json=False, columns=("field", "value"), empty="")


@app.command()
def replay(
    service: ServiceName,
    topic: Topic,
    part: Part,
    key: Annotated[str, typer.Argument(help="The parked key.")],
    reason: Reason,
    by: By,
    as_json: AsJson = False,
) -> None:
    """Apply the parked events of a key in order, all or none, and let later ones through."""
    try:
        count = asyncio.run(_replay(service, (topic, part, key), by=by, reason=reason))
    except dead_letter.NotParked as missing:
        say(missing.detail, as_json=as_json, error=missing.code)
        raise typer.Exit(1) from missing
    except Exception as error:
        say(
            f"Failed again, nothing was changed: {type(error).__name__} {dead_letter.describe(error)}",
            as_json=as_json,
            error=type(error).__name__,
            detail=dead_letter.describe(error),
        )
        raise typer.Exit(1) from error
    say(f"{count} events applied; the key is free.", as_json=as_json, applied=count)


@app.command(name="replay-all")
def replay_all(service: ServiceName, reason: Reason, by: By, as_json: AsJson = False) -> None:
    """After a repair: replay every parked key of a service, each by itself. What fails again stays parked, and the exit code is 1."""
    rows = asyncio.run(_replay_all(service, by=by, reason=reason))
    show(rows, as_json=as_json, columns=("topic", "part", "key", "applied", "error"), empty="nothing is parked")
    if any(row["error"] for row in rows):
        raise typer.Exit(1)


@app.command()
def discard(service: ServiceName, topic: Topic, part: Part, seq: Seq, reason: Reason, by: By, as_json: AsJson = False) -> None:
    """Give one parked event up. Recorded with name and reason; events behind it stay parked until they are replayed."""
    if not reason.strip():
        raise typer.BadParameter("a discarded event needs a reason")
    try:
        asyncio.run(_discard(service, topic, part, seq, by=by, reason=reason))
    except dead_letter.NotParked as missing:
        say(missing.detail, as_json=as_json, error=missing.code)
        raise typer.Exit(1) from missing
    say("Discarded.", as_json=as_json, discarded=seq, by=by, reason=reason)


async def _list(services: list[str], status: str | None) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for service in services:
        async with transaction_of(service) as tx:
            if await tx.fetchval("SELECT to_regclass('dead_letter')"):
                rows += [{"service": service, **asdict(letter)} for letter in await dead_letter.find(tx, status=status)]
    return rows


async def _show(service: str, topic: str, part: int, seq: int) -> tuple[dead_letter.DeadLetter, dict[str, Any], bytes | None]:
    try:
        async with transaction_of(service) as tx:
            return await dead_letter.show(tx, (topic, part), seq)
    except dead_letter.NotParked as missing:
        raise typer.BadParameter(missing.detail) from missing


async def _replay(service: str, key: dead_letter.LogKey, *, by: str, reason: str) -> int:
    async with _handling(service) as (database, apply):
        return await dead_letter.replay(database, apply, key, by=by, reason=reason)


async def _replay_all(service: str, *, by: str, reason: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    async with _handling(service) as (database, apply):
        async with database.transaction() as tx:
            keys = await dead_letter.all_parked(tx)
        for key in keys:
            row: dict[str, Any] = {**dict(zip(("topic", "part", "key"), key, strict=True)), "applied": 0, "error": None}
            try:
                row["applied"] = await dead_letter.replay(database, apply, key, by=by, reason=reason)
            except dead_letter.NotParked:
                continue  # somebody else has replayed it meanwhile
            except Exception as error:
                row["error"] = f"{type(error).__name__} {dead_letter.describe(error)}".rstrip()
            rows.append(row)
    return rows


Apply = Callable[[Transaction, Sequence[LogRecord]], Awaitable[None]]


@asynccontextmanager
async def _handling(service: str) -> AsyncIterator[tuple[Database, Apply]]:
    """A service's database, and what its handler does with events."""
    database_url(service)
    described: Service[Any] = importlib.import_module(f"services.{service}.__main__").SERVICE
    assert described.handle is not None, "a service with dead letters has a handler"
    async with database_of(service) as database:
        yield database, apply_with(described.handle(Runtime(described.settings(), database)), described.read)


async def _discard(service: str, topic: str, part: int, seq: int, *, by: str, reason: str) -> None:
    async with transaction_of(service) as tx:
        letter, _, _ = await dead_letter.show(tx, (topic, part), seq)
        await dead_letter.discard(tx, (topic, part, letter.key), seq, by=by, reason=reason)
