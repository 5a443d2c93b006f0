"""The calendars by which teams work, as versions. They belong to the service levels: where a policy names no calendar, these count."""

from __future__ import annotations

from services.tickets.sla import TeamHours
from shared.database import Transaction


async def versions(tx: Transaction, edition: int) -> list[TeamHours]:
    """Every version up to that edition."""
    rows = await tx.fetch("SELECT team, version, calendar, valid_from FROM team_hours WHERE version <= $1", edition)
    return [TeamHours(row["team"], row["version"], row["calendar"], row["valid_from"]) for row in rows]


async def insert(tx: Transaction, hours: TeamHours) -> None:
    """Add a version."""
    await tx.execute(
        "INSERT INTO team_hours (team, version, valid_from, calendar) VALUES ($1, $2, $3, $4)",
        hours.team,
        hours.version,
        hours.valid_from,
        hours.calendar,
    )
