"""The clocks: laws over arbitrary histories, and the cases that help desks are known to get wrong."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.tickets import sla
from services.tickets.sla import Clock, ClockState, Priority
from tests.tickets.builders import DAY, HOUR, MILLISECOND, NOON, POLICY

pytestmark = pytest.mark.pure

SPANS = st.integers(min_value=0, max_value=10 * 86_400_000).map(lambda ms: ms * MILLISECOND)


@st.composite
def clocks(draw: st.DrawFn, open_pause: bool | None = None) -> tuple[Clock, datetime]:
    """A clock that was paused and resumed a few times, and a moment not before its newest pause ended or began."""
    at = NOON
    clock = Clock(NOON, draw(SPANS), 1)
    for _ in range(draw(st.integers(0, 4))):
        at += draw(SPANS)
        clock = sla.pause(clock, at)
        at += draw(SPANS)
        clock = sla.resume(clock, at)
    if draw(st.booleans()) if open_pause is None else open_pause:
        at += draw(SPANS)
        clock = sla.pause(clock, at)
    return clock, at + draw(SPANS)


@given(clocks())
def test_running_time_and_pauses_add_up_to_the_time_that_passed(drawn: tuple[Clock, datetime]) -> None:
    clock, at = drawn

    assert sla.running_time(clock, at) + sla.paused_time(clock, at) == at - clock.started_at
    assert sla.running_time(clock, at) >= timedelta(0)


@given(clocks(open_pause=False))
def test_what_is_due_at_its_deadline_has_used_its_budget_exactly(drawn: tuple[Clock, datetime]) -> None:
    clock, at = drawn

    assert sla.running_time(clock, sla.due_at(clock, at)) == clock.budget


@given(clocks(open_pause=False), SPANS)
def test_a_pause_moves_the_due_time_by_its_length(drawn: tuple[Clock, datetime], length: timedelta) -> None:
    clock, at = drawn

    paused = sla.resume(sla.pause(clock, at), at + length)

    assert sla.due_at(paused, at + length) == sla.due_at(clock, at) + length


@given(clocks(open_pause=True), SPANS)
def test_a_second_pause_and_a_second_resume_change_nothing(drawn: tuple[Clock, datetime], later: timedelta) -> None:
    clock, at = drawn

    assert sla.pause(clock, at + later) == clock
    resumed = sla.resume(clock, at)
    assert sla.resume(resumed, at + later) == resumed


@given(clocks(), SPANS)
def test_another_budget_keeps_the_start_and_every_pause_already_served(drawn: tuple[Clock, datetime], budget: timedelta) -> None:
    clock, at = drawn

    changed = sla.retarget(clock, budget, 2, at)

    assert sla.due_at(changed, at) == clock.started_at + budget + sla.paused_time(clock, at)
    assert (changed.started_at, changed.pauses) == (clock.started_at, clock.pauses)


@given(clocks(), SPANS)
def test_attainment_depends_on_event_times_alone(drawn: tuple[Clock, datetime], later: timedelta) -> None:
    clock, at = drawn

    met = sla.meet(clock, at)

    in_time = sla.running_time(clock, at) <= clock.budget
    assert sla.state(met, at + later) is (ClockState.MET if in_time else ClockState.BREACHED)
    assert sla.meet(met, at + later) == met


@given(clocks(open_pause=False), SPANS)
def test_a_late_watcher_announces_the_same_breach_as_a_punctual_one(drawn: tuple[Clock, datetime], late: timedelta) -> None:
    clock, at = drawn

    breached = sla.announce_breach(clock)

    assert breached.breached_at == sla.due_at(clock, at + late)
    assert sla.state(breached, at) is sla.state(clock, at)


@given(clocks(), SPANS)
def test_a_clock_that_was_met_runs_on_as_if_it_never_had_been(drawn: tuple[Clock, datetime], later: timedelta) -> None:
    clock, at = drawn
    running = sla.resume(clock, at)

    again = sla.restart(sla.meet(clock, at))

    assert again == running
    assert sla.running_time(again, at + later) == sla.running_time(running, at) + later


def test_the_priority_rises_after_a_pause_of_two_hours() -> None:
    clock, _ = Clock(NOON, 3 * DAY, 1), None
    clock = sla.resume(sla.pause(clock, NOON + HOUR), NOON + 3 * HOUR)

    raised = sla.retarget(clock, 4 * HOUR, 1, NOON + 3 * HOUR)

    assert sla.due_at(raised, NOON + 3 * HOUR) == NOON + 6 * HOUR


def test_a_breach_is_taken_back_only_by_a_due_time_that_lies_ahead() -> None:
    breached = sla.announce_breach(Clock(NOON, HOUR, 1))

    ahead = sla.retarget(breached, DAY, 1, NOON + 2 * HOUR)
    passed = sla.retarget(breached, HOUR / 2, 1, NOON + 2 * HOUR)

    assert (ahead.breached_at, sla.deadline(ahead)) == (None, NOON + DAY)
    assert (passed.breached_at, sla.deadline(passed)) == (NOON + HOUR, None)


def test_nothing_is_announced_about_a_clock_that_stands_still_or_has_ended() -> None:
    clock = Clock(NOON, HOUR, 1)

    assert sla.deadline(clock) == NOON + HOUR
    assert sla.deadline(sla.pause(clock, NOON)) is None
    assert sla.deadline(sla.meet(clock, NOON)) is None
    assert sla.deadline(sla.stop(clock, NOON)) is None
    assert sla.deadline(sla.announce_breach(clock)) is None


def test_a_target_that_was_missed_before_the_pause_stays_missed_in_the_pause() -> None:
    late = sla.pause(Clock(NOON, HOUR, 1), NOON + 2 * HOUR)
    in_time = sla.pause(Clock(NOON, HOUR, 1), NOON + HOUR / 2)

    assert sla.state(late, NOON + 3 * HOUR) is ClockState.BREACHED
    assert sla.state(in_time, NOON + 3 * HOUR) is ClockState.PAUSED


def test_a_stopped_target_is_neither_met_nor_missed() -> None:
    stopped = sla.stop(Clock(NOON, HOUR, 1), NOON + HOUR / 2)

    assert sla.state(stopped, NOON + DAY) is ClockState.STOPPED
    assert sla.meet(stopped, NOON + DAY) == stopped


@pytest.mark.parametrize("priority", list(Priority))
def test_a_fresh_ticket_gets_the_promises_of_its_priority(priority: Priority) -> None:
    first_response, resolution = sla.start(POLICY, priority, NOON)

    assert sla.due_at(first_response, NOON) == NOON + POLICY.budgets[priority].first_response
    assert sla.due_at(resolution, NOON) == NOON + POLICY.budgets[priority].resolution
