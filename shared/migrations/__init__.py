"""Database migrations of the services: one Alembic history each, without ini files.

A service's `migrations/env.py` is one call of `run`; its first migration calls `create_shared_tables`. Alembic is loaded when one of these
is called: a service that runs has no use for it.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import MetaData

from shared.migrations.tables import shared_tables
from shared.schema import is_current

if TYPE_CHECKING:
    from alembic.config import Config

__all__ = ["check", "create_shared_tables", "is_current", "run", "shared_tables", "upgrade"]

_ONE_AT_A_TIME: Final = threading.Lock()
"""Alembic keeps the current run in module globals."""


def upgrade(service: str, url: str, *, location: Path | None = None) -> None:
    """Bring a service's database to its newest version. Repeatable, safe to run from several processes at once.

    Must not be called inside a running event loop: from there, use a thread.
    """
    from shared.migrations import runs

    with _ONE_AT_A_TIME:
        runs.upgrade(service, url, location=location)


def check(service: str, url: str, *, location: Path | None = None) -> list[str]:
    """What differs between the database and what the service's code declares; empty when they agree."""
    from shared.migrations import runs

    with _ONE_AT_A_TIME:
        return runs.check(service, url, location=location)


def create_shared_tables(service: str, *, timers: bool) -> None:
    """Create these tables and the row of each log; for the first migration of a service, run inside Alembic."""
    from shared.migrations import runs

    runs.create_shared_tables(service, timers=timers)


def run(metadata: MetaData) -> None:
    """What a service's `migrations/env.py` calls."""
    from shared.migrations import runs

    runs.run(metadata)


def _config(service: str, url: str, location: Path | None) -> Config:
    """For tests that migrate to an older version."""
    from shared.migrations import runs

    return runs.config(service, url, location)
