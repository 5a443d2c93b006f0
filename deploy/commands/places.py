"""Where the command finds the four databases and the broker: the same variables as the services."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import typer

from shared.database import Database, Transaction

SERVICES: Final = ("intake", "tickets", "feedback", "metrics")


def database_url(service: str) -> str:
    """Address of a service's database; ends the command with a clear message where it is not told."""
    if service not in SERVICES:
        raise typer.BadParameter(f"no service {service!r}; there are {', '.join(SERVICES)}")
    variable = f"{service.upper()}_DATABASE_URL"
    if not (url := os.environ.get(variable)):
        raise typer.BadParameter(f"{variable} is not set; locally: set -a; . .aftercare/environment; set +a")
    return url


def bootstrap_servers() -> str:
    """Address of the broker."""
    if not (servers := os.environ.get("KAFKA_BOOTSTRAP_SERVERS")):
        raise typer.BadParameter("KAFKA_BOOTSTRAP_SERVERS is not set; locally: set -a; . .aftercare/environment; set +a")
    return servers


@asynccontextmanager
async def database_of(service: str) -> AsyncIterator[Database]:
    """A small pool for the length of one command."""
    database = Database(database_url(service), pool_size=2, application_name="aftercare")
    try:
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def transaction_of(service: str) -> AsyncIterator[Transaction]:
    """One transaction in a service's database."""
    async with database_of(service) as database, database.transaction() as tx:
        yield tx
