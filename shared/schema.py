"""Which version of its schema a service's database has, and which one this release knows: told without loading what migrates it."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Final

from shared.database import Database

_REVISION: Final = re.compile(r'^(revision|down_revision)\b[^=\n]*= *"(\w+)"', re.MULTILINE)


async def is_current(service: str, database: Database, *, location: Path | None = None) -> bool:
    """Whether the database is at the newest version that this release knows."""
    async with database.single_statements() as tx:
        if await tx.fetchval("SELECT to_regclass('alembic_version')::text") is None:
            return False
        present = {row["version_num"] for row in await tx.fetch("SELECT version_num FROM alembic_version")}
    return present == heads(location or location_of(service))


def heads(location: Path) -> set[str]:
    """The versions in that folder of migrations that no other one follows."""
    found = [dict(_REVISION.findall(file.read_text())) for file in (location / "versions").glob("*.py")]
    versions = {names["revision"] for names in found if "revision" in names}
    return versions - {names["down_revision"] for names in found if "down_revision" in names}


def location_of(service: str) -> Path:
    """The folder of a service's migrations."""
    found = importlib.util.find_spec(f"services.{service}")
    if found is None or not found.submodule_search_locations:
        raise LookupError(f"there is no service named {service}")
    return Path(found.submodule_search_locations[0]) / "migrations"
