"""How many rows PostgreSQL looks at for a piece of work: what grows with the tables where a plan does not go by keys.

A connection keeps the plans of what it asks often. In a new database they are made for tables with next to nothing in them, and stay until
autovacuum has looked at the tables again, however much comes meanwhile; so what is asked often must be answered by key whatever the planner
thinks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Final

from shared.database import Database, Transaction

MANY: Final = 50_000

_READ: Final = """
    SELECT relname, seq_tup_read + coalesce(idx_tup_fetch, 0) AS rows FROM pg_stat_xact_user_tables WHERE schemaname = current_schema
"""


class _SeenEnough(Exception):
    """Ends a transaction without a trace."""


@asynccontextmanager
async def new(database: Database, tables: Iterable[str]) -> AsyncIterator[Transaction]:
    """A transaction in which these tables are empty and the planner knows nothing of them. Afterwards all is as it was."""
    with suppress(_SeenEnough):
        async with database.transaction() as tx:
            await tx.execute(f"TRUNCATE {', '.join(tables)} CASCADE")
            await tx.execute("DELETE FROM pg_statistic WHERE starelid = ANY($1::text[]::regclass[])", list(tables))
            yield tx
            raise _SeenEnough


async def fill(tx: Transaction, tables: Mapping[str, str], *, analysed: bool, count: int = MANY) -> None:
    """Put so many rows ($1) into each table by its statement, without or with the look that autovacuum takes sooner or later."""
    for statement in tables.values():
        await tx.execute(statement, count)
    if analysed:
        await tx.execute(f"ANALYZE {', '.join(tables)}")


async def rows_read(tx: Transaction, work: Awaitable[object]) -> Mapping[str, int]:
    """Do the work; how many rows it looked at, by table, those included that did not fit."""
    before = await _so_far(tx)
    await work
    return await _so_far(tx) - before


async def _so_far(tx: Transaction) -> Counter[str]:
    return Counter({row["relname"]: row["rows"] for row in await tx.fetch(_READ)})
