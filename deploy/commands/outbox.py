"""`aftercare outbox`: what services have told, and how a restored one goes on."""

from __future__ import annotations

import asyncio
import getpass
from dataclasses import asdict
from typing import Annotated

import typer

from deploy.commands import lag
from deploy.commands.output import AsJson, print_json, say, show
from deploy.commands.places import SERVICES, bootstrap_servers, database_of
from shared import restore
from shared.kafka import CLIENT_ERRORS, KafkaSettings

app = typer.Typer(help="Outboxes: status, resume after a restore.", no_args_is_help=True)


@app.command()
def status(as_json: AsJson = False) -> None:
    """Events given out and not yet in Kafka, per topic; exit code 1 when a log is stopped."""
    rows = asyncio.run(lag.outbox_status(list(SERVICES)))
    show(rows, as_json=as_json, columns=("topic", "head", "sent", "unsent", "oldest_unsent_s", "epoch", "stopped"), empty="no logs")
    if any(row["stopped"] for row in rows):
        raise typer.Exit(1)


@app.command(name="resume-after-restore")
def resume_after_restore(
    service: Annotated[str, typer.Argument(help="The service whose database was restored. All its roles must be stopped.")],
    reason: Annotated[str, typer.Option(help="Why it was restored; recorded.", prompt="Reason")],
    by: Annotated[str, typer.Option(help="Who does it; recorded.", default_factory=getpass.getuser)],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Let a restored source go on: accepted events keep or get a number, the rest of the history becomes fillers, the epoch is raised."""
    if not yes:
        typer.confirm(f"Are all roles of {service} stopped, and was the database restored after that?", abort=True)
    try:
        resumed = asyncio.run(_resume(service, by, reason))
    except (restore.StillRunning, *CLIENT_ERRORS) as refused:
        say(f"Not resumed: {type(refused).__name__} {refused}", as_json=as_json, error=type(refused).__name__, detail=str(refused))
        raise typer.Exit(1) from refused
    rows = [asdict(log) | {"lost": len(log.lost)} for log in resumed]
    lost = [{"topic": log.topic, "part": log.part, **asdict(event)} for log in resumed for event in log.lost]
    if as_json:
        print_json({"resumed": rows, "lost": lost})
        return
    columns = ("topic", "part", "epoch", "head", "moved", "fillers", "lost")
    show(
        rows,
        as_json=False,
        columns=columns,
        empty="no logs",
    )
    if lost:
        show(lost, as_json=False, columns=("topic", "part", "seq", "type", "key"), empty="")


async def _resume(service: str, by: str, reason: str) -> list[restore.Resumed]:
    async with database_of(service) as database:
        return await restore.resume_after_restore(database, KafkaSettings(bootstrap_servers()), service, by=by, reason=reason)
