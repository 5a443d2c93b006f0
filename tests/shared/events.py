"""Events for the tests of delivery, valid by default."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from shared.events.tickets import Dimensions, Target, TicketOpened

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


def opened(number: str, **fields: Any) -> TicketOpened:
    """A ticket was opened."""
    clock = Target(started_at=AT, due_at=AT + timedelta(hours=4), policy_version=1)
    values = {
        "occurred_at": AT,
        "ticket_number": number,
        "ticket_version": 1,
        "customer_id": UUID(int=7),
        "dimensions": Dimensions(status="new", priority="normal", channel="web"),
        "actor": "system",
        "opened_at": AT,
        "first_response": clock,
        "resolution": clock,
    }
    return TicketOpened(**{**values, **fields})
