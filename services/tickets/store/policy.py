"""The versions of the SLA policy. A version never changes; the one in force is the newest whose time has come."""

from __future__ import annotations

from datetime import datetime, timedelta

from services.tickets.sla import Budgets, Policy, Priority
from shared.database import Transaction


async def policy_in_force(tx: Transaction, at: datetime) -> Policy:
    """The policy that holds at ``at``."""
    rows = await tx.fetch(
        """
        SELECT p.version, p.pauses_on, b.priority, b.first_response_ms, b.resolution_ms
          FROM sla_policy p JOIN sla_budget b USING (version)
         WHERE p.version = (SELECT max(version) FROM sla_policy WHERE valid_from <= $1)
        """,
        at,
    )
    budgets = {
        Priority(row["priority"]): Budgets(timedelta(milliseconds=row["first_response_ms"]), timedelta(milliseconds=row["resolution_ms"]))
        for row in rows
    }
    return Policy(rows[0]["version"], budgets, frozenset(rows[0]["pauses_on"]))
