"""The door of the bus: what intake and tickets tell becomes one call of the handler per batch."""

from __future__ import annotations

from collections.abc import Sequence

from services.feedback.handlers import inviting
from services.feedback.handlers.inviting import READS, Inviting
from services.feedback.settings import FeedbackSettings
from shared import clock
from shared.consumer import Handle, Received
from shared.database import Transaction
from shared.runtime import Runtime

__all__ = ["READS", "make_handler"]


def make_handler(runtime: Runtime[FeedbackSettings]) -> Handle:
    """The handler of this process."""
    ways = Inviting.told_by(runtime.settings)

    async def handle(tx: Transaction, records: Sequence[Received]) -> None:
        await inviting.follow(tx, [record.event for record in records], inviting=ways, at=clock.now())

    return handle
