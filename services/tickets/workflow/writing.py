"""Events as JSON, written by hand: most are openings, due times come by the thousand, and a general writer takes longer than all decisions.

`announce.py` says what the events are. What is written here is the same, byte for byte, and that is a law of the tests.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import orjson

from services.tickets import sla
from services.tickets.sla import Clock, Promise
from services.tickets.workflow.changes import Change, Opened, Warned
from services.tickets.workflow.commands import SYSTEM
from services.tickets.workflow.passing import Passing, Watched
from services.tickets.workflow.ticket import Ticket
from shared.events.envelope import Written
from shared.events.tickets import SlaBreached, SlaWarned, TicketEscalated, TicketOpened

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


def write_passing(passed: Passing) -> list[Written]:
    """The events of a due time that passed, ready for the outbox."""
    watched, at = passed.watched, passed.at
    head = {
        "occurred_at": at,
        "ticket_number": watched.number,
        "ticket_version": watched.version + 1,
        "customer_id": str(watched.customer_id),
        "dimensions": _dimensions(watched),
        "actor": SYSTEM.id,
    }
    told = {**head, "target": watched.target, "clock": _running(watched)}
    kind = SlaWarned if isinstance(passed.fact, Warned) else SlaBreached
    written = [Written(kind, watched.number, at, orjson.dumps(told, option=_OPTIONS))]
    if (raised := passed.escalated) is not None:
        told = {**head, "ticket_version": passed.version, "level": raised.level, "reason": raised.reason, "target": raised.target}
        written.append(Written(TicketEscalated, watched.number, at, orjson.dumps(told, option=_OPTIONS)))
    return written


def _dimensions(ticket: Ticket | Watched) -> dict[str, Any]:
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
    return _unpaused(clock.started_at, sla.due_at(clock, at), clock.promise)


def _running(watched: Watched) -> dict[str, Any]:
    return _unpaused(watched.started_at, watched.due_at, watched.promise)


def _unpaused(started_at: datetime, due_at: datetime, promise: Promise) -> dict[str, Any]:
    return {
        "started_at": started_at,
        "due_at": due_at,
        "met_at": None,
        "paused_ms": 0,
        "business_ms": None,
        "policy_version": promise.edition,
        "policy": promise.policy.id,
        "calendar": promise.hours.id,
    }
