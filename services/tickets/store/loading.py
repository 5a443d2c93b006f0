"""From the database to the values that decisions work on: lock, load, find. Each statement serves any number of tickets.

Lock before loading, in two statements: a row that was waited for is read again as it is now, but rows joined to it are not.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final
from uuid import UUID

import asyncpg

from services.tickets.models.expressions import CHANGED_AT
from services.tickets.sla import Priority, TargetName
from services.tickets.store import clocks
from services.tickets.store.clocks import Clocks
from services.tickets.workflow.opening import FIRST_LINKED
from services.tickets.workflow.status import Status
from services.tickets.workflow.ticket import Ticket
from shared.database import Transaction


async def lock(tx: Transaction, numbers: Collection[str]) -> None:
    """Lock the tickets until COMMIT, in order of their numbers."""
    await tx.execute("SELECT FROM ticket WHERE number = ANY($1) ORDER BY number FOR UPDATE", list(numbers))


async def lock_idle(tx: Transaction, numbers: Collection[str]) -> list[str]:
    """Lock those that nobody else has locked, and tell which."""
    rows = await tx.fetch("SELECT number FROM ticket WHERE number = ANY($1) ORDER BY number FOR UPDATE SKIP LOCKED", list(numbers))
    return [row["number"] for row in rows]


async def load(tx: Transaction, numbers: Collection[str]) -> dict[str, Ticket]:
    """The tickets of these numbers; numbers that no ticket has are left out."""
    rows = await tx.fetch(_LOAD, list(numbers))
    found = await clocks.load(tx, [row["number"] for row in rows])
    return {row["number"]: _ticket(row, found[row["number"]]) for row in rows}


_LOAD: Final = f"""
SELECT t.number, t.series, t.version, t.status, t.customer_id, t.channel, t.locale, t.tier, t.type, t.step, t.priority, t.category,
       t.root_topic, t.product_model, t.batch, t.team, t.assignee, t.opened_at, {CHANGED_AT} AS changed_at, t.episode, t.resolution_code,
       t.first_resolved_at, t.resolved_at, t.closed_at, t.linked_to, t.started_at, t.waiting_since, t.reminded_at, t.merged_into,
       t.entered_by, t.contacted_at, t.escalation
  FROM ticket t
 WHERE t.number = ANY($1)
"""


def _ticket(row: asyncpg.Record, running: Clocks) -> Ticket:
    return Ticket(
        number=row["number"],
        series=row["series"],
        version=row["version"],
        status=Status(row["status"]),
        # the driver's own kind of UUID is none that JSON encoders know
        customer_id=UUID(int=row["customer_id"].int),
        channel=row["channel"],
        locale=row["locale"],
        tier=row["tier"],
        type=row["type"],
        step=row["step"],
        priority=Priority(row["priority"]),
        category=row["category"],
        root_topic=row["root_topic"],
        product_model=row["product_model"],
        batch=row["batch"],
        team=row["team"],
        assignee=row["assignee"],
        opened_at=row["opened_at"],
        changed_at=row["changed_at"],
        episode=row["episode"],
        resolution_code=row["resolution_code"],
        first_resolved_at=row["first_resolved_at"],
        resolved_at=row["resolved_at"],
        closed_at=row["closed_at"],
        linked_to=row["linked_to"],
        started_at=row["started_at"],
        waiting_since=row["waiting_since"],
        reminded_at=row["reminded_at"],
        merged_into=row["merged_into"],
        first_response=running[TargetName.FIRST_RESPONSE],
        resolution=running[TargetName.RESOLUTION],
        next_response=running.get(TargetName.NEXT_RESPONSE),
        entered_by=row["entered_by"],
        contacted_at=row["contacted_at"],
        escalation=row["escalation"],
    )


# ------------------------------------------------------------------ numbers


async def resolve(tx: Transaction, references: Collection[str]) -> dict[str, str]:
    """Number of the ticket that each reference answers as; unknown ones are left out."""
    rows = await tx.fetch(
        """
        SELECT number AS reference, number FROM ticket WHERE number = ANY($1)
         UNION ALL
        SELECT reference, number FROM alias WHERE reference = ANY($1)
        """,
        list(references),
    )
    return {row["reference"]: row["number"] for row in rows}


async def of_same_series(tx: Transaction, numbers: Collection[str]) -> dict[str, list[str]]:
    """Numbers of all tickets on the same matters as these, by series, oldest first."""
    rows = await tx.fetch(
        """
        WITH wanted AS (SELECT DISTINCT series FROM ticket WHERE number = ANY($1))
        SELECT t.series, t.number FROM wanted JOIN ticket t ON t.number = wanted.series
         UNION ALL
        SELECT t.series, t.number FROM wanted JOIN ticket t ON t.series = wanted.series AND t.linked_to IS NOT NULL
        """,
        list(numbers),
    )
    found: dict[str, list[str]] = {}
    for row in sorted(rows, key=lambda row: (len(row["number"]), row["number"])):
        found.setdefault(row["series"], []).append(row["number"])
    return found


async def next_ordinal(tx: Transaction, series: str) -> int:
    """Give out the next place in a series. Whoever else wants one waits for this transaction to end."""
    ordinal: int = await tx.fetchval(
        "INSERT INTO series (number, last) VALUES ($1, $2) ON CONFLICT (number) DO UPDATE SET last = series.last + 1 RETURNING last",
        series,
        FIRST_LINKED,
    )
    return ordinal
