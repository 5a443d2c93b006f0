"""Database migrations of the services: one Alembic history each, without ini files.

A service's `migrations/env.py` is one call of `run`; its first migration calls `create_shared_tables`. No service loads this while it runs:
whether a database is at the newest version is told by `shared.schema`.
"""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any, Final

from alembic import command, context, op
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from shared.database import Transaction, asyncpg_url
from shared.migrations.tables import insert_logs, shared_tables
from shared.retention import create_days
from shared.schema import location_of

__all__ = ["check", "create_shared_tables", "run", "shared_tables", "upgrade"]

_MIGRATION_LOCK: Final = 0x61667463_6D696772
"""Advisory lock of whoever migrates: two processes that start at once must not both run the same migration."""

_ONE_AT_A_TIME: Final = threading.Lock()
"""Alembic keeps the current run in module globals."""


def upgrade(service: str, url: str, *, location: Path | None = None) -> None:
    """Bring a service's database to its newest version. Repeatable, safe to run from several processes at once.

    Must not be called inside a running event loop: from there, use a thread.
    """
    with _ONE_AT_A_TIME:
        command.upgrade(_config(service, url, location), "head")


def check(service: str, url: str, *, location: Path | None = None) -> list[str]:
    """What differs between the database and what the service's code declares; empty when they agree."""
    config = _config(service, url, location)
    found: list[Any] = []
    config.attributes["differences"] = found
    script = ScriptDirectory.from_config(config)
    with _ONE_AT_A_TIME, EnvironmentContext(config, script):
        script.run_env()
    return [str(difference) for difference in found]


def create_shared_tables(service: str, *, timers: bool) -> None:
    """Create these tables and the row of each log; for the first migration of a service, run inside Alembic."""
    metadata = MetaData()
    shared_tables(metadata, service=service, timers=timers)
    metadata.create_all(op.get_bind(), checkfirst=False)
    insert_logs(op.get_bind(), service)


def run(metadata: MetaData) -> None:
    """What a service's `migrations/env.py` calls."""
    asyncio.run(_run(metadata, context.config.attributes))


async def _run(metadata: MetaData, attributes: dict[str, Any]) -> None:
    engine = create_async_engine(asyncpg_url(attributes["url"]), connect_args={"server_settings": {"timezone": "UTC"}})
    try:
        async with engine.begin() as connection:
            await connection.execute(text("SET LOCAL statement_timeout = 0"))
            await connection.execute(text("SET LOCAL lock_timeout = '60s'"))
            await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK})
            # a change of a busy table gives up rather than make every request queue behind it
            await connection.execute(text("SET LOCAL lock_timeout = '5s'"))
            if "differences" in attributes:
                attributes["differences"].extend(await connection.run_sync(_compare, metadata))
                return
            await connection.run_sync(_migrate, metadata)
            if "outbox" in metadata.tables:
                await create_days(await _driver(connection))
    finally:
        await engine.dispose()


async def _driver(connection: AsyncConnection) -> Transaction:
    """The same connection and transaction as handlers know them."""
    driver = (await connection.get_raw_connection()).driver_connection
    assert driver is not None
    return Transaction(driver)


def _migrate(connection: Connection, metadata: MetaData) -> None:
    context.configure(connection=connection, target_metadata=metadata, include_name=_is_declared)
    with context.begin_transaction():
        context.run_migrations()


def _compare(connection: Connection, metadata: MetaData) -> list[Any]:
    options = {"include_name": _is_declared, "compare_type": True, "compare_server_default": True}
    return [*compare_metadata(MigrationContext.configure(connection, opts=options), metadata), *_other_storage(connection, metadata)]


def _other_storage(connection: Connection, metadata: MetaData) -> list[Any]:
    """Tables with other storage parameters than declared, which Alembic does not look at."""
    rows = connection.execute(
        text("SELECT relname, reloptions FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'")
    )
    held = {name: dict(option.split("=", 1) for option in options or ()) for name, options in rows}
    declared = {table.name: table.dialect_options["postgresql"]["with"] or {} for table in metadata.sorted_tables}
    return [("storage", name, wanted, held[name]) for name, wanted in declared.items() if name in held and {**wanted} != held[name]]


def _is_declared(name: str | None, kind: str, _parents: object) -> bool:
    """The days of the outbox are made at run time; they are part of no metadata."""
    return not (kind == "table" and name is not None and name.startswith("outbox_2"))


def _config(service: str, url: str, location: Path | None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(location or location_of(service)))
    config.set_main_option("path_separator", "os")
    config.attributes.update(service=service, url=url)
    return config
