"""The opening of a ticket as JSON, written by hand: most events are openings, and a general writer takes longer than all the decisions.

`announce_opening` says what the event is. What is written here is the same, byte for byte, and that is a law of the tests.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import orjson

from services.tickets import sla
from services.tickets.sla import Clock
from services.tickets.workflow.changes import Change, Opened
from services.tickets.workflow.ticket import Ticket
from shared.events.envelope import Written
from shared.events.tickets import TicketOpened

_OPTIONS: Final = orjson.OPT_UTC_Z


def write_opening(ticket: Ticket, change: Change) -> Written:
    """The one event of a fresh ticket, ready for the outbox."""
    fact = change.fact
    assert isinstance(fact, Opened)
    event = {
        "occurred_at": change.at,
        "ticket_number": ticket.number,
        "ticket_version": ticket.version,
        "customer_id": ticket.customer_id,
        "dimensions": _dimensions(ticket),
        "actor": change.actor,
        "request_id": fact.request_id,
        "opened_at": ticket.opened_at,
        "linked_to": ticket.linked_to,
        "entered_by": fact.entered_by,
        "assignment": fact.assignment,
        "first_response": _target(ticket.first_response, change.at),
        "resolution": _target(ticket.resolution, change.at),
    }
    return Written(TicketOpened, ticket.number, change.at, orjson.dumps(event, option=_OPTIONS))


def _dimensions(ticket: Ticket) -> dict[str, Any]:
    return {
        "type": ticket.type,
        "status": ticket.status,
        "step": ticket.step,
        "priority": ticket.priority,
        "category": ticket.category,
        "root_topic": ticket.root_topic,
        "channel": ticket.channel,
        "team": ticket.team,
        "agent": ticket.assignee,
        "tier": ticket.tier,
        "product_model": ticket.product_model,
        "batch": ticket.batch,
    }


def _target(clock: Clock, at: datetime) -> dict[str, Any]:
    """Of a clock that has just begun."""
    return {
        "started_at": clock.started_at,
        "due_at": sla.due_at(clock, at),
        "met_at": None,
        "paused_ms": 0,
        "business_ms": None,
        "policy_version": clock.promise.edition,
        "policy": clock.promise.policy.id,
        "calendar": clock.promise.hours.id,
    }
