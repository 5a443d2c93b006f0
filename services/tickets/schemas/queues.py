"""Queues, and whose a ticket is and why, as callers see them."""

from __future__ import annotations

from pydantic import AwareDatetime, BaseModel, Field


class QueueView(BaseModel):
    """What waits for somebody of a team."""

    team: str
    name: str
    active: bool
    waiting: int
    by_priority: dict[str, int] = Field(description="how many wait; priorities of which none waits are left out")
    oldest_opened_at: AwareDatetime | None
    at_work: int = Field(description="agents of the team who are present")


class WaitingView(BaseModel):
    """A ticket in a queue."""

    number: str
    priority: str
    tier: str
    type: str | None
    category: str | None
    channel: str
    opened_at: AwareDatetime
    needed_skills: list[str]


class AssignmentView(BaseModel):
    """Whose the ticket became with one of its versions, and why."""

    version: int = Field(description="of the ticket, with this assignment")
    at: AwareDatetime
    actor: str = Field(description="principal id of staff, or system, customer")
    team: str | None
    agent: str | None = Field(description="none: it waited in the team's queue")
    code: str | None = Field(description="taken, taken_over, handed_over, round_robin, dedicated, queued; none: opened into the queue")
    reason: str | None
    needed_skills: list[str]
    teams: dict[str, str] = Field(description="verdict on each team, where one was chosen")
    candidates: dict[str, str] = Field(description="verdict on each agent of the team, where one was looked for")


class AssignmentHistory(BaseModel):
    """Whose the ticket is now and whose it was."""

    number: str
    team: str | None
    agent: str | None
    items: list[AssignmentView] = Field(description="oldest first")
