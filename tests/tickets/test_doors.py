"""The bus's door and the clock's door lead to the same desk."""

from __future__ import annotations

from uuid import uuid4

import pytest

from services.tickets.__main__ import SERVICE
from services.tickets.consumer import create_handler
from services.tickets.timers import create_timers
from shared import clock
from shared.consumer import Received
from shared.database import Database
from shared.events.envelope import Event
from shared.events.intake import NotificationDelivered
from shared.timers import TimerLoop
from tests.tickets.builders import DAY, customer_registered, request_received
from tests.tickets.conftest import Door
from tests.tickets.observation import numbers, types_told

pytestmark = pytest.mark.postgres


def received(*events: Event) -> list[Received]:
    """What the consumer hands over."""
    return [
        Received(event.TOPIC.name, 0, seq, uuid4(), event.TYPE, event.key, event.occurred_at, event, seq - 1)
        for seq, event in enumerate(events, 1)
    ]


async def test_a_batch_from_the_bus_opens_tickets_and_leaves_the_rest(door: Door, tickets_database: Database) -> None:
    request, customer = request_received(occurred_at=clock.now() - DAY), customer_registered()
    delivered = NotificationDelivered(
        occurred_at=clock.now(), notification_id=uuid4(), customer_id=customer.customer_id, kind="ticket_reply", channel="email"
    )

    async with tickets_database.transaction() as tx:
        await create_handler(door.app.state.runtime)(tx, received(customer, delivered, request))
    await TimerLoop(tickets_database, create_timers(door.app.state.runtime)).round()

    assert await numbers(tickets_database) == [request.reference]
    assert await types_told(tickets_database, request.reference) == [
        "ticket.opened.v1",
        "sla.warned.v1",
        "sla.breached.v1",
        "ticket.escalated.v1",
    ]


async def test_a_batch_that_holds_nothing_for_tickets_writes_nothing(door: Door, tickets_database: Database) -> None:
    async with tickets_database.transaction() as tx:
        await create_handler(door.app.state.runtime)(tx, [])

    assert await numbers(tickets_database) == []


def test_the_service_says_what_it_is() -> None:
    assert (SERVICE.name, SERVICE.settings.service, SERVICE.migrations.name) == ("tickets", "tickets", "migrations")
    assert (SERVICE.migrations / "versions").is_dir()
