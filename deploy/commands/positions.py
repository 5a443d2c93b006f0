"""`aftercare positions`: what each source has heard of its consumers. It keeps outbox rows until all of them have them."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import typer

from deploy.commands.output import AsJson, say, show
from deploy.commands.places import SERVICES, transaction_of
from shared import positions
from shared.events.topics import NUMBERED, produced_by

app = typer.Typer(help="Consumers as their sources know them: list, forget.", no_args_is_help=True)


@app.command(name="list")
def list_(as_json: AsJson = False) -> None:
    """Each consumer of each topic: what it was last heard to have applied, how old that is, what it misses."""
    rows = asyncio.run(_list())
    columns = ("topic", "consumer", "applied", "behind", "heard_s", "missing", "below_floor")
    show(rows, as_json=as_json, columns=columns, empty="nobody reads")


@app.command()
def forget(
    consumer: Annotated[str, typer.Argument(help="Name of the consumer.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """End a consumer of another system that has gone: no source keeps rows for it any more. Our own services cannot be forgotten."""
    if any(consumer in topic.consumers for topic in NUMBERED):
        raise typer.BadParameter(f"{consumer} is one of our own services; its rows are kept until it has them")
    if not yes:
        typer.confirm(f"No outbox will keep anything for {consumer}. Go on?", abort=True)
    logs = asyncio.run(_forget(consumer))
    say(f"{consumer} is forgotten in {logs} logs.", as_json=as_json, consumer=consumer, logs=logs)
    if not logs:
        raise typer.Exit(1)


async def _list() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for service in SERVICES:
        if produced_by(service):
            async with transaction_of(service) as tx:
                rows += [dict(row) for row in await tx.fetch(_KNOWN)]
    return rows


async def _forget(consumer: str) -> int:
    logs = 0
    for service in SERVICES:
        if produced_by(service):
            async with transaction_of(service) as tx:
                logs += await positions.forget(tx, consumer)
    return logs


_KNOWN = """
SELECT k.topic, k.consumer, sum(k.last_seq)::bigint AS applied, sum(greatest(h.head - k.last_seq, 0))::bigint AS behind,
       round(extract(epoch FROM clock_timestamp() - nullif(max(k.stamp), 'epoch')))::bigint AS heard_s,
       count(k.expected) FILTER (WHERE k.expected > k.last_seq) AS missing, count(*) FILTER (WHERE k.last_seq < c.floor) AS below_floor
  FROM outbox_known k JOIN outbox_head h USING (topic, part) JOIN outbox_cursor c USING (topic, part)
 GROUP BY k.topic, k.consumer ORDER BY k.topic, k.consumer
"""
