"""Calendars, policies and reckonings into answers."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from services.tickets import sla
from services.tickets.schemas import levels as schemas
from services.tickets.schemas import reckoning as reckonings
from services.tickets.sla import Case, Clock, Pause, Policy, ServiceLevels, TargetName
from services.tickets.sla.calendar import MINUTES_OF_DAY, Windows
from services.tickets.sla.policies import Candidate, HoursOf
from services.tickets.sla.reckoning import Day, days
from services.tickets.store.levels import CalendarRow, PolicyRow, Written
from services.tickets.workflow.chronicle import Step


def calendar(row: CalendarRow) -> schemas.CalendarView:
    """One version of a calendar."""
    value = row.calendar
    week = {weekday: windows(of_day) for weekday, of_day in zip(schemas.WEEKDAYS, value.week, strict=True)}
    return schemas.CalendarView(
        **_version(value.id, value.version, value.valid_from, row.written),
        zone=value.zone,
        week=schemas.WeekView(**week),
        holidays=None if row.region is None else schemas.RegionView(country=row.region.country, subdivision=row.region.subdivision),
        makeup=windows(row.makeup),
        days=[
            schemas.SpecialDayView(date=day, windows=windows(special.windows), source=special.source, name=special.name)
            for day, special in sorted(value.days.items())
        ],
    )


def policy(row: PolicyRow) -> schemas.PolicyView:
    """One version of a policy."""
    value = row.policy
    return schemas.PolicyView(
        **_version(value.id, value.version, value.valid_from, row.written),
        type=value.type,
        priority=value.priority,
        tier=value.tier,
        calendar=value.calendar,
        first_response_seconds=_seconds(value.first_response),
        next_response_seconds=None if value.next_response is None else _seconds(value.next_response),
        resolution_seconds=_seconds(value.resolution),
        pauses_on=sorted(value.pauses_on),
        warn_percent=value.warn_percent,
        escalations=[schemas.EscalationView(reason=rule.reason, level=rule.level, target=rule.target) for rule in value.escalations],
        active=value.is_active,
    )


def windows(of_day: Windows) -> list[schemas.WindowView]:
    """As the wall shows them; a window of a whole day is from 00:00 to 24:00."""
    return [schemas.WindowView(start=_wall(window.start), end=_wall(window.end, is_end=True)) for window in of_day]


def case(value: Case) -> reckonings.CaseView:
    """What policy and hours are chosen by."""
    return reckonings.CaseView(type=value.type, priority=value.priority, tier=value.tier, team=value.team)


def reckoning(
    target: TargetName, clock: Clock, steps: Iterable[Step], levels: ServiceLevels, chosen_by: Case, at: datetime
) -> reckonings.ReckoningView:
    """One target with everything that its due time comes from."""
    promise = clock.promise
    end = clock.met_at or clock.stopped_at or max(at, clock.started_at)
    shown, truncated = days(clock, at)
    run = sla.running_time(clock, end)
    return reckonings.ReckoningView(
        target=target,
        state=sla.state(clock, at),
        started_at=clock.started_at,
        policy=promise.policy.id,
        policy_version=promise.policy.version,
        edition=promise.edition,
        calendar=_hours(clock, levels, chosen_by),
        budget_ms=sla.milliseconds(clock.budget),
        warn_at=sla.warn_at(clock, end),
        due_at=sla.due_at(clock, end),
        met_at=clock.met_at,
        stopped_at=clock.stopped_at,
        business_ms=sla.milliseconds(run),
        paused_ms=sla.milliseconds(sla.paused_time(clock, end)),
        remaining_ms=sla.milliseconds(clock.budget - run),
        candidates=[_candidate(each, promise.policy) for each in levels.candidates(chosen_by, clock.started_at)],
        pauses=[_pause(clock, pause, end) for pause in clock.pauses],
        steps=[_step(step) for step in steps if step.target is target],
        days=[_day(day) for day in shown],
        days_truncated=truncated,
    )


def _hours(clock: Clock, levels: ServiceLevels, chosen_by: Case) -> reckonings.HoursView:
    hours, whose = clock.promise.hours, clock.promise.hours_of
    # what was met in another team's hours stays so when the ticket goes on to this one
    is_its_own = whose is HoursOf.TEAM and levels.team_calendar(chosen_by.team, clock.started_at) == hours.id
    return reckonings.HoursView(
        id=hours.id, version=hours.version, zone=hours.zone, chosen_by=whose, team=chosen_by.team if is_its_own else None
    )


def _candidate(value: Candidate, used: Policy) -> reckonings.CandidateView:
    return reckonings.CandidateView(
        policy=value.policy.id,
        version=value.policy.version,
        named=list(value.policy.named),
        misses=list(value.misses),
        chosen=value.policy == used,
    )


def _pause(clock: Clock, pause: Pause, end: datetime) -> reckonings.PauseView:
    business = clock.promise.hours.between(pause.started_at, pause.ended_at or end)
    return reckonings.PauseView(started_at=pause.started_at, ended_at=pause.ended_at, business_ms=sla.milliseconds(business))


def _step(step: Step) -> reckonings.StepView:
    promise = step.clock.promise
    return reckonings.StepView(
        event=step.event,
        at=step.at,
        version=step.version,
        actor=step.actor,
        policy=promise.policy.id,
        policy_version=promise.policy.version,
        calendar=promise.hours.id,
        budget_ms=sla.milliseconds(step.clock.budget),
        due_at=sla.due_at(step.clock, step.clock.met_at or step.at),
    )


def _day(day: Day) -> reckonings.DayView:
    return reckonings.DayView(
        date=day.date,
        windows=windows(day.windows),
        source=day.source,
        name=day.name,
        business_ms=sla.milliseconds(day.business),
        paused_ms=sla.milliseconds(day.paused),
        run_ms=sla.milliseconds(day.run),
    )


def _version(id: str, version: int, valid_from: datetime, written: Written) -> dict[str, Any]:
    return {"id": id, "version": version, "valid_from": valid_from, "changed_at": written.at, "changed_by": written.by}


def _wall(minute: int, *, is_end: bool = False) -> str:
    if not (is_end and minute == MINUTES_OF_DAY):
        minute %= MINUTES_OF_DAY
    return f"{minute // 60:02}:{minute % 60:02}"


def _seconds(span: timedelta) -> int:
    return span // timedelta(seconds=1)
