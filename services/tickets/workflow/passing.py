"""A due time passes: decided from what little it concerns, for the moment at which very many do.

`actions.pass_time` says what is told then. What is decided here is the same, and that is a law of the tests; where it takes more of the
ticket to decide it, nothing is decided here.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from services.tickets.sla import Promise, Reason, TargetName
from services.tickets.workflow.changes import Breached, Escalated, Warned


class Watched(NamedTuple):
    """One open clock that was never paused, with what is told about its ticket. No other clock of the ticket has anything to tell."""

    number: str
    version: int
    status: str
    customer_id: UUID
    channel: str
    tier: str
    type: str | None
    step: str | None
    priority: str
    category: str | None
    root_topic: str | None
    product_model: str | None
    batch: str | None
    team: str | None
    assignee: str | None
    changed_at: datetime
    escalation: int
    target: str
    started_at: datetime
    due_at: datetime
    warned_at: datetime | None
    was_told: bool
    """Its newest change was a due time that passed."""
    budget: timedelta
    promise: Promise


class Passing(NamedTuple):
    """What the clock tells, and what follows."""

    watched: Watched
    at: datetime
    fact: Warned | Breached
    escalated: Escalated | None
    """Somebody higher has to look: the change after it, of the same moment."""
    next_at: datetime | None
    """When the clock has something to tell again."""

    @property
    def version(self) -> int:
        """Of the ticket afterwards."""
        return self.watched.version + (1 if self.escalated is None else 2)

    @property
    def told_at(self) -> datetime | None:
        """When the ticket changed last, if that is this: nothing is dated before what was there already."""
        return self.at if self.at > self.watched.changed_at else None

    @property
    def escalation(self) -> int:
        """Of the ticket afterwards."""
        return self.watched.escalation if self.escalated is None else self.escalated.level


_TARGETS: Final = {str(target): target for target in TargetName}
_WARNED: Final = {str(target): Warned(target) for target in TargetName}
_BREACHED: Final = {str(target): Breached(target) for target in TargetName}


def passing(watched: Watched, due_at: datetime, until: datetime) -> Passing | None:
    """What a timer that was due at ``due_at`` tells at ``until``; None where that takes the whole ticket to decide."""
    warning = None if watched.warned_at is not None else _warning(watched)
    if warning is None:
        return _passed(watched, watched.due_at, Reason.BREACHED, None) if watched.due_at <= due_at else None
    # where both have passed, both are told
    return _passed(watched, warning, Reason.WARNED, watched.due_at) if warning <= due_at and watched.due_at > until else None


def _warning(watched: Watched) -> datetime | None:
    percent = watched.promise.policy.warn_percent
    return None if percent is None else watched.promise.hours.add(watched.started_at, watched.budget * percent / 100)


def _passed(watched: Watched, at: datetime, reason: Reason, next_at: datetime | None) -> Passing:
    target = _TARGETS[watched.target]
    level = watched.promise.policy.level(reason, target)
    fact = (_WARNED if reason is Reason.WARNED else _BREACHED)[watched.target]
    return Passing(watched, at, fact, None if level <= watched.escalation else Escalated(level, reason, target), next_at)
