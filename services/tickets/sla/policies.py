"""Service level policies: what is promised to whom, which of them holds for a ticket, and why.

A policy names what it is for: a type, a priority, a tier, or any of these. Of those that match, the one that names most wins; among equals
a tier weighs more than a type, a type more than a priority. Policies and calendars are versions that never change. All of them together are
an *edition*, counted on with every change, so a later promise always carries the higher number.

Which version holds for a clock depends on when the clock started, not on when somebody looks: a change dated into the past therefore
reaches the clocks that started since, and no others.

The hours are those of the calendar that the policy names; where it names none, those in which the ticket's team works when the clock
starts; and around the clock where there is no team, or it names none either.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from services.tickets.sla.calendar import ALWAYS, AROUND_THE_CLOCK, Calendar
from services.tickets.sla.targets import Priority, TargetName

CUSTOMER: Final = "customer"
"""Waiting for him pauses every policy's next response and resolution."""


class NothingPromised(LookupError):
    """No policy matches: somebody left a gap."""


class Reason(StrEnum):
    """Why the clocks escalate a ticket."""

    WARNED = "sla_warned"
    BREACHED = "sla_breached"


@dataclass(frozen=True, slots=True)
class Escalation:
    """Who has to look when a target comes close or is missed: 1 is the lead, 2 the manager."""

    reason: Reason
    level: int
    target: TargetName | None = None
    """Any, when None."""


class Case(NamedTuple):
    """What a policy is chosen by, and the hours."""

    type: str | None
    priority: Priority
    tier: str
    team: str | None = None
    """Whose hours count where the policy names none."""


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """One version of one policy; two are the same when id and version are."""

    id: str
    version: int
    calendar: str | None
    """Id of the business calendar; which version of it holds depends on the time, as for policies. None: that of the ticket's team."""
    first_response: timedelta
    resolution: timedelta
    next_response: timedelta | None = None
    type: str | None = None
    priority: Priority | None = None
    tier: str | None = None
    pauses_on: frozenset[str] = frozenset({CUSTOMER})
    """What a ticket may wait for while next response and resolution stand still."""
    warn_percent: int | None = None
    """Share of the budget after which somebody is warned."""
    escalations: tuple[Escalation, ...] = ()
    valid_from: datetime = ALWAYS
    is_active: bool = True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Policy) and (self.id, self.version) == (other.id, other.version)

    def __hash__(self) -> int:
        return hash((self.id, self.version))

    @property
    def named(self) -> tuple[str, ...]:
        """What it is restricted to, the weightiest first."""
        criteria = {"tier": self.tier, "type": self.type, "priority": self.priority}
        return tuple(name for name, value in criteria.items() if value is not None)

    def misses(self, case: Case) -> tuple[str, ...]:
        """Where it is for something else; empty when it matches."""
        return tuple(name for name in self.named if getattr(self, name) != getattr(case, name))

    def budget(self, target: TargetName) -> timedelta | None:
        """What it promises; None when it promises nothing about the target."""
        match target:
            case TargetName.FIRST_RESPONSE:
                return self.first_response
            case TargetName.NEXT_RESPONSE:
                return self.next_response
            case TargetName.RESOLUTION:
                return self.resolution

    def pauses(self, cause: str) -> bool:
        """Whether next response and resolution stand still while a ticket waits for it."""
        return cause == CUSTOMER or cause in self.pauses_on

    def level(self, reason: Reason, target: TargetName) -> int:
        """How high a ticket is escalated for that; 0: not at all."""
        return max((rule.level for rule in self.escalations if rule.reason is reason and rule.target in (None, target)), default=0)


@dataclass(frozen=True, slots=True)
class TeamHours:
    """The calendar by which a team works from a moment on; None: around the clock."""

    team: str
    version: int
    calendar: str | None
    valid_from: datetime


class HoursOf(StrEnum):
    """Who named the calendar of a promise."""

    POLICY = "policy"
    TEAM = "team"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Promise:
    """The policy and the calendar that hold for a clock."""

    policy: Policy
    hours: Calendar
    edition: int = field(compare=False)
    """Of all service levels, when it was given: what events call policy_version. A later edition that says the same is the same promise."""

    @property
    def hours_of(self) -> HoursOf:
        """Who named the calendar; a team that works around the clock says no more than one that names none."""
        if self.policy.calendar is not None:
            return HoursOf.POLICY
        return HoursOf.NOBODY if self.hours.id == AROUND_THE_CLOCK.id else HoursOf.TEAM


@dataclass(frozen=True, slots=True)
class Candidate:
    """A policy that was looked at for a case."""

    policy: Policy
    misses: tuple[str, ...]
    is_chosen: bool


