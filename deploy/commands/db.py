"""`aftercare db`: the four databases and their versions."""

from __future__ import annotations

from typing import Annotated

import typer

from deploy.commands.output import AsJson, show
from deploy.commands.places import SERVICES, database_url
from shared import migrations

app = typer.Typer(help="Databases: migrate, check.", no_args_is_help=True)

Names = Annotated[list[str] | None, typer.Argument(help="Services; by default all four.")]


@app.command()
def migrate(services: Names = None, as_json: AsJson = False) -> None:
    """Bring databases to the newest version; safe to repeat and to run twice at once."""
    rows = []
    for service in services or SERVICES:
        migrations.upgrade(service, database_url(service))
        rows.append({"service": service, "state": "newest version"})
    show(rows, as_json=as_json, columns=("service", "state"), empty="nothing to do")


@app.command()
def check(services: Names = None, as_json: AsJson = False) -> None:
    """Compare databases with what the code declares; exit code 1 where they differ."""
    rows = [
        {"service": service, "difference": difference}
        for service in services or SERVICES
        for difference in migrations.check(service, database_url(service))
    ]
    show(rows, as_json=as_json, columns=("service", "difference"), empty="databases and code agree")
    if rows:
        raise typer.Exit(1)
