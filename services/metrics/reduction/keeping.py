"""What metrics remembers of an event: the allow-listed fields, and of those only what cannot name a person.

The event log lives for ever, so this is decided field by field and refused by default: a field that is not in `KEPT` is forgotten, also
one that a contract gains later. Texts, subjects, names, serial and order numbers, product names as customers type them and ids of other
systems are not in the list. What is in it goes through a rule of its kind; a value that does not look like a code or an id (blanks, @, a
row of digits like a telephone number) is kept as ``unknown``, whatever a producer puts there. Instants become integers (microseconds
since the epoch).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple
from uuid import UUID

from services.metrics.buckets import microseconds
from shared.events import feedback, intake, tickets
from shared.events.envelope import Event

UNKNOWN: Final = "unknown"
"""Stands for a value that does not look like what its field promises."""

_CODE: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_IDENTIFIER: Final = re.compile(r"(?![\d._:/-]{7,}$)[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}")

Rule = Callable[[Any], Any]
Rules = dict[str, Rule]
Data = Mapping[str, Any]
"""A reduced event: JSON values by field name; a field without a value is absent."""


class Entry(NamedTuple):
    """One line of the event log: where it stood in its numbered log, and what is kept of it."""

    topic: str
    part: int
    seq: int
    type: str
    key: str
    time: datetime
    data: Data

    @property
    def occurred_at(self) -> datetime:
        """When it happened."""
        return self.time


class NoIdentity(ValueError):
    """The id that an event is about is none: nothing can be counted for it, the event is for an operator."""


def entry_of(topic: str, part: int, seq: int, event: Event) -> Entry:
    """The line of the event log for an event.

    Raises:
        NoIdentity: the event's key or ticket number does not look like an id.
    """
    return Entry(topic, part, seq, event.TYPE, identity(getattr(event, event.KEY)), event.occurred_at, reduce(event))


def reduce(event: Event) -> Data:
    """The fields that are kept of an event, each through its rule.

    Raises:
        NoIdentity: see `entry_of`.
    """
    kept = KEPT.get(type(event), ALWAYS)
    return {name: rule(value) for name, rule in kept.items() if (value := getattr(event, name)) is not None}


# ------------------------------------------------------------------ rules


@lru_cache(maxsize=4096)
def code(value: str) -> str:
    """A word of our own lists: lower case, digits and underscores."""
    return value if _CODE.fullmatch(value) else UNKNOWN


@lru_cache(maxsize=65536)
def identifier(value: str) -> str:
    """The id of a colleague, a team, a form, a code of the organisation's own lists: one word, no address, no telephone number."""
    return value if _IDENTIFIER.fullmatch(value) else UNKNOWN


def identity(value: str | UUID) -> str:
    """The id that the event is about; without it the event cannot be used."""
    if isinstance(value, UUID):
        return str(value)
    if _IDENTIFIER.fullmatch(value) is None:
        raise NoIdentity("the id that the event is about is not one word of letters, digits and . _ : / -")
    return value


def _as_it_is(value: float | bool) -> float | bool:
    return value


def _dimensions(value: tickets.Dimensions) -> Data:
    return _fields(value, DIMENSIONS)


def _target(value: tickets.Target) -> Data:
    return _fields(value, _TARGET)


def _fields(value: object, rules: Mapping[str, Rule]) -> Data:
    return {name: rule(field) for name, rule in rules.items() if (field := getattr(value, name)) is not None}


def identifiers(values: Sequence[str]) -> list[str]:
    return [identifier(value) for value in values]


def _day(value: date) -> str:
    return value.isoformat()


def scores(value: Mapping[str, int]) -> Data:
    return {identifier(question): score for question, score in value.items()}


# ------------------------------------------------------------------ the list

DIMENSIONS: Final[Rules] = {
    "channel": code,
    "type": code,
    "priority": code,
    "team": identifier,
    "agent": identifier,
    "tier": code,
    "status": code,
    "category": identifier,
    "root_topic": identifier,
}
_TARGET: Final[Rules] = {
    "started_at": microseconds,
    "due_at": microseconds,
    "met_at": microseconds,
    "paused_ms": _as_it_is,
    "business_ms": _as_it_is,
    "policy_version": _as_it_is,
}

ALWAYS: Final[Rules] = {"occurred_at": microseconds}
_NOTIFICATION: Final[Rules] = ALWAYS | {"customer_id": identity, "kind": code, "channel": code}
_TICKET: Final[Rules] = ALWAYS | {
    "ticket_number": identity,
    "ticket_version": _as_it_is,
    "customer_id": identity,
    "dimensions": _dimensions,
    "actor": identifier,
}
_SLA: Final[Rules] = _TICKET | {"target": code, "clock": _target}
_SURVEY: Final[Rules] = ALWAYS | {
    "invitation_id": identity,
    "ticket_number": identity,
    "episode": _as_it_is,
    "customer_id": identity,
    "form": identifier,
    "dimensions": _dimensions,
}

