"""What is expected of the customer now: a code, and until when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.tickets.workflow.status import OPEN, Status
from services.tickets.workflow.ticket import GIVE_UP_AFTER, Ticket


@dataclass(frozen=True, slots=True)
class Expectation:
    """``answer`` a question, ``check`` the solution, ``nothing``, or ``ended``: nothing will happen any more."""

    code: str
    until: datetime | None = None


def expectation(ticket: Ticket) -> Expectation:
    """What the customer should do."""
    if ticket.waiting_since is not None:
        return Expectation("answer", ticket.waiting_since + GIVE_UP_AFTER)
    if ticket.status is Status.RESOLVED:
        return Expectation("check", ticket.window_ends_at)
    return Expectation("nothing" if ticket.status in OPEN else "ended")
