"""What happened to the clocks of a ticket, told from its history: each step with the due time after it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.tickets import sla
from services.tickets.sla import Clock, TargetName
from services.tickets.workflow.changes import Change
from services.tickets.workflow.evolution import evolve, opened
from services.tickets.workflow.ticket import Ticket


class Event(StrEnum):
    """What can happen to a clock."""

    STARTED = "started"
    PAUSED = "paused"
    RESUMED = "resumed"
    RETARGETED = "retargeted"
    WARNED = "warned"
    BREACHED = "breached"
    MET = "met"
    STOPPED = "stopped"
    RUNS_ON = "runs_on"
    """It had ended, and has not after all: reopened, or parted again."""


@dataclass(frozen=True, slots=True)
class Step:
    """One event of one clock."""

    target: TargetName
    event: Event
    at: datetime
    version: int
    """Of the ticket."""
    actor: str
    clock: Clock
    """As it was afterwards."""


def chronicle(history: Iterable[Change]) -> Iterator[Step]:
    """The steps of all clocks, in the order of the history."""
    before: Ticket | None = None
    for change in history:
        after = opened(change) if before is None else evolve(before, change)
        for target, clock in after.clocks.items():
            old = None if before is None else before.clock(target)
            for event in _events(old, clock):
                yield Step(target, event, clock.started_at if event is Event.STARTED else change.at, change.version, change.actor, clock)
        before = after


def _events(old: Clock | None, new: Clock) -> Iterator[Event]:
    if old is None or old.started_at != new.started_at:
        yield Event.STARTED
    if old is None or old.started_at != new.started_at or old == new:
        return
    if (old.budget, old.promise) != (new.budget, new.promise):
        yield Event.RETARGETED
    if (old.met_at, old.stopped_at) != (None, None) and new.is_open:
        yield Event.RUNS_ON
    if new.is_paused and not old.is_paused:
        yield Event.PAUSED
    elif old.is_paused and not new.is_paused:
        yield Event.RESUMED
    told = {
        Event.WARNED: (old.warned_at, new.warned_at),
        Event.BREACHED: (old.breached_at, new.breached_at),
        Event.MET: (old.met_at, new.met_at),
        Event.STOPPED: (old.stopped_at, new.stopped_at),
    }
    yield from (event for event, (was, is_now) in told.items() if was is None and is_now is not None)


def supposed(ticket: Ticket, target: TargetName, promise: sla.Promise, at: datetime) -> Clock | None:
    """The clock as it would be under another promise: the start, the pauses and the end stay what they were."""
    clock = ticket.clock(target)
    if clock is None or promise.policy.budget(target) is None:
        return None
    return sla.retarget(clock, promise, target, at, also_met=True)
