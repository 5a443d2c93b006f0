"""The bus's door: requests and customers from intake, survey answers from feedback."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from services.tickets.handlers import reception
from services.tickets.handlers.visits import tracking_of
from shared.consumer import Handle, Received
from shared.database import Transaction
from shared.events.envelope import Event
from shared.events.feedback import SurveyAnswered
from shared.events.intake import (
    CustomerGraded,
    CustomerMerged,
    CustomerRegistered,
    CustomerUnmerged,
    CustomerUpdated,
    RequestDismissed,
    RequestReceived,
)
from shared.runtime import AnyRuntime

READS: Final[frozenset[type[Event]]] = frozenset(
    {
        RequestReceived, RequestDismissed, CustomerRegistered, CustomerUpdated, CustomerGraded, CustomerMerged, CustomerUnmerged,
        SurveyAnswered,
    }
)  # fmt: skip
"""The types that the handler looks at; of the others only the numbers count."""
BATCH: Final = 1_000
"""Requests of one transaction at most, when many wait: what a transaction costs by itself is shared by them."""


def create_handler(runtime: AnyRuntime) -> Handle:
    """What the consumer calls with each batch, in its transaction."""

    tracking = tracking_of(runtime.settings)

    async def handle(tx: Transaction, received: Sequence[Received]) -> None:
        await reception.receive(tx, [record.event for record in received], tracking)

    return handle
