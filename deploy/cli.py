"""The `aftercare` command: what an operator does by hand.

Every command takes `--json`. Exit code 0: done; 1: it found something wrong; 2: misused.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Annotated

import typer

from deploy.commands import consumer, db, dead_letters, keys, outbox, positions, topics
from deploy.commands import doctor as doctors
from deploy.commands import lag as lags
from deploy.commands.output import AsJson, show
from services.metrics.commands import app as kpi
from shared import telemetry
from shared.runtime import release

app = typer.Typer(
    name="aftercare",
    help="Operate Aftercare. It reads the services' own variables (<SERVICE>_DATABASE_URL, KAFKA_BOOTSTRAP_SERVERS).",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(db.app, name="db")
app.add_typer(topics.app, name="topics")
app.add_typer(outbox.app, name="outbox")
app.add_typer(positions.app, name="positions")
app.add_typer(consumer.app, name="consumer")
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(keys.app, name="keys")
app.add_typer(kpi, name="kpi")


@app.command()
def lag(
    all_logs: Annotated[bool, typer.Option("--all", help="Every partition in a row of its own.")] = False, as_json: AsJson = False
) -> None:
    """How far each consumer is behind its source; exit code 1 when one is stopped."""
    rows = asyncio.run(lags.lag(all_logs=all_logs))
    show(rows, as_json=as_json, columns=("topic", "part", "consumer", "head", "applied", "behind", "parked", "stopped"), empty="no logs")
    if any(row["stopped"] for row in rows):
        raise typer.Exit(1)


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Look at everything that can be red; exit code 1 when something is."""
    findings = asyncio.run(doctors.examine())
    show(findings, as_json=as_json, columns=("what", "state", "detail"), empty="nothing to look at")
    if any(finding["state"] == "red" for finding in findings):
        raise typer.Exit(1)


def main() -> None:
    """Run it. What the services' code logs meanwhile goes to standard error, so that --json prints JSON alone."""
    environment = os.environ.get("AFTERCARE_ENVIRONMENT", "local")
    telemetry.configure_logs(service="aftercare", version=release(), env=environment, stream=sys.stderr)
    app()


if __name__ == "__main__":
    main()
