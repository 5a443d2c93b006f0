"""Values into answers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from services.tickets import sla
from services.tickets.handlers.visits import Seen
from services.tickets.language.codes import word
from services.tickets.language.customers import expected_in_words, status_in_words
from services.tickets.language.sentences import sentence
from services.tickets.schemas import answers
from services.tickets.schemas.params import PARAMS
from services.tickets.sla import Clock
from services.tickets.store.histories import HistoryEntry
from services.tickets.store.links import LinkView
from services.tickets.store.views import MessageView, View
from services.tickets.workflow.expectations import expectation
from services.tickets.workflow.status import Action, Status
from services.tickets.workflow.steps import next_steps
from services.tickets.workflow.ticket import Ticket
from shared.events.codes import DEFAULT_LOCALE, Locale

_COPIED = (
    "number", "version", "status", "step", "type", "priority", "category", "root_topic", "customer_id", "channel", "locale", "tier",
    "opened_at", "changed_at", "assignee", "team", "episode", "resolution_code", "first_resolved_at", "resolved_at", "closed_at",
    "linked_to", "merged_into", "started_at", "waiting_since", "entered_by", "escalation",
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
    """All targets at ``at``."""
    return answers.SlaView(
        first_response=_target(value.first_response, at),
        next_response=None if value.next_response is None else _target(value.next_response, at),
        resolution=_target(value.resolution, at),
    )


def _target(clock: Clock, at: datetime) -> answers.TargetView:
    end = clock.met_at or clock.stopped_at or at
    return answers.TargetView(
        due_at=sla.due_at(clock, end),
        state=sla.state(clock, at),
        met_at=clock.met_at,
        paused_ms=sla.milliseconds(sla.paused_time(clock, end)),
        policy=clock.promise.policy.id,
        calendar=clock.promise.hours.id,
    )


def history(entry: HistoryEntry, locale: Locale, names: Mapping[str, str]) -> answers.HistoryView:
    """One step, in codes and in words."""
    return answers.HistoryView(
        version=entry.version,
        type=entry.type,
        at=entry.at,
        actor=entry.actor,
        data=entry.data,
        sentence=sentence(entry.type, entry.data, entry.actor, locale, before=entry.status_before, names=names),
        differences=[answers.DifferenceView(field=each.field, before=each.before, after=each.after) for each in entry.differences],
    )


def message(view: MessageView) -> answers.MessageView:
    """One message."""
    return answers.MessageView(
        id=view.id,
        number=view.number,
        version=view.version,
        author=view.author,
        author_kind="customer" if view.author == "customer" else "staff",
        entered_by=view.entered_by,
        received_at=view.received_at,
        public=view.public,
        at=view.at,
        channel=view.channel,
        reference=view.reference,
        text=view.text,
        truncated=view.truncated,
    )


def params_schema(action: Action, value: Ticket) -> dict[str, Any]:
    """JSON Schema of an action's parameters, with the choices that this ticket leaves."""
    schema = PARAMS[action].model_json_schema()
    if action is Action.STEP:
        schema["properties"]["step"] = {"enum": list(next_steps(value.type, value.step)), "title": "Step", "type": "string"}
    return schema


def link(view: LinkView) -> answers.LinkView:
    """A link, as this ticket sees it."""
    kind = view.kind if view.is_ours else _SEEN_FROM_THERE.get(view.kind, view.kind)
    return answers.LinkView(
        number=view.number,
        kind="merged_into" if view.kind == "merged" and view.is_ours else kind,
        status=Status(view.status),
        type=view.type,
        subject=view.subject,
        opened_at=view.opened_at,
        linked_at=view.linked_at,
        linked_by=view.linked_by,
    )


_SEEN_FROM_THERE: Final = {"caused_by": "causes", "continues": "continued_by"}


def tracking(seen: Seen, locale: Locale | None, zone: ZoneInfo) -> answers.Tracking:
    """The customer's view: no names of staff, no notes, no internal codes but the status."""
    value, locale = seen.ticket, locale or DEFAULT_LOCALE
    expected = expectation(value)
    return answers.Tracking(
        reference=seen.reference,
        number=value.number,
        locale=locale.value,
        status=value.status,
        status_text=status_in_words(value.status, locale),
        step=value.step,
        step_text=word("step", value.step, locale) if value.step else None,
        opened_at=value.opened_at,
        changed_at=value.changed_at,
        resolved_at=value.resolved_at,
        closed_at=value.closed_at,
        expected=answers.ExpectedOfCustomer(
            code=expected.code, until=expected.until, text=expected_in_words(expected.code, expected.until, zone, locale)
        ),
        messages=[
            answers.TrackedMessage(at=message.at, from_customer=message.author == "customer", text=message.text)
            for message in seen.messages
        ],
    )
