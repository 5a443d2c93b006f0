"""Promised times: pure decisions over frozen values.

wall.py             from local time to the instant, across changes of the clocks
calendar.py         business calendars: business time between two instants, and added to one
public_holidays.py  the holidays and make-up days of a region
clocks.py           the clocks of a ticket
"""

from services.tickets.sla.clocks import (
    NO_TIME,
    Budgets,
    Clock,
    ClockState,
    Pause,
    Policy,
    Priority,
    TargetName,
    announce_breach,
    deadline,
    due_at,
    meet,
    milliseconds,
    pause,
    paused_time,
    restart,
    resume,
    retarget,
    running_time,
    start,
    state,
    stop,
    unstop,
)

__all__ = [
    "NO_TIME",
    "Budgets",
    "Clock",
    "ClockState",
    "Pause",
    "Policy",
    "Priority",
    "TargetName",
    "announce_breach",
    "deadline",
    "due_at",
    "meet",
    "milliseconds",
    "pause",
    "paused_time",
    "restart",
    "resume",
    "retarget",
    "running_time",
    "start",
    "state",
    "stop",
    "unstop",
]
