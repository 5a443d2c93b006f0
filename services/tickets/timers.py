"""The clock's door: due times of targets, reminders, the ends of waiting and of the reopen window."""

from __future__ import annotations

from functools import partial

from services.tickets.handlers import deadlines, queues
from services.tickets.handlers.visits import tracking_of
from shared.runtime import AnyRuntime
from shared.timers import TimerSpec


def create_timers(runtime: AnyRuntime) -> TimerSpec:
    """What the timer loop locks, and what it does. Subjects are ticket numbers, and teams and agents (see `handlers/queues.py`)."""
    return TimerSpec(lock=queues.lock, fire=partial(deadlines.fire, tracking=tracking_of(runtime.settings)))
