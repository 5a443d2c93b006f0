"""The clocks behind the promised times, as values: nothing here reads the time or waits for it.

A *target* promises something within a *budget* of time: the first response, the resolution. A *clock* measures one target of one ticket. It
starts with the customer's message and is *met* by an event. A *pause* is an interval in which it does not run; pauses are kept as
intervals, so that a changed budget keeps the start and every pause already served. The policy runs around the clock, seven days a week:
business time is elapsed time minus pauses.

Whether a target was attained depends on event times alone (``met_at <= due_at``). A timer that fires late, twice or never changes nothing
about it; it only announces.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

NO_TIME: Final = timedelta(0)


class Priority(StrEnum):
    """How soon somebody must look; budgets depend on it."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    URGENT = "urgent"


class TargetName(StrEnum):
    """What is promised."""

    FIRST_RESPONSE = "first_response"
    """The first public reply of a human to the customer's first message. Never paused."""
    RESOLUTION = "resolution"
    """The last resolve."""


class ClockState(StrEnum):
    """How a target stands at one moment."""

    RUNNING = "running"
    PAUSED = "paused"
    MET = "met"
    BREACHED = "breached"
    """Its due time passed before it was met, or has passed and it still is not met."""
    STOPPED = "stopped"
    """The ticket ended in a way that takes the target out of every count (cancelled, merged)."""


@dataclass(frozen=True, slots=True)
class Budgets:
    """What one priority promises."""

    first_response: timedelta
    resolution: timedelta


@dataclass(frozen=True, slots=True)
class Policy:
    """One version of the promises. ``pauses_on`` names what a ticket may wait for while its resolution clock stands still."""

    version: int
    budgets: Mapping[Priority, Budgets]
    pauses_on: frozenset[str]


@dataclass(frozen=True, slots=True)
class Pause:
    """An interval in which the clock does not run; open while ``ended_at`` is None."""

    started_at: datetime
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Clock:
    """One target of one ticket."""

    started_at: datetime
    budget: timedelta
    policy_version: int
    pauses: tuple[Pause, ...] = ()
    met_at: datetime | None = None
    breached_at: datetime | None = None
    """The due time that was announced as missed; it says nothing about attainment."""
    stopped_at: datetime | None = None

    @property
    def is_paused(self) -> bool:
        """Whether a pause is open."""
        return bool(self.pauses) and self.pauses[-1].ended_at is None

    @property
    def is_open(self) -> bool:
        """Whether the promise still waits to be kept."""
        return self.met_at is None and self.stopped_at is None


# ------------------------------------------------------------------ questions


def due_at(clock: Clock, at: datetime) -> datetime:
    """When the target is due, as known at ``at``: during an open pause it moves along with the time."""
    return clock.started_at + clock.budget + paused_time(clock, at)


def deadline(clock: Clock) -> datetime | None:
    """When somebody has to be told that the target was missed; None when that cannot happen, cannot happen yet, or has happened."""
    if not clock.is_open or clock.is_paused or clock.breached_at is not None:
        return None
    return due_at(clock, clock.started_at)


def paused_time(clock: Clock, at: datetime) -> timedelta:
    """The pauses served until ``at``. A closed pause counts in full, whatever ``at``."""
    if not clock.pauses:  # nearly always, and asked several times for every ticket that is opened
        return NO_TIME
    return sum(((pause.ended_at or max(at, pause.started_at)) - pause.started_at for pause in clock.pauses), NO_TIME)


def running_time(clock: Clock, at: datetime) -> timedelta:
    """Business time from the start to ``at``."""
    return at - clock.started_at - paused_time(clock, at)


def state(clock: Clock, at: datetime) -> ClockState:
    """How the target stands at ``at``: a function of event times alone."""
    if clock.met_at is not None:
        return ClockState.MET if clock.met_at <= due_at(clock, clock.met_at) else ClockState.BREACHED
    if clock.stopped_at is not None:
        return ClockState.STOPPED
    if clock.is_paused:
        overdue = clock.pauses[-1].started_at > due_at(clock, clock.pauses[-1].started_at)
        return ClockState.BREACHED if overdue else ClockState.PAUSED
    return ClockState.BREACHED if at > due_at(clock, at) else ClockState.RUNNING


# ------------------------------------------------------------------ changes


def start(policy: Policy, priority: Priority, at: datetime) -> tuple[Clock, Clock]:
    """The clocks of a fresh ticket: first response, resolution."""
    budgets = policy.budgets[priority]
    return Clock(at, budgets.first_response, policy.version), Clock(at, budgets.resolution, policy.version)


def pause(clock: Clock, at: datetime) -> Clock:
    """Stand still from ``at``. A second pause keeps the start of the first."""
    if clock.is_paused or not clock.is_open:
        return clock
    return replace(clock, pauses=(*clock.pauses, Pause(at)))


def resume(clock: Clock, at: datetime) -> Clock:
    """Run again from ``at``. A second resume changes nothing."""
    if not clock.is_paused:
        return clock
    return replace(clock, pauses=(*clock.pauses[:-1], Pause(clock.pauses[-1].started_at, at)))


def meet(clock: Clock, at: datetime) -> Clock:
    """The promise was kept at ``at``, in time or late. The first time counts until `restart`."""
    if not clock.is_open:
        return clock
    return replace(resume(clock, at), met_at=at)


def restart(clock: Clock) -> Clock:
    """It was not kept after all: the clock runs on from its old start, with its old pauses, as if it had never been met."""
    return replace(clock, met_at=None)


def stop(clock: Clock, at: datetime) -> Clock:
    """The ticket ends in a way that takes an open target out of every count."""
    if not clock.is_open:
        return clock
    return replace(resume(clock, at), stopped_at=at)


def unstop(clock: Clock, *, paused: bool) -> Clock:
    """The ending is undone: the clock runs on as if it had never been stopped, or, if it was ``paused`` then, its pause goes on."""
    if clock.stopped_at is None:
        return clock
    pauses = (*clock.pauses[:-1], Pause(clock.pauses[-1].started_at)) if paused else clock.pauses
    return replace(clock, stopped_at=None, pauses=pauses)


def retarget(clock: Clock, budget: timedelta, policy_version: int, at: datetime) -> Clock:
    """Another promise: keeps the start and the pauses already served. A breach stays announced if the new due time has passed too."""
    if not clock.is_open:
        return clock
    changed = replace(clock, budget=budget, policy_version=policy_version)
    return changed if due_at(changed, at) < at else replace(changed, breached_at=None)


def announce_breach(clock: Clock) -> Clock:
    """The due time has passed; the moment of the breach is the due time itself."""
    return replace(clock, breached_at=due_at(clock, clock.started_at))


def milliseconds(span: timedelta) -> int:
    """Whole milliseconds, the unit of events and tables."""
    return span // timedelta(milliseconds=1)
