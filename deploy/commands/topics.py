"""`aftercare topics`: the topics that the platform needs, as shared/events/topics.py lists them."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Annotated

import typer

from deploy.commands.output import AsJson, say, show
from deploy.commands.places import bootstrap_servers
from shared.kafka import KafkaSettings, topics

app = typer.Typer(help="Topics of the bus: apply, describe.", no_args_is_help=True)


@app.command()
def apply(
    replication: Annotated[int, typer.Option(help="Copies of each record; 3 in production.", min=1, max=7)] = 1, as_json: AsJson = False
) -> None:
    """Create the topics that are missing and set what is set otherwise; safe to repeat."""
    try:
        created = asyncio.run(topics.apply(KafkaSettings(bootstrap_servers()), replication=replication))
    except topics.TopicRefused as refused:
        say(str(refused), as_json=as_json, error=str(refused))
        raise typer.Exit(1) from refused
    say(f"Created {', '.join(created)}." if created else "All topics are there.", as_json=as_json, created=created)


@app.command()
def describe(as_json: AsJson = False) -> None:
    """What the broker has."""
    rows = [asdict(found) for found in asyncio.run(topics.describe(KafkaSettings(bootstrap_servers())))]
    show(rows, as_json=as_json, columns=list(rows[0]) if rows else (), empty="no topics: aftercare topics apply")
