"""The door of time: planned invitations whose moment has come are sent, open ones are reminded of."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from services.feedback.handlers import inviting
from services.feedback.handlers.inviting import Inviting
from services.feedback.settings import FeedbackSettings
from services.feedback.store import invitations as store
from shared import timers
from shared.database import Transaction
from shared.runtime import Runtime
from shared.timers import Timer, TimerSpec


def make_spec(runtime: Runtime[FeedbackSettings]) -> TimerSpec:
    """What the timers of this process do."""
    ways = Inviting.told_by(runtime.settings)

    async def lock(tx: Transaction, subjects: Sequence[str]) -> Collection[str]:
        return [str(id_) for id_ in await store.lock_free(tx, [UUID(subject) for subject in subjects])]

    async def fire(tx: Transaction, due: Sequence[Timer]) -> None:
        # a process whose own clock is behind would find that nothing is due, and forget them
        await inviting.fire(tx, due, inviting=ways, at=await timers.now(tx))

    return TimerSpec(lock=lock, fire=fire)
