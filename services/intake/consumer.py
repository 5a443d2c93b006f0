"""The bus's door: facts about tickets and surveys, and what tickets and feedback want their customers to know."""

from __future__ import annotations

from collections.abc import Sequence

from services.intake.handlers.facts import learn
from services.intake.settings import IntakeSettings
from shared import clock
from shared.consumer import Handle, Received
from shared.database import Transaction
from shared.runtime import Runtime


def create_handler(_runtime: Runtime[IntakeSettings]) -> Handle:
    """The handler of everything that intake consumes."""
    return handle


async def handle(tx: Transaction, received: Sequence[Received]) -> None:
    """Take in one polled batch."""
    await learn(tx, [(record.event_id, record.event) for record in received], due_at=clock.real_now())
