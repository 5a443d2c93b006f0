"""What a customer is told about his ticket without anybody writing to him: codes, from which intake makes the words in his language."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from services.tickets.workflow import changes
from services.tickets.workflow.changes import Change
from services.tickets.workflow.messages import NO_CUSTOMER_ANSWER
from services.tickets.workflow.status import Status
from services.tickets.workflow.ticket import GIVE_UP_AFTER, Ticket
from shared.events.notification import TicketNotificationRequested

HOLDS: Final = timedelta(days=3)
"""After this nobody needs to hear how it stood then."""


def notice(before: Ticket, after: Ticket, change: Change, link: Callable[[], str | None]) -> TicketNotificationRequested | None:
    """What the customer should hear of one change, with the link to his tracking page, made if it is needed; None: nothing to him."""
    match change.fact:
        case changes.Reminded():
            return _request("ticket_reminder", after, change, link(), _standing(after))
        case changes.Merged(into=into):
            return _request("ticket_status", after, change, link(), {"status": after.status, "into": into})
        case changes.Closed(reason=reason) if reason == NO_CUSTOMER_ANSWER:
            return _request("ticket_status", after, change, link(), {"status": after.status, "reason": reason})
        case changes.StatusChanged() | changes.Resolved() if _is_news(before, after):
            return _request("ticket_status", after, change, link(), _standing(after))
        case _:
            return None


def _standing(ticket: Ticket) -> dict[str, str]:
    """How it stands, and until when an answer is waited for."""
    status = {"status": str(ticket.status)}
    return status if ticket.waiting_since is None else status | {"closes_at": (ticket.waiting_since + GIVE_UP_AFTER).isoformat()}


def _is_news(before: Ticket, after: Ticket) -> bool:
    if after.status is Status.IN_PROGRESS:
        # that work has begun is told once, not after each pause and each change of hands
        return before.started_at is None
    return after.status in (Status.WAITING_CUSTOMER, Status.RESOLVED) and before.status is not after.status


def _request(kind: str, ticket: Ticket, change: Change, link: str | None, data: dict[str, str]) -> TicketNotificationRequested:
    return TicketNotificationRequested(
        occurred_at=change.at,
        # the same whenever it is made from the same change
        notification_id=uuid5(NAMESPACE_URL, f"aftercare:ticket:{ticket.number}:{change.version}:{kind}"),
        customer_id=ticket.customer_id,
        kind=kind,
        locale=ticket.locale,
        ticket_number=ticket.number,
        link=link,
        data={name: str(value) for name, value in data.items()},
        expires_at=change.at + HOLDS,
    )
