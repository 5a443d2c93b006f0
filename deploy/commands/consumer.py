"""`aftercare consumer`: where a consumer reads on."""

from __future__ import annotations

import asyncio

import typer

from deploy.commands.output import AsJson, say
from deploy.commands.places import transaction_of
from shared.consumer import positions
from shared.events.topics import consumed_by

app = typer.Typer(help="Consumers: reread a topic.", no_args_is_help=True)


@app.callback()
def consumer() -> None:
    """A group of its own, even with one command."""


@app.command()
def reread(service: str, topic: str, as_json: AsJson = False) -> None:
    """Read a topic from its start again. Nothing is applied twice; what was missed and is still there is found. Restart the consumer."""
    if topic not in {consumed.name for consumed in consumed_by(service)}:
        raise typer.BadParameter(f"{service} does not read {topic!r}")
    logs = asyncio.run(_reread(service, topic))
    say(f"{service} reads {logs} logs of {topic} from their start after its next seek.", as_json=as_json, logs=logs)


async def _reread(service: str, topic: str) -> int:
    async with transaction_of(service) as tx:
        return await positions.reread(tx, topic)
