"""The reckoning of a ticket's targets as people are shown it."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field

from services.tickets.schemas.levels import WindowView
from services.tickets.sla import ClockState, Priority, TargetName
from services.tickets.sla.policies import HoursOf
from services.tickets.workflow.chronicle import Event


class CandidateView(BaseModel):
    """A policy in force when the clock started."""

    policy: str
    version: int
    named: list[str] = Field(
        description="what it is restricted to, the weightiest first: more names win, then tier before type before priority"
    )
    misses: list[str] = Field(description="where it is for something else; none: it matches")
    chosen: bool


class HoursView(BaseModel):
    """The calendar that was used."""

    id: str
    version: int
    zone: str
    chosen_by: HoursOf = Field(description="who named it: the policy, else the team; nobody: around the clock")
    team: str | None = Field(description="the ticket's team, where its hours were used; null also after it went on to another one")


class PauseView(BaseModel):
    """An interval in which the clock stood still."""

    started_at: AwareDatetime
    ended_at: AwareDatetime | None
    business_ms: int = Field(description="business time of it, until now while it lasts")


class StepView(BaseModel):
    """What happened to the clock, and how it stood afterwards."""

    event: Event
    at: AwareDatetime
    version: int = Field(description="of the ticket")
    actor: str
    policy: str
    policy_version: int = Field(description="version of that policy")
    calendar: str
    budget_ms: int
    due_at: AwareDatetime


class DayView(BaseModel):
    """What one date contributes; the last `run_ms` is what the clock has run."""

    date: date
    windows: list[WindowView] = Field(description="those that begin on this date")
    source: str | None = Field(description="why they are not those of the weekday: holiday, makeup, override")
    name: str
    business_ms: int = Field(description="open time of this date within the clock's life")
    paused_ms: int
    run_ms: int = Field(description="so far, pauses left out")


class ReckoningView(BaseModel):
    """One target, reckoned."""

    target: TargetName
    state: ClockState
    started_at: AwareDatetime
    policy: str
    policy_version: int = Field(description="version of that policy")
    edition: int = Field(description="of all service levels when the promise was given; policy_version of events")
    calendar: HoursView
    budget_ms: int
    warn_at: AwareDatetime | None
    due_at: AwareDatetime = Field(description="while paused it moves on with the time")
    met_at: AwareDatetime | None
    stopped_at: AwareDatetime | None
    business_ms: int = Field(description="business time that has run, pauses left out; of a met target the final figure")
    paused_ms: int
    remaining_ms: int = Field(description="of the budget; below 0 when it is used up")
    candidates: list[CandidateView]
    pauses: list[PauseView]
    steps: list[StepView] = Field(description="of every clock that the target has had; empty in a what-if")
    days: list[DayView]
    days_truncated: bool = Field(description="the reckoning is longer than the list")


class CaseView(BaseModel):
    """What policy and hours are chosen by."""

    type: str | None
    priority: Priority
    tier: str
    team: str | None


class Explanation(BaseModel):
    """Why the targets of a ticket stand as they do."""

    number: str
    version: int
    customer_id: UUID
    at: AwareDatetime
    case: CaseView
    what_if: bool = Field(description="reckoned under another policy or priority, or in another team, than the ticket's")
    targets: list[ReckoningView]
