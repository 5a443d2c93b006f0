"""What a caller saw must still be so."""

from __future__ import annotations

from collections.abc import Mapping

from services.tickets.workflow.ticket import Ticket
from shared.errors import NotFound, Stale


def seen(tickets: Mapping[str, Ticket], number: str, version: int | None) -> Ticket:
    """The ticket, which the caller saw at ``version``; None when he did not say.

    Raises:
        NotFound: no such ticket.
        Stale: it has changed since.
    """
    if number not in tickets:
        raise NotFound(f"no ticket {number}")
    ticket = tickets[number]
    if version is not None and ticket.version != version:
        raise Stale(f"ticket {number} is at version {ticket.version}", facts={"current_version": ticket.version})
    return ticket
