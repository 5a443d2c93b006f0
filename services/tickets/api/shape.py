"""Values into answers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from services.tickets import sla
from services.tickets.schemas import answers
from services.tickets.sla import Clock
from services.tickets.store.views import HistoryEntry, MessageView, View
from services.tickets.workflow.ticket import Ticket

_COPIED = (
    "number", "version", "status", "step", "type", "priority", "category", "root_topic", "customer_id", "channel", "locale", "tier",
    "opened_at", "changed_at", "assignee", "team", "episode", "resolution_code", "first_resolved_at", "resolved_at", "closed_at",
    "linked_to",
)  # fmt: skip


def ticket(view: View, at: datetime) -> answers.TicketView:
    """A ticket with its promises as they stand at ``at``."""
    value, particulars = view.ticket, view.particulars
    copied: dict[str, Any] = {name: getattr(value, name) for name in _COPIED}
    return answers.TicketView(
        **copied,
        subject=particulars.subject,
        product=answers.ProductView(
            model=particulars.product_named or value.product_model,
            serial_number=particulars.serial_number,
            purchase_date=particulars.purchase_date,
            order_number=particulars.order_number,
        ),
        expected_resolution_at=particulars.expected_resolution_at,
        sla=promises(value, at),
    )


def promises(value: Ticket, at: datetime) -> answers.SlaView:
    """Both targets at ``at``."""
    return answers.SlaView(first_response=_target(value.first_response, at), resolution=_target(value.resolution, at))


def _target(clock: Clock, at: datetime) -> answers.TargetView:
    end = clock.met_at or clock.stopped_at or at
    return answers.TargetView(
        due_at=sla.due_at(clock, end),
        state=sla.state(clock, at),
        met_at=clock.met_at,
        paused_ms=sla.milliseconds(sla.paused_time(clock, end)),
    )


def history(entry: HistoryEntry) -> answers.HistoryView:
    """One step."""
    return answers.HistoryView(version=entry.version, type=entry.type, at=entry.at, actor=entry.actor, data=entry.data)


def message(view: MessageView) -> answers.MessageView:
    """One message."""
    return answers.MessageView(
        id=view.id,
        version=view.version,
        author=view.author,
        public=view.public,
        at=view.at,
        channel=view.channel,
        reference=view.reference,
        text=view.text,
        truncated=view.truncated,
    )


def tracking(reference: str, value: Ticket, messages: list[MessageView]) -> answers.Tracking:
    """The customer's view: no names of staff, no notes, no internal codes."""
    return answers.Tracking(
        reference=reference,
        number=value.number,
        status=value.status,
        opened_at=value.opened_at,
        changed_at=value.changed_at,
        resolved_at=value.resolved_at,
        closed_at=value.closed_at,
        messages=[
            answers.TrackedMessage(at=message.at, from_customer=message.author == "customer", text=message.text) for message in messages
        ],
    )
