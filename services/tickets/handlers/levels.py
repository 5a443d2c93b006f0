"""Calendars and policies are changed by people: each change is a new version, and reaches the clocks that started since it holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final

from services.tickets.sla import Calendar, Policy, ServiceLevels, TeamHours
from services.tickets.sla.calendar import NeverOpen, OverlappingWindows, Source, SpecialDay, Windows
from services.tickets.sla.public_holidays import Region, UnknownRegion, special_days
from services.tickets.store import levels, team_hours
from services.tickets.store.levels import CalendarRow, PolicyRow, Written
from services.tickets.workflow.ticket import RETARGET
from shared import telemetry
from shared.database import Transaction
from shared.errors import Conflict, Invalid, Stale

log = telemetry.logger()

YEARS_BACK: Final = 1
YEARS_AHEAD: Final = 5
"""Years for which public holidays are written down with a version of a calendar."""


class PolicyGap(Conflict):
    """Some priority would be promised nothing: there must be a policy for it that names neither type nor tier."""

    code = "policy_gap"


class PolicyTwin(Conflict):
    """Another policy is for exactly the same type, priority and tier."""

    code = "policy_twin"


@dataclass(frozen=True, slots=True)
class CalendarAsked:
    """A calendar as somebody wants it."""

    zone: str
    week: tuple[Windows, ...]
    region: Region | None
    makeup: Windows
    days: Mapping[date, SpecialDay]
    """Dates of one's own; they win over holidays."""
    valid_from: datetime | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many tickets are looked at again, because they have clocks that started since the new version holds."""

    retargeting: int


async def write_calendar(
    tx: Transaction, id: str, asked: CalendarAsked, *, by: str, version: int, at: datetime
) -> tuple[CalendarRow, Outcome]:
    """Write the next version of a calendar, which the caller saw at ``version``; 0 for a new one.

    Raises:
        Stale: it has changed since.
        Invalid: no promise could be reckoned with it, or nobody has such holidays.
    """
    await levels.lock_to_change(tx)
    known = await levels.service_levels(tx)
    newest = known.calendar(id)
    _demand_version(newest, version)
    days = _special_days(asked, at)
    edition = await levels.next_edition(tx)
    valid_from = asked.valid_from or at
    row = CalendarRow(_calendar(id, edition, asked, days, valid_from), asked.region, asked.makeup, Written(by, at))
    await levels.insert_calendar(tx, row)
    return row, await _reach(tx, "calendar", id, edition, valid_from if known.uses(id) else at, at)


async def write_policy(tx: Transaction, asked: Policy, *, by: str, version: int, at: datetime) -> tuple[PolicyRow, Outcome]:
    """Write the next version of a policy, which the caller saw at ``version``; 0 for a new one.

    Raises:
        Stale: it has changed since.
        Invalid: there is no such calendar.
        PolicyTwin: another policy is for the same.
        PolicyGap: some tickets would be promised nothing.
    """
    await levels.lock_to_change(tx)
    known = await levels.service_levels(tx)
    newest = known.policy(asked.id)
    _demand_version(newest, version)
    if asked.calendar is not None and known.calendar(asked.calendar) is None:
        raise Invalid.field("/calendar", "unknown_calendar", f"There is no calendar {asked.calendar}.")
    edition = await levels.next_edition(tx)
    policy = replace(asked, version=edition)
    _demand_order(known.with_policy(policy), policy)
    row = PolicyRow(policy, Written(by, at))
    await levels.insert_policy(tx, row)
    return row, await _reach(tx, "policy", policy.id, edition, policy.valid_from, at)


async def write_team_hours(tx: Transaction, team: str, calendar: str | None, at: datetime) -> None:
    """Have a team work by another calendar from ``at`` on. The caller holds `levels.lock_to_change`.

    Raises:
        Invalid: there is no such calendar.
    """
    known = await levels.service_levels(tx)
    if calendar is not None and known.calendar(calendar) is None:
        raise Invalid.field("#/calendar", "unknown_calendar", f"There is no calendar {calendar}.")
    edition = await levels.next_edition(tx)
    await team_hours.insert(tx, TeamHours(team, edition, calendar, at))
    # those that were opened while this change waited for the lock
    await levels.arm_retargeting(tx, RETARGET, since=at, due_at=at)


def _demand_order(levels_then: ServiceLevels, policy: Policy) -> None:
    """From when the new version holds, one policy and no other is for each case."""
    if policy.is_active:
        for turn in levels_then.turns:
            if turn >= policy.valid_from and (twins := levels_then.twins(policy, turn)):
                raise PolicyTwin(f"{twins[0].id} is for the same type, priority and tier.", facts={"policy": twins[0].id})
    if gaps := levels_then.gaps():
        priority, since = gaps[0]
        raise PolicyGap(f"From {since.isoformat()} on nothing would be promised for {priority}.", facts={"priority": str(priority)})


def _demand_version(newest: Calendar | Policy | None, version: int) -> None:
    current = newest.version if newest else 0
    if current != version:
        raise Stale("It was changed since you read it.", facts={"current_version": current})


async def _reach(tx: Transaction, kind: str, id: str, version: int, valid_from: datetime, at: datetime) -> Outcome:
    """Have the tickets that it concerns looked at again."""
    count = await levels.arm_retargeting(tx, RETARGET, since=valid_from, due_at=at) if valid_from < at else 0
    log.info("service_levels_changed", kind=kind, key=id, version=version, retargeting=count)
    return Outcome(count)


def _special_days(asked: CalendarAsked, at: datetime) -> Mapping[date, SpecialDay]:
    if asked.region is None:
        return asked.days
    first = min(at.year - YEARS_BACK, (asked.valid_from or at).year)
    try:
        public = special_days(asked.region, range(first, at.year + YEARS_AHEAD + 1), asked.makeup)
    except UnknownRegion as error:
        raise Invalid.field("/holidays", "unknown_region", str(error)) from error
    return {**public, **asked.days}


def _calendar(id: str, version: int, asked: CalendarAsked, days: Mapping[date, SpecialDay], valid_from: datetime) -> Calendar:
    try:
        return Calendar(id, version, asked.zone, asked.week, days, valid_from)
    except NeverOpen as error:
        raise Invalid.field("/week", "never_open", str(error)) from error
    except OverlappingWindows as error:
        raise Invalid.field("/week", "overlapping_windows", str(error)) from error


def own_days(days: Sequence[tuple[date, Windows, str]]) -> Mapping[date, SpecialDay]:
    """Dates that the organisation itself decides about."""
    return {day: SpecialDay(windows, Source.OVERRIDE, name) for day, windows, name in days}