class ServiceLevels:
    """One edition: every version of every policy and calendar, and of the hours of every team."""

    def __init__(
        self, edition: int, policies: Iterable[Policy], calendars: Iterable[Calendar], team_hours: Iterable[TeamHours] = ()
    ) -> None:
        """The versions, in any order."""
        self.edition = edition
        self._policies = {(policy.id, policy.version): policy for policy in policies}
        self._calendars = {(calendar.id, calendar.version): calendar for calendar in calendars}
        self._team_hours = sorted(team_hours, key=lambda hours: hours.version)
        versions: list[Policy | Calendar | TeamHours] = [*self._policies.values(), *self._calendars.values(), *self._team_hours]
        self.turns = sorted({version.valid_from for version in versions})
        """When something comes into force; between two of them every case has one answer."""
        self._promises: dict[tuple[Case, int], Promise] = {}
        self._given: dict[tuple[tuple[str, int], tuple[str, int], int], Promise] = {}

    @property
    def policies(self) -> Iterable[Policy]:
        """Every version of every policy."""
        return self._policies.values()

    # -------------------------------------------------------------- choosing

    def promise(self, case: Case, at: datetime) -> Promise:
        """What holds for a clock of this case that starts at ``at``.

        Raises:
            NothingPromised: no policy matches.
        """
        key = case, bisect_right(self.turns, at)
        found = self._promises.get(key)
        if found is None:
            found = self._promises[key] = self._promised(case, at)
        return found

    def _promised(self, case: Case, at: datetime) -> Promise:
        chosen = [candidate.policy for candidate in self.candidates(case, at) if candidate.is_chosen]
        if not chosen:
            raise NothingPromised(f"no policy for {case} at {at}")
        return self.under(chosen[0], case.team, at)

    def under(self, policy: Policy, team: str | None, at: datetime) -> Promise:
        """What a given policy promises about the work of a team to a clock that starts at ``at``."""
        calendar = policy.calendar or self.team_calendar(team, at) or AROUND_THE_CLOCK.id
        return Promise(policy, self.hours(calendar, at), self.edition)

    def team_calendar(self, team: str | None, at: datetime) -> str | None:
        """The calendar by which a team works at ``at``; None where it names none, or did not exist yet."""
        found = (hours.calendar for hours in reversed(self._team_hours) if hours.team == team and hours.valid_from <= at)
        return next(found, None)

    def candidates(self, case: Case, at: datetime) -> list[Candidate]:
        """Every policy in force at ``at``, those that match first and of them the chosen one first."""
        in_force = sorted((policy for policy in self._in_force(at).values() if policy.is_active), key=lambda policy: policy.id)
        looked_at = sorted(in_force, key=lambda policy: (not policy.misses(case), _weight(policy)), reverse=True)
        return [Candidate(policy, misses := policy.misses(case), place == 0 and not misses) for place, policy in enumerate(looked_at)]

    def hours(self, calendar: str, at: datetime) -> Calendar:
        """The version of a calendar that holds at ``at``; before its first version, the first.

        Raises:
            NothingPromised: there is no such calendar.
        """
        versions = sorted((each for each in self._calendars.values() if each.id == calendar), key=lambda each: each.version)
        if not versions:
            raise NothingPromised(f"no calendar {calendar}")
        return max((each for each in versions if each.valid_from <= at), key=lambda each: each.version, default=versions[0])

    def gaps(self) -> list[tuple[Priority, datetime]]:
        """Since when a ticket of no particular type and tier would be promised nothing, for each priority."""
        return [(priority, turn) for turn in self.turns for priority in Priority if not self._covers(priority, turn)]

    def _covers(self, priority: Priority, at: datetime) -> bool:
        general = (policy for policy in self._in_force(at).values() if policy.is_active and policy.type is None and policy.tier is None)
        return any(policy.priority in (None, priority) for policy in general)

    def twins(self, policy: Policy, at: datetime) -> list[Policy]:
        """Other policies in force at ``at`` that are for exactly the same."""
        criteria = policy.type, policy.priority, policy.tier
        in_force = (other for other in self._in_force(at).values() if other.is_active and other.id != policy.id)
        return [other for other in in_force if (other.type, other.priority, other.tier) == criteria]

    def _in_force(self, at: datetime) -> Mapping[str, Policy]:
        """The newest version of each policy whose time has come."""
        found: dict[str, Policy] = {}
        for policy in self._policies.values():
            if policy.valid_from <= at and (policy.id not in found or found[policy.id].version < policy.version):
                found[policy.id] = policy
        return found

    # -------------------------------------------------------------- looking up

    def policy(self, id: str, version: int | None = None) -> Policy | None:
        """One version of a policy, or its newest."""
        if version is not None:
            return self._policies.get((id, version))
        return max((each for each in self._policies.values() if each.id == id), key=lambda each: each.version, default=None)

    def calendar(self, id: str, version: int | None = None) -> Calendar | None:
        """One version of a calendar, or its newest."""
        if version is not None:
            return self._calendars.get((id, version))
        return max((each for each in self._calendars.values() if each.id == id), key=lambda each: each.version, default=None)

    def given(self, policy: tuple[str, int], calendar: tuple[str, int], edition: int) -> Promise:
        """A promise as it was given."""
        key = policy, calendar, edition
        found = self._given.get(key)
        if found is None:
            found = self._given[key] = Promise(self._policies[policy], self._calendars[calendar], edition)
        return found

    def with_policy(self, policy: Policy) -> ServiceLevels:
        """The edition in which this version is added."""
        return ServiceLevels(policy.version, [*self._policies.values(), policy], self._calendars.values(), self._team_hours)

    def uses(self, calendar: str) -> bool:
        """Whether some version of a policy or the hours of some team name it, or it stands in where neither does."""
        named = {policy.calendar for policy in self.policies} | {hours.calendar for hours in self._team_hours}
        return calendar in named | {AROUND_THE_CLOCK.id}


def _weight(policy: Policy) -> tuple[int, bool, bool, bool, int]:
    named = policy.named
    return len(named), "tier" in named, "type" in named, "priority" in named, policy.version
