"""What tests of metrics' database share."""

from __future__ import annotations

from collections.abc import Sequence

from services.metrics import handlers
from services.metrics.reduction import Entry
from services.metrics.store import generations, log
from services.metrics.verification import Difference
from shared.database import Database


async def recorded(database: Database, batches: Sequence[Sequence[Entry]]) -> None:
    """Each batch arrives in a transaction of its own."""
    for batch in batches:
        async with database.transaction() as tx:
            await handlers.record(tx, batch)


async def differences(database: Database) -> list[Difference]:
    """What the verifier finds in the active generation."""
    async with log.snapshot(database) as tx:
        return await handlers.differences(tx, (await generations.active(tx)).version)


async def rollups(database: Database) -> dict[tuple[str, str, str, int, str], int]:
    """All rollup rows of the active generation that mean something."""
    async with log.snapshot(database) as tx:
        version = (await generations.active(tx)).version
        rows = await tx.fetch(
            "SELECT kpi, dimension, value, bucket, measure, n FROM kpi_rollup WHERE projection_version = $1 AND n <> 0", version
        )
    return {tuple(row[:5]): row[5] for row in rows}
