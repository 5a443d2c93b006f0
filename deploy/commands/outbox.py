"""`aftercare outbox`: what services have told, and how a restored one goes on."""

from __future__ import annotations

import asyncio
import getpass
from dataclasses import asdict
from typing import Annotated
from uuid import UUID

import typer

from deploy.commands import lag
from deploy.commands.output import AsJson, print_json, say, show
from deploy.commands.places import SERVICES, bootstrap_servers, database_of, transaction_of
from shared import restore
from shared.events.topics import produced_by
from shared.kafka import CLIENT_ERRORS, KafkaSettings
from shared.outbox import Log

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
    by: Annotated[str, typer.Option(help="Who does it; recorded.", default_factory=getpass.getuser)],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Let a restored source go on: accepted events keep or get a number, the rest of the history becomes fillers, the epoch is raised."""
    if not yes:
        typer.confirm(f"Are all roles of {service} stopped, and was the database restored after that?", abort=True)
    try:
        resumed = asyncio.run(_resume(service, by))
    except (restore.ResumeRefused, *CLIENT_ERRORS) as refused:
        say(f"Not resumed: {type(refused).__name__} {refused}", as_json=as_json, error=type(refused).__name__, detail=str(refused))
        raise typer.Exit(1) from refused
    rows = [asdict(log) | {"lost": len(log.lost)} for log in resumed]
    lost = [{"topic": log.topic, "part": log.part, **asdict(event)} for log in resumed for event in log.lost]
    if as_json:
        print_json({"resumed": rows, "lost": lost})
        return
    columns = ("topic", "part", "epoch", "head", "kept", "moved", "fillers", "lost")
    show(
        rows,
        as_json=False,
        columns=columns,
        empty="Nothing to resume: the database knows everything that the broker and the consumers know.",
    )
    if lost:
        show(lost, as_json=False, columns=("topic", "part", "seq", "type", "key"), empty="")


async def _resume(service: str, by: str) -> list[restore.Resumed]:
    settings = KafkaSettings(bootstrap_servers())
    async with database_of(service) as database:
        return await restore.resume_after_restore(database, service, settings, await _applied(service), by=by)


async def _applied(service: str) -> restore.Applied:
    """Where the consumers of a service stand, by their own databases."""
    applied: dict[Log, dict[int, UUID | None]] = {}
    for topic in produced_by(service):
        for consumer in topic.consumers:
            async with transaction_of(consumer) as tx:
                for row in await tx.fetch("SELECT part, last_seq, last_id FROM consumer_part WHERE topic = $1", topic.name):
                    applied.setdefault((topic.name, row["part"]), {})[row["last_seq"]] = row["last_id"]
    return applied
