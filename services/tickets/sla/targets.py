"""What is promised, and what decides how soon."""

from __future__ import annotations

from enum import StrEnum


class Priority(StrEnum):
    """How soon somebody must look; budgets depend on it."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    URGENT = "urgent"


class TargetName(StrEnum):
    """What is promised."""

    FIRST_RESPONSE = "first_response"
    """The first public message of a human to the customer's first message. Never paused."""
    NEXT_RESPONSE = "next_response"
    """A public message after the customer's oldest unanswered one. At most one of its clocks is open."""
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
    """It ended in a way that takes the target out of every count (cancelled, merged, or nothing left to answer)."""
