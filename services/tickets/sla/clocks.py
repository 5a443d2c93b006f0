"""The clocks behind the promised times, as values: nothing here reads the time or waits for it.

A *clock* measures one target of one ticket. It starts with a customer's message, runs in business time of the promise's calendar, and is
*met* by an event. A *pause* is an interval in which it does not run; pauses are kept as intervals, so that another promise keeps the start
and every pause already served.

Business time from the start minus business time in pauses is what has *run*. A target is *due* at the first instant at which its whole
budget has run; what is paused later moves nothing. Whether it was attained depends on event times alone (``met_at <= due_at``). A timer
that fires late, twice or never changes nothing about it; it only announces.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from services.tickets.sla.calendar import NO_TIME
from services.tickets.sla.policies import Promise, Reason
from services.tickets.sla.targets import ClockState, TargetName
from services.tickets.sla.values import often_made

_MILLISECOND: Final = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Pause:
    """An interval in which the clock does not run; open while ``ended_at`` is None."""

    started_at: datetime
    ended_at: datetime | None = None


@often_made(frozen=True, slots=True)
class Clock:
    """One target of one ticket."""

    started_at: datetime
    budget: timedelta
    promise: Promise
    pauses: tuple[Pause, ...] = ()
    met_at: datetime | None = None
    warned_at: datetime | None = None
    """The moment at which somebody was warned; it says nothing about attainment."""
    breached_at: datetime | None = None
    """The due time that was announced as missed; it says nothing about attainment."""
    stopped_at: datetime | None = None
    _due: datetime | None = field(default=None, init=False, repr=False, compare=False)
    """When the budget ends while nothing pauses it, once somebody has asked: it is asked several times for every ticket."""
    _told: tuple[tuple[Reason, datetime] | None] | None = field(default=None, init=False, repr=False, compare=False)
    """The next announcement, once somebody has asked, for the same reason."""

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
    if clock.pauses:
        return _reached(clock, clock.budget, at)
    if clock._due is None:
        object.__setattr__(clock, "_due", _reached(clock, clock.budget, at))
    assert clock._due is not None
    return clock._due


def warn_at(clock: Clock, at: datetime) -> datetime | None:
    """When somebody is to be warned, as known at ``at``; None where the policy warns nobody."""
    percent = clock.promise.policy.warn_percent
    return None if percent is None else _reached(clock, clock.budget * percent / 100, at)


def _reached(clock: Clock, span: timedelta, at: datetime) -> datetime:
    """The first instant at which the clock has run for ``span``. A pause that began later does not move it."""
    hours, since = clock.promise.hours, clock.started_at
    if not clock.pauses:  # nearly always
        return hours.add(since, span)
    for pause in clock.pauses:
        run = hours.between(since, pause.started_at)
        if run >= span:
            break
        span -= run
        since = pause.ended_at or max(at, pause.started_at)
    return hours.add(since, span)


def deadline(clock: Clock) -> datetime | None:
    """When somebody has to be told that the target was missed; None when that cannot happen, cannot happen yet, or has happened."""
    if not clock.is_open or clock.is_paused or clock.breached_at is not None:
        return None
    return due_at(clock, clock.started_at)


def announcement(clock: Clock) -> tuple[Reason, datetime] | None:
    """What has to be told next about the clock, and when: first the warning, then the breach."""
    if clock._told is None:
        object.__setattr__(clock, "_told", (_announcement(clock),))
    assert clock._told is not None
    return clock._told[0]


def _announcement(clock: Clock) -> tuple[Reason, datetime] | None:
    due = deadline(clock)
    if due is None:
        return None
    warning = None if clock.warned_at is not None else warn_at(clock, clock.started_at)
    return (Reason.BREACHED, due) if warning is None else (Reason.WARNED, warning)


def paused_time(clock: Clock, at: datetime) -> timedelta:
    """Business time in the pauses until ``at``. A closed pause counts in full, whatever ``at``."""
    if not clock.pauses:  # nearly always, and asked several times for every ticket that is opened
        return NO_TIME
    hours = clock.promise.hours
    return sum((hours.between(pause.started_at, pause.ended_at or max(at, pause.started_at)) for pause in clock.pauses), NO_TIME)


def running_time(clock: Clock, at: datetime) -> timedelta:
    """Business time from the start to ``at``, less what was paused."""
    return clock.promise.hours.between(clock.started_at, at) - paused_time(clock, at)


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


def start(promise: Promise, target: TargetName, at: datetime) -> Clock | None:
    """A clock of the target that begins at ``at``; None where the policy promises nothing about it."""
    budget = promise.policy.budget(target)
    return None if budget is None else Clock(at, budget, promise)


def pause(clock: Clock, at: datetime) -> Clock:
    """Stand still from ``at``. A second pause keeps the start of the first."""
    if clock.is_paused or not clock.is_open:
        return clock
    return replace(clock, pauses=(*clock.pauses, Pause(max(at, clock.started_at))))


def resume(clock: Clock, at: datetime) -> Clock:
    """Run again from ``at``. A second resume changes nothing."""
    if not clock.is_paused:
        return clock
    began = clock.pauses[-1].started_at
    return replace(clock, pauses=(*clock.pauses[:-1], Pause(began, max(at, began))))


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


def retarget(clock: Clock, promise: Promise, target: TargetName, at: datetime, *, also_met: bool = False) -> Clock:
    """Another promise: keeps the start and the pauses already served.

    What was met stays as it was promised then, unless the promise is corrected (``also_met``). What was announced stays announced if its
    new moment has passed too; a target that the new policy says nothing about keeps its budget.
    """
    if clock.stopped_at is not None or (clock.met_at is not None and not also_met):
        return clock
    changed = replace(clock, budget=promise.policy.budget(target) or clock.budget, promise=promise)
    end, warning = clock.met_at or at, warn_at(changed, at)
    return replace(
        changed,
        warned_at=clock.warned_at if warning is not None and warning < end else None,
        breached_at=clock.breached_at if due_at(changed, at) < end else None,
    )


def announce_warning(clock: Clock) -> Clock:
    """Somebody was warned; the moment of the warning is that of the budget, not of the timer."""
    return replace(clock, warned_at=warn_at(clock, clock.started_at))


def announce_breach(clock: Clock) -> Clock:
    """The due time has passed; the moment of the breach is the due time itself."""
    return replace(clock, breached_at=due_at(clock, clock.started_at))


def milliseconds(span: timedelta) -> int:
    """Whole milliseconds, the unit of events and tables."""
    return span // _MILLISECOND
