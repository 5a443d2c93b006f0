"""What feedback told the others, read back from its outbox."""

from __future__ import annotations

from typing import TypeVar

from shared.database import Database
from shared.events.envelope import Event

E = TypeVar("E", bound=Event)


async def told(database: Database, kind: type[E]) -> list[E]:
    """All events of one type, in the order of each log."""
    async with database.transaction() as tx:
        rows = await tx.fetch("SELECT payload FROM outbox WHERE topic = $1 AND type = $2 ORDER BY part, seq", kind.TOPIC.name, kind.TYPE)
    return [kind.model_validate_json(row["payload"]) for row in rows]


async def count_told(database: Database) -> int:
    """How many events there are in all."""
    async with database.transaction() as tx:
        return int(await tx.fetchval("SELECT count(*) FROM outbox"))
