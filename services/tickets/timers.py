"""The clock's door: due times of targets, and the end of the reopen window."""

from __future__ import annotations

from services.tickets.handlers import deadlines
from services.tickets.store import loading
from shared.runtime import AnyRuntime
from shared.timers import TimerSpec


def create_timers(runtime: AnyRuntime) -> TimerSpec:
    """What the timer loop locks, and what it does. Subjects are ticket numbers."""
    return TimerSpec(lock=loading.lock_idle, fire=deadlines.fire)