KEPT: Final[Mapping[type[Event], Rules]] = {
    intake.RequestReceived: ALWAYS
    | {
        "request_id": identity,
        "customer_id": identity,
        "channel": code,
        "type": code,
        "received_at": microseconds,
        "expected_resolution_at": microseconds,
        "occurred_at_clamped": _as_it_is,
        "external_id_reused": _as_it_is,
        "completeness": _as_it_is,
        "entered_by": code,
    },
    intake.RequestDismissed: ALWAYS | {"request_id": identity, "customer_id": identity, "reason": code, "actor": identifier},
    intake.CustomerRegistered: ALWAYS | {"customer_id": identity, "tier": code},
    intake.CustomerUpdated: ALWAYS | {"customer_id": identity, "version": _as_it_is, "tier": code},
    intake.CustomerGraded: ALWAYS
    | {"customer_id": identity, "tier": code, "previous_tier": code, "reason": identifier, "actor": identifier},
    intake.CustomerMerged: ALWAYS | {"customer_id": identity, "into_customer_id": identity, "actor": identifier},
    intake.CustomerUnmerged: ALWAYS | {"customer_id": identity, "from_customer_id": identity, "actor": identifier},
    intake.NotificationDelivered: _NOTIFICATION,
    intake.NotificationFailed: _NOTIFICATION | {"reason": code},
    tickets.TicketOpened: _TICKET
    | {
        "request_id": identity,
        "opened_at": microseconds,
        "linked_to": identifier,
        "entered_by": code,
        "assignment": code,
        "first_response": _target,
        "resolution": _target,
    },
    tickets.TicketMessageAdded: _TICKET | {"request_id": identity, "thanks": _as_it_is, "matched_by": code, "next_response": _target},
    tickets.TicketReplied: _TICKET | {"public": _as_it_is},
    tickets.TicketTriaged: _TICKET,
    tickets.TicketAssigned: _TICKET | {"previous_agent": identifier, "previous_team": identifier, "reason": code},
    tickets.TicketStatusChanged: _TICKET | {"previous_status": code, "action": code, "reason": identifier},
    tickets.TicketResolved: _TICKET
    | {"episode": _as_it_is, "resolution_code": identifier, "opened_at": microseconds, "first_response": _target, "resolution": _target},
    tickets.TicketStepChanged: _TICKET | {"previous_step": identifier},
    tickets.TicketLinked: _TICKET | {"other_number": identifier, "kind": code, "removed": _as_it_is},
    tickets.TicketMerged: _TICKET | {"into_number": identifier, "previous_status": code},
    tickets.TicketUnmerged: _TICKET | {"from_number": identifier, "first_response": _target, "resolution": _target},
    tickets.TicketEscalated: _TICKET | {"level": _as_it_is, "reason": code, "target": code},
    tickets.TicketConfirmed: _TICKET | {"episode": _as_it_is},
    tickets.TicketReopened: _TICKET | {"episode": _as_it_is, "resolved_at": microseconds, "reason": identifier, "resolution": _target},
    tickets.TicketClosed: _TICKET | {"reason": identifier},
    tickets.TicketCancelled: _TICKET | {"reason": code},
    tickets.SlaMet: _SLA,
    tickets.SlaWarned: _SLA,
    tickets.SlaBreached: _SLA,
    tickets.SlaRetargeted: _SLA,
    tickets.AgentUpdated: ALWAYS
    | {
        "agent": identity,
        "version": _as_it_is,
        "teams": identifiers,
        "skills": identifiers,
        "presence": code,
        "active": _as_it_is,
        "actor": identifier,
    },
    tickets.TeamUpdated: ALWAYS
    | {
        "team": identity,
        "version": _as_it_is,
        "types": identifiers,
        "channels": identifiers,
        "calendar": identifier,
        "active": _as_it_is,
        "actor": identifier,
    },
    feedback.SurveyInvited: _SURVEY | {"resolved_at": microseconds, "expires_at": microseconds},
    feedback.SurveyThrottled: _SURVEY | {"reason": code},
    feedback.SurveyReminded: _SURVEY,
    feedback.SurveyOptedOut: ALWAYS | {"customer_id": identity, "opted_out": _as_it_is, "by": code},
    feedback.SurveyAnsweredAnonymously: ALWAYS
    | {
        "response_id": identity,
        "form": identifier,
        "answered_on": _day,
        "channel": code,
        "type": code,
        "tier": code,
        "overall": _as_it_is,
        "recommend": _as_it_is,
        "solved": code,
        "scores": scores,
        "has_comment": _as_it_is,
    },
    feedback.SurveyCancelled: _SURVEY,
    feedback.SurveyAnswered: _SURVEY
    | {
        "resolved_at": microseconds,
        "overall": _as_it_is,
        "recommend": _as_it_is,
        "solved": code,
        "scores": scores,
        "has_comment": _as_it_is,
        "flags": identifiers,
    },
}
"""The allow-list. A contract that is not here keeps its time alone; a test asks for a decision about every contract that metrics reads."""
