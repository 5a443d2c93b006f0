"""The bus's door: requests and customers from intake, survey answers from feedback."""

from __future__ import annotations

from collections.abc import Sequence

from services.tickets.handlers import reception
from services.tickets.handlers.visits import tracking_of
from shared.consumer import Handle, Received
from shared.database import Transaction
from shared.runtime import AnyRuntime


def create_handler(runtime: AnyRuntime) -> Handle:
    """What the consumer calls with each batch, in its transaction."""

    tracking = tracking_of(runtime.settings)

    async def handle(tx: Transaction, received: Sequence[Received]) -> None:
        await reception.receive(tx, [record.event for record in received], tracking)

    return handle
