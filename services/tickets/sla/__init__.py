"""Promised times: pure decisions over frozen values.

wall.py             from local time to the instant, across changes of the clocks
calendar.py         business calendars: business time between two instants, and added to one
public_holidays.py  the holidays and make-up days of a region
targets.py          what is promised
policies.py         to whom, which policy holds, and why
clocks.py           the clocks of a ticket
reckoning.py        a clock's time day by day, for people
values.py           values that are made very often
"""

from services.tickets.sla.calendar import NO_TIME, Calendar
from services.tickets.sla.clocks import (
    Clock,
    Pause,
    announce_breach,
    announce_warning,
    announcement,
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
    warn_at,
)
from services.tickets.sla.policies import Case, Escalation, Policy, Promise, Reason, ServiceLevels, TeamHours
from services.tickets.sla.targets import ClockState, Priority, TargetName

__all__ = [
    "NO_TIME",
    "Calendar",
    "Case",
    "Clock",
    "ClockState",
    "Escalation",
    "Pause",
    "Policy",
    "Priority",
    "Promise",
    "Reason",
    "ServiceLevels",
    "TargetName",
    "TeamHours",
    "announce_breach",
    "announce_warning",
    "announcement",
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
    "warn_at",
]
