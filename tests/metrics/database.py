"""What tests of metrics' database share."""

from __future__ import annotations

from collections.abc import Sequence

from services.metrics import handlers
from services.metrics.projection import RowKey
from services.metrics.reduction import Entry
from services.metrics.store import generations, log
from services.metrics.verification import Difference
from shared.database import Database, Transaction, from_json
from tests.metrics.counting import Rollups, flat


async def recorded(database: Database, batches: Sequence[Sequence[Entry]]) -> None:
    """Each batch arrives in a transaction of its own."""
    for batch in batches:
        async with database.transaction() as tx:
            await handlers.record(tx, batch)


async def differences(database: Database) -> list[Difference]:
    """What the verifier finds in the active generation."""
    async with log.snapshot(database, scratch=True) as tx:
        return await handlers.differences(tx, (await generations.active(tx)).version)


async def rollups(database: Database) -> Rollups:
    """All that the rollup rows of the active generation count."""
    async with log.snapshot(database) as tx:
        version = (await generations.active(tx)).version
        query = "SELECT dimension, value, span, bucket, counts, durations FROM kpi_rollup WHERE projection_version = $1"
        rows = await tx.fetch(query, version)
    return flat({RowKey(row[0], row[1], row[2], row[3]): from_json(row["counts"]) | from_json(row["durations"]) for row in rows})


async def tamper(tx: Transaction, kpi: str, measure: str, n: int, *, dimension: str = "total", span: int = 1) -> None:
    """Somebody sets a measure in all rollup rows that hold it."""
    path = [kpi, measure]
    await tx.execute(
        """
        UPDATE kpi_rollup SET counts = jsonb_set(counts::jsonb, $1, to_jsonb($2::bigint))
         WHERE dimension = $3 AND span = $4 AND counts #> $1 IS NOT NULL
        """,
        path,
        n,
        dimension,
        span,
    )
