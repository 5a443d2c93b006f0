"""`aftercare outbox`: what services have told, and how a restored one goes on."""

from __future__ import annotations

import asyncio

import typer

from deploy.commands import lag
from deploy.commands.output import AsJson, show
from deploy.commands.places import SERVICES

app = typer.Typer(help="Outboxes: status, resume after a restore.", no_args_is_help=True)


@app.command()
def status(as_json: AsJson = False) -> None:
    """Events given out and not yet in Kafka, per topic; exit code 1 when a log is stopped."""
    rows = asyncio.run(lag.outbox_status(list(SERVICES)))
    show(rows, as_json=as_json, columns=("topic", "head", "sent", "unsent", "oldest_unsent_s", "epoch", "stopped"), empty="no logs")
    if any(row["stopped"] for row in rows):
        raise typer.Exit(1)
