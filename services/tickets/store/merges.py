"""Which ticket goes on for one that was merged."""

from __future__ import annotations

from collections.abc import Collection

from pydantic import TypeAdapter

from services.tickets.workflow.changes import Merged
from shared.database import Transaction


async def roots(tx: Transaction, numbers: Collection[str]) -> dict[str, str]:
    """The ticket that goes on for each of these: itself unless it was merged."""
    rows = await tx.fetch(
        """
        WITH RECURSIVE way AS (
            SELECT number AS start, number, merged_into FROM ticket WHERE number = ANY($1)
             UNION
            SELECT way.start, t.number, t.merged_into FROM way JOIN ticket t ON t.number = way.merged_into
        )
        SELECT start, number FROM way WHERE merged_into IS NULL
        """,
        list(numbers),
    )
    return {row["start"]: row["number"] for row in rows}


async def merged_into(tx: Transaction, number: str) -> str | None:
    """Where the ticket was merged into, by itself."""
    found: str | None = await tx.fetchval("SELECT merged_into FROM ticket WHERE number = $1", number)
    return found


async def newest_merge(tx: Transaction, number: str) -> Merged:
    """The merge that holds for a ticket that is merged."""
    data = await tx.fetchval("SELECT data FROM history WHERE number = $1 AND type = 'ticket.merged' ORDER BY version DESC LIMIT 1", number)
    return _MERGED.validate_json(data)


_MERGED = TypeAdapter(Merged)
