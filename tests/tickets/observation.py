"""What tests see of tickets' database: tickets, what was told, what is due."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from services.tickets.handlers import deadlines
from services.tickets.handlers.reception import receive
from services.tickets.store import loading
from services.tickets.workflow.ticket import Ticket
from shared.database import Database
from shared.events import REGISTRY
from shared.events.envelope import Event
from shared.timers import TimerLoop, TimerSpec


async def take_in(database: Database, *events: Event) -> None:
    """One batch through the handler, in one transaction."""
    async with database.transaction() as tx:
        await receive(tx, events)


async def ticket(database: Database, number: str) -> Ticket:
    """The ticket as it is stored."""
    async with database.transaction() as tx:
        return (await loading.load(tx, [number]))[number]


async def fire(database: Database) -> int:
    """One round of the timer loop."""
    return await TimerLoop(database, TimerSpec(lock=loading.lock_idle, fire=deadlines.fire)).round()


async def numbers(database: Database) -> list[str]:
    """All tickets."""
    async with database.transaction() as tx:
        return [row["number"] for row in await tx.fetch("SELECT number FROM ticket ORDER BY number")]


async def told(database: Database, key: str) -> Sequence[Event]:
    """Events with that key, in the order of their log."""
    async with database.transaction() as tx:
        rows = await tx.fetch("SELECT topic, type, payload FROM outbox WHERE key = $1 ORDER BY topic, part, seq", key)
    return [REGISTRY[row["topic"], row["type"]].model_validate_json(row["payload"]) for row in rows]


async def types_told(database: Database, key: str) -> list[str]:
    """Their types alone."""
    return [event.TYPE for event in await told(database, key)]


async def due(database: Database, number: str) -> dict[str, datetime]:
    """The timers of a ticket."""
    async with database.transaction() as tx:
        return {row["kind"]: row["due_at"] for row in await tx.fetch("SELECT kind, due_at FROM timer WHERE subject = $1", number)}


async def count(database: Database, table: str) -> int:
    """Rows of a table."""
    async with database.transaction() as tx:
        found: int = await tx.fetchval(f"SELECT count(*) FROM {table}")
        return found
