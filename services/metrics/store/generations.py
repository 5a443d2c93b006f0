"""Generations of facts and rollups: one is active, one may be being built, retired ones wait to be deleted."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from shared.database import Database, Transaction, from_json, to_json

DELETED_AT_ONCE: Final = 20_000
TABLES: Final = ("fact", "kpi_rollup", "kpi_cell", "kpi_cell_part", "open_span", "complaint", "customer_alias")
"""What a generation consists of."""
_FACTS_LOCK: Final = 0x6B706966
"""Class of advisory locks of who lets events of a log count in a generation that is being built."""
_REBUILD_LOCK: Final = 0x6B706972
"""Advisory lock of the one rebuild that may run."""


@dataclass(frozen=True, slots=True)
class Generation:
    """One generation of facts and rollups, and by which definitions its rows were built."""

    version: int
    is_active: bool
    definitions: Mapping[str, int]
    as_of: Mapping[str, int] | None = None
    """Where it stopped, when this release counts by other definitions: it is shown, and nothing is added to it any more."""
    started_at: datetime | None = None
    """Tells it from a later one of the same version, when it was given up: its number is free again once its rows are gone."""


class GivenUp(Exception):
    """The generation is not being built any more: what its rebuild still does must not count."""


# ------------------------------------------------------------------ for writers and readers


async def share(tx: Transaction) -> list[Generation]:
    """The generations to write to, sorted; none begins, is activated or retired before this transaction ends."""
    await tx.execute("LOCK TABLE projection IN ROW SHARE MODE")
    return await living(tx)


async def living(tx: Transaction) -> list[Generation]:
    """The active generation and, during a rebuild, the one being built; sorted by version."""
    rows = await tx.fetch(
        "SELECT version, status, definitions, as_of FROM projection WHERE status IN ('active', 'building') ORDER BY version"
    )
    return [Generation(row["version"], row["status"] == "active", from_json(row["definitions"]), from_json(row["as_of"])) for row in rows]


async def active(tx: Transaction) -> Generation:
    """The generation that answers are read from."""
    return next(generation for generation in await living(tx) if generation.is_active)


async def freeze(tx: Transaction, version: int, positions: Mapping[str, int]) -> None:
    """Remember where a generation stopped: at the positions of the consumer, but at these in the logs that they name."""
    await tx.execute(
        """
        UPDATE projection
           SET as_of = coalesce((SELECT jsonb_object_agg(topic || '/' || part, last_seq) FROM consumer_part WHERE last_seq > 0), '{}')
                       || $2::jsonb
         WHERE version = $1 AND as_of IS NULL
        """,
        version,
        to_json(positions),
    )


async def own(tx: Transaction, version: int, logs: Collection[tuple[str, int]]) -> None:
    """Nobody else lets events of these logs count in this generation until the transaction ends. What an event is about is in one log."""
    await tx.execute(
        """
        SELECT pg_advisory_xact_lock($1, hashtext(log))
          FROM (SELECT log FROM unnest($2::text[]) u(log) ORDER BY hashtext(log), log OFFSET 0) sorted
        """,
        _FACTS_LOCK,
        [f"{version}/{topic}/{part}" for topic, part in logs],
    )


# ------------------------------------------------------------------ for the rebuild


async def join(tx: Transaction, generation: Generation) -> None:
    """Write to a generation that is being built; nobody gives it up before this transaction ends.

    Raises:
        GivenUp: somebody did. A worker of a rebuild may outlive it by a moment.
    """
    await tx.execute("LOCK TABLE projection IN ROW SHARE MODE")
    is_built = await tx.fetchval(
        "SELECT EXISTS (SELECT FROM projection WHERE version = $1 AND status = 'building' AND started_at = $2)",
        generation.version,
        generation.started_at,
    )
    if not is_built:
        raise GivenUp(f"projection {generation.version} was given up")


@asynccontextmanager
async def sole_rebuild(database: Database) -> AsyncIterator[bool]:
    """Whether this is the only rebuild; it stays so inside, and ends with the process at the latest."""
    async with database.connection() as tx:
        is_sole = bool(await tx.fetchval("SELECT pg_try_advisory_lock($1)", _REBUILD_LOCK))
        try:
            yield is_sole
        finally:
            if is_sole:
                # now: the server notices a closed connection a moment later, and the next rebuild does not wait
                await tx.fetchval("SELECT pg_advisory_unlock($1)", _REBUILD_LOCK)


async def begin(tx: Transaction, definitions: Mapping[str, int]) -> Generation:
    """A new generation. Whoever writes after this transaction writes to it as well, whoever wrote before has committed."""
    await _lock(tx)
    row = await tx.fetchrow(
        """
        INSERT INTO projection (version, status, definitions)
        SELECT max(version) + 1, 'building', $1::jsonb FROM projection RETURNING version, started_at
        """,
        to_json(definitions),
    )
    assert row is not None
    return Generation(row["version"], False, definitions, started_at=row["started_at"])


async def activate(tx: Transaction, version: int) -> int:
    """Readers see the new generation from this commit on; returns the one that it replaces, to which nobody writes any more."""
    await _lock(tx)
    replaced: int = await tx.fetchval("UPDATE projection SET status = 'retired' WHERE status = 'active' RETURNING version")
    await tx.execute("UPDATE projection SET status = 'active', activated_at = clock_timestamp() WHERE version = $1", version)
    return replaced


async def retire_unfinished(tx: Transaction) -> None:
    """Give up the generation being built, if there is one: nobody writes to it any more."""
    await _lock(tx)
    await tx.execute("UPDATE projection SET status = 'retired' WHERE status = 'building'")


async def retired(tx: Transaction) -> list[int]:
    """Generations whose rows may go."""
    return [row["version"] for row in await tx.fetch("SELECT version FROM projection WHERE status = 'retired' ORDER BY version")]


async def delete_some(tx: Transaction, version: int) -> int:
    """Delete a part of a retired generation's rows; how many. A reader who began earlier still sees them."""
    deleted = 0
    for table in TABLES:
        chosen = f"SELECT ctid FROM {table} WHERE projection_version = $1 LIMIT {DELETED_AT_ONCE}"
        tag = await tx.execute(f"DELETE FROM {table} WHERE projection_version = $1 AND ctid = ANY(ARRAY({chosen}))", version)
        deleted += int(tag.rpartition(" ")[2])
    return deleted


async def forget(tx: Transaction, version: int) -> None:
    """A retired generation without rows is gone."""
    await tx.execute("DELETE FROM projection WHERE version = $1 AND status = 'retired'", version)


async def _lock(tx: Transaction) -> None:
    await tx.execute("LOCK TABLE projection IN EXCLUSIVE MODE")
