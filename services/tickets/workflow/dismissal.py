"""Somebody verified that a request was none: its ticket ends with it, unless there is more to the ticket than that request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from services.tickets.workflow.actions import record
from services.tickets.workflow.changes import Cancelled, Change
from services.tickets.workflow.commands import Actor
from services.tickets.workflow.status import Role, Status
from services.tickets.workflow.ticket import Ticket

DISMISSED: Final = "dismissed"
"""Why the ticket was cancelled."""
OPENING: Final = 1
"""Version of a ticket that was just opened."""
NOT_BEGUN: Final = frozenset({Status.NEW, Status.TRIAGED, Status.ASSIGNED})


@dataclass(frozen=True, slots=True)
class Dismissal:
    """A request that was none. ``by`` is the principal who verified it."""

    request_id: UUID
    by: str


def dismiss(ticket: Ticket, dismissal: Dismissal, requests: Mapping[UUID, int], at: datetime) -> tuple[Ticket, tuple[Change, ...]]:
    """The ticket ends as cancelled if this request opened it, no other came to it, and nobody has begun to work on it.

    ``requests`` are those on the ticket, with the version of the ticket that each made.
    """
    if requests != {dismissal.request_id: OPENING} or is_begun(ticket):
        return ticket, ()
    return record(ticket, Cancelled(DISMISSED), by=Actor(dismissal.by, Role.AGENT), at=max(at, ticket.changed_at))


def is_begun(ticket: Ticket) -> bool:
    """Whether somebody works on it, or did, or has written to the customer."""
    is_answered = ticket.first_response.met_at is not None or ticket.contacted_at is not None
    return ticket.status not in NOT_BEGUN or is_answered or ticket.started_at is not None or ticket.episode > 0
