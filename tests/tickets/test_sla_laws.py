"""The clocks: laws over arbitrary histories and calendars, and the cases that help desks are known to get wrong."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.tickets import sla
from services.tickets.sla import Calendar, Clock, ClockState, Priority, Promise, Reason, TargetName
from services.tickets.sla.calendar import AROUND_THE_CLOCK
from tests.tickets.builders import DAY, HOUR, MILLISECOND, NOON, POLICY, a_policy
from tests.tickets.calendars import OFFICE, OFFICE_IN_BERLIN, SHIFTS

pytestmark = pytest.mark.pure

SPANS: Final = st.integers(min_value=0, max_value=10 * 86_400_000).map(lambda ms: ms * MILLISECOND)
BUDGETS: Final = SPANS.map(lambda span: span + MILLISECOND)
CALENDARS: Final = st.sampled_from([AROUND_THE_CLOCK, OFFICE, OFFICE_IN_BERLIN, SHIFTS])


def a_clock(budget: timedelta, hours: Calendar = AROUND_THE_CLOCK, *, warn_percent: int | None = None) -> Clock:
    """A clock that started at noon."""
    return Clock(NOON, budget, a_promise(budget, hours, warn_percent=warn_percent))


def a_promise(budget: timedelta, hours: Calendar = AROUND_THE_CLOCK, *, warn_percent: int | None = None) -> Promise:
    """The same budget for every target."""
    return Promise(a_policy(None, budget, budget, id="p", version=2, warn_percent=warn_percent), hours, edition=2)


@st.composite
def clocks(draw: st.DrawFn, open_pause: bool | None = None) -> tuple[Clock, datetime]:
    """A clock that was paused and resumed a few times, and a moment not before its newest pause ended or began."""
    at = NOON
    clock = a_clock(draw(BUDGETS), draw(CALENDARS), warn_percent=draw(st.sampled_from([None, 50, 80])))
    for _ in range(draw(st.integers(0, 4))):
        at += draw(SPANS)
        clock = sla.pause(clock, at)
        at += draw(SPANS)
        clock = sla.resume(clock, at)
    if draw(st.booleans()) if open_pause is None else open_pause:
        at += draw(SPANS)
        clock = sla.pause(clock, at)
    return clock, at + draw(SPANS)


def is_due(clock: Clock, at: datetime) -> bool:
    return sla.due_at(clock, at) <= at


# ------------------------------------------------------------------ laws


@given(clocks())
def test_running_time_and_pauses_add_up_to_the_business_time_that_passed(drawn: tuple[Clock, datetime]) -> None:
    clock, at = drawn

    passed = clock.promise.hours.between(clock.started_at, at)
    assert sla.running_time(clock, at) + sla.paused_time(clock, at) == passed
    assert sla.running_time(clock, at) >= timedelta(0)


@given(clocks(open_pause=False))
def test_a_target_is_due_at_the_first_moment_at_which_its_budget_has_run(drawn: tuple[Clock, datetime]) -> None:
    clock, at = drawn
    due = sla.due_at(clock, at)

    # pauses that began after the due time moved nothing
    until_then = replace(clock, pauses=tuple(pause for pause in clock.pauses if pause.started_at < due))

    assert sla.running_time(until_then, due) == clock.budget
    assert sla.due_at(until_then, at) == due
    assert sla.running_time(until_then, due - MILLISECOND) < clock.budget


@given(clocks(open_pause=False), SPANS)
def test_a_pause_moves_the_due_time_by_its_business_time(drawn: tuple[Clock, datetime], length: timedelta) -> None:
    clock, at = drawn
    hours = clock.promise.hours

    paused = sla.resume(sla.pause(clock, at), at + length)

    if is_due(clock, at):
        assert sla.due_at(paused, at + length) == sla.due_at(clock, at)
    else:
        moved = hours.between(sla.due_at(clock, at), sla.due_at(paused, at + length))
        assert moved == hours.between(at, at + length)


@given(clocks(open_pause=True), SPANS)
def test_a_second_pause_and_a_second_resume_change_nothing(drawn: tuple[Clock, datetime], later: timedelta) -> None:
    clock, at = drawn

    assert sla.pause(clock, at + later) == clock
    resumed = sla.resume(clock, at)
    assert sla.resume(resumed, at + later) == resumed


@given(clocks(open_pause=True), SPANS)
def test_a_target_moves_along_while_it_is_paused_and_no_earlier(drawn: tuple[Clock, datetime], later: timedelta) -> None:
    clock, at = drawn

    assert sla.due_at(clock, at) <= sla.due_at(clock, at + later)
    assert sla.due_at(clock, at) == sla.due_at(sla.resume(clock, at), at)


@given(clocks(), BUDGETS, CALENDARS)
def test_another_promise_keeps_the_start_and_every_pause_already_served(
    drawn: tuple[Clock, datetime], budget: timedelta, hours: Calendar
) -> None:
    clock, at = drawn

    changed = sla.retarget(clock, a_promise(budget, hours), TargetName.RESOLUTION, at)

    assert (changed.started_at, changed.pauses, changed.budget) == (clock.started_at, clock.pauses, budget)
    assert sla.due_at(changed, at) == sla.due_at(Clock(NOON, budget, a_promise(budget, hours), clock.pauses), at)


@given(clocks(), SPANS)
def test_attainment_depends_on_event_times_alone(drawn: tuple[Clock, datetime], later: timedelta) -> None:
    clock, at = drawn

    met = sla.meet(clock, at)

    in_time = at <= sla.due_at(clock, at)
    assert sla.state(met, at + later) is (ClockState.MET if in_time else ClockState.BREACHED)
    assert sla.meet(met, at + later) == met
    assert not in_time or sla.running_time(met, at) <= met.budget


@given(clocks(open_pause=False), SPANS)
def test_a_late_watcher_announces_the_same_breach_as_a_punctual_one(drawn: tuple[Clock, datetime], late: timedelta) -> None:
    clock, at = drawn

    breached = sla.announce_breach(clock)

    assert breached.breached_at == sla.due_at(clock, at + late)
    assert sla.state(breached, at) is sla.state(clock, at)


@given(clocks(open_pause=False))
def test_a_warning_comes_before_the_breach_and_each_is_told_once(drawn: tuple[Clock, datetime]) -> None:
    clock, _ = drawn
    told = []

    while (announcement := sla.announcement(clock)) is not None:
        told.append(announcement)
        clock = sla.announce_warning(clock) if announcement[0] is Reason.WARNED else sla.announce_breach(clock)

    warns = clock.promise.policy.warn_percent is not None
    assert [reason for reason, _ in told] == [Reason.WARNED] * warns + [Reason.BREACHED]
    assert [at for _, at in told] == sorted(at for _, at in told)


@given(clocks(), SPANS)
def test_a_clock_that_was_met_runs_on_as_if_it_never_had_been(drawn: tuple[Clock, datetime], later: timedelta) -> None:
    clock, at = drawn
    running = sla.resume(clock, at)

    again = sla.restart(sla.meet(clock, at))

    assert again == running
    assert sla.running_time(again, at + later) == sla.running_time(running, at) + clock.promise.hours.between(at, at + later)


@given(clocks(), SPANS)
def test_what_was_stopped_and_is_no_longer_goes_on_as_it_was(drawn: tuple[Clock, datetime], later: timedelta) -> None:
    clock, at = drawn

    assert sla.unstop(sla.stop(clock, at), paused=clock.is_paused) == clock


# ------------------------------------------------------------------ cases


def test_a_breach_is_taken_back_only_by_a_due_time_that_lies_ahead() -> None:
    breached = sla.announce_breach(a_clock(HOUR))

    ahead = sla.retarget(breached, a_promise(DAY), TargetName.RESOLUTION, NOON + 2 * HOUR)
    passed = sla.retarget(breached, a_promise(HOUR / 2), TargetName.RESOLUTION, NOON + 2 * HOUR)

    assert (ahead.breached_at, sla.deadline(ahead)) == (None, NOON + DAY)
    assert (passed.breached_at, sla.deadline(passed)) == (NOON + HOUR, None)


def test_what_was_met_keeps_its_promise_unless_the_promise_is_corrected() -> None:
    met = sla.meet(a_clock(HOUR), NOON + 2 * HOUR)

    raised = sla.retarget(met, a_promise(DAY), TargetName.RESOLUTION, NOON + 3 * HOUR)
    corrected = sla.retarget(met, a_promise(DAY), TargetName.RESOLUTION, NOON + 3 * HOUR, also_met=True)

    assert (raised, sla.state(raised, NOON + DAY)) == (met, ClockState.BREACHED)
    assert (corrected.met_at, sla.state(corrected, NOON + DAY)) == (met.met_at, ClockState.MET)


def test_nothing_is_announced_about_a_clock_that_stands_still_or_has_ended() -> None:
    clock = a_clock(HOUR)

    assert sla.deadline(clock) == NOON + HOUR
    assert sla.deadline(sla.pause(clock, NOON)) is None
    assert sla.deadline(sla.meet(clock, NOON)) is None
    assert sla.deadline(sla.stop(clock, NOON)) is None
    assert sla.deadline(sla.announce_breach(clock)) is None


def test_a_target_that_was_missed_before_the_pause_stays_missed_in_the_pause_and_after() -> None:
    late = sla.pause(a_clock(HOUR), NOON + 2 * HOUR)
    in_time = sla.pause(a_clock(HOUR), NOON + HOUR / 2)

    assert sla.state(late, NOON + 3 * HOUR) is ClockState.BREACHED
    assert sla.state(in_time, NOON + 3 * HOUR) is ClockState.PAUSED
    assert sla.due_at(sla.resume(late, NOON + 5 * HOUR), NOON + 5 * HOUR) == NOON + HOUR


def test_a_stopped_target_is_neither_met_nor_missed() -> None:
    stopped = sla.stop(a_clock(HOUR), NOON + HOUR / 2)

    assert sla.state(stopped, NOON + DAY) is ClockState.STOPPED
    assert sla.meet(stopped, NOON + DAY) == stopped


def test_a_policy_that_promises_no_next_response_starts_no_clock() -> None:
    silent = Promise(a_policy(None, HOUR, DAY, next_response=None), AROUND_THE_CLOCK, edition=1)

    assert sla.start(silent, TargetName.NEXT_RESPONSE, NOON) is None
    assert sla.start(silent, TargetName.RESOLUTION, NOON) == Clock(NOON, DAY, silent)


@pytest.mark.parametrize("priority", list(Priority))
@pytest.mark.parametrize("target", list(TargetName))
def test_a_clock_gets_the_budget_of_its_policy(priority: Priority, target: TargetName) -> None:
    promise = POLICY.promise(sla.Case(None, priority, "standard"), NOON)
    clock = sla.start(promise, target, NOON)

    assert clock is not None
    assert sla.due_at(clock, NOON) == NOON + (promise.policy.budget(target) or DAY)
