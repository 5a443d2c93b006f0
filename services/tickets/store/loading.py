"""From the database to the values that decisions work on: lock, load, find. Each statement serves any number of tickets.

Lock before loading, in two statements: a row that was waited for is read again as it is now, but rows joined to it are not.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

import asyncpg

from services.tickets.sla import Clock, Pause, Priority
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
    pauses = await _pauses(tx, [row["number"] for row in rows if row["has_pauses"]])
    return {row["number"]: _ticket(row, pauses) for row in rows}


_LOAD: Final = """
SELECT t.number, t.series, t.version, t.status, t.customer_id, t.channel, t.locale, t.tier, t.type, t.step, t.priority, t.category,
       t.root_topic, t.product_model, t.batch, t.team, t.assignee, t.opened_at, t.changed_at, t.episode, t.resolution_code,
       t.first_resolved_at, t.resolved_at, t.closed_at, t.linked_to, t.started_at, t.waiting_since, t.reminded_at, t.merged_into,
       f.started_at AS f_started_at, f.budget_ms AS f_budget_ms, f.policy_version AS f_policy_version, f.met_at AS f_met_at,
       f.breached_at AS f_breached_at, f.stopped_at AS f_stopped_at,
       r.started_at AS r_started_at, r.budget_ms AS r_budget_ms, r.policy_version AS r_policy_version, r.met_at AS r_met_at,
       r.breached_at AS r_breached_at, r.stopped_at AS r_stopped_at,
       EXISTS (SELECT FROM sla_pause p WHERE p.number = t.number) AS has_pauses
  FROM ticket t
  JOIN sla_clock f ON f.number = t.number AND f.target = 'first_response'
  JOIN sla_clock r ON r.number = t.number AND r.target = 'resolution'
 WHERE t.number = ANY($1)
"""


async def _pauses(tx: Transaction, numbers: Sequence[str]) -> dict[tuple[str, str], tuple[Pause, ...]]:
    if not numbers:
        return {}
    rows = await tx.fetch("SELECT number, target, started_at, ended_at FROM sla_pause WHERE number = ANY($1) ORDER BY ordinal", numbers)
    found: dict[tuple[str, str], tuple[Pause, ...]] = {}
    for row in rows:
        key = row["number"], row["target"]
        found[key] = (*found.get(key, ()), Pause(row["started_at"], row["ended_at"]))
    return found


def _ticket(row: asyncpg.Record, pauses: dict[tuple[str, str], tuple[Pause, ...]]) -> Ticket:
    number = row["number"]
    return Ticket(
        number=number,
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
        first_response=_clock(row, "f_", pauses.get((number, "first_response"), ())),
        resolution=_clock(row, "r_", pauses.get((number, "resolution"), ())),
    )


def _clock(row: asyncpg.Record, prefix: str, pauses: tuple[Pause, ...]) -> Clock:
    return Clock(
        started_at=row[prefix + "started_at"],
        budget=timedelta(milliseconds=row[prefix + "budget_ms"]),
        policy_version=row[prefix + "policy_version"],
        pauses=pauses,
        met_at=row[prefix + "met_at"],
        breached_at=row[prefix + "breached_at"],
        stopped_at=row[prefix + "stopped_at"],
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
