"""Intake's copy of tickets follows the bus."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.intake.consumer import handle
from shared.consumer import Received
from shared.database import Database
from shared.events.envelope import Event
from shared.events.feedback import SurveyInvited
from shared.events.tickets import (
    Dimensions,
    SlaBreached,
    Target,
    TicketAssigned,
    TicketMerged,
    TicketMessageAdded,
    TicketOpened,
    TicketReplied,
    TicketUnmerged,
)
from tests.intake.builders import rows

pytestmark = pytest.mark.postgres

AT = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)
CLOCK = Target(started_at=AT, due_at=AT + timedelta(hours=4), policy_version=1)
WANG = UUID(int=7)


def ticket(number: str, version: int, status: str) -> dict[str, Any]:
    dimensions = Dimensions(status=status, priority="normal", channel="web")
    return {
        "occurred_at": AT,
        "ticket_number": number,
        "ticket_version": version,
        "customer_id": WANG,
        "dimensions": dimensions,
        "actor": "system",
    }


def opened(number: str, **fields: Any) -> TicketOpened:
    return TicketOpened(**ticket(number, 1, "new") | {"opened_at": AT, "first_response": CLOCK, "resolution": CLOCK} | fields)


def assigned(number: str, version: int) -> TicketAssigned:
    return TicketAssigned(**ticket(number, version, "assigned"))


async def learn(database: Database, *events: Event) -> None:
    records = [Received(e.TOPIC.name, 0, n, uuid4(), e.TYPE, e.key, e.occurred_at, e, n) for n, e in enumerate(events, start=1)]
    async with database.transaction() as tx:
        await handle(tx, records)


async def statuses(database: Database) -> dict[str, tuple[str, int]]:
    return {row["number"]: (row["status"], row["version"]) for row in await rows(database, "ticket_copy")}


async def test_a_ticket_is_known_from_its_opening_on(intake_database: Database) -> None:
    await learn(intake_database, opened("AS-1"), opened("AS-1-2", linked_to="AS-1"))

    assert await statuses(intake_database) == {"AS-1": ("new", 1), "AS-1-2": ("new", 1)}


async def test_the_newest_version_counts_within_and_across_batches(intake_database: Database) -> None:
    await learn(intake_database, opened("AS-1"), assigned("AS-1", 2), opened("AS-2"))
    await learn(intake_database, opened("AS-1"), assigned("AS-2", 5))

    assert await statuses(intake_database) == {"AS-1": ("assigned", 2), "AS-2": ("assigned", 5)}


async def test_every_event_of_a_ticket_tells_its_status(intake_database: Database) -> None:
    await learn(intake_database, SlaBreached(**ticket("AS-1", 4, "in_progress"), target="resolution", clock=CLOCK))

    assert await statuses(intake_database) == {"AS-1": ("in_progress", 4)}


async def test_a_message_that_joined_a_ticket_answers_as_that_ticket(intake_database: Database) -> None:
    joined = TicketMessageAdded(**ticket("AS-1", 2, "new"), request_id=uuid4(), reference="AS-9")

    for _ in range(2):
        await learn(intake_database, opened("AS-1"), joined)

    assert [(row["reference"], row["number"]) for row in await rows(intake_database, "ticket_alias")] == [("AS-9", "AS-1")]


async def test_a_merged_ticket_names_the_one_that_goes_on_until_the_merge_is_undone(intake_database: Database) -> None:
    merged = TicketMerged(**ticket("AS-1", 2, "merged"), into_number="AS-2", previous_status="new")
    noted = TicketReplied(**ticket("AS-1", 3, "merged"), message_id=uuid4(), public=False)
    undone = TicketUnmerged(**ticket("AS-1", 5, "new"), from_number="AS-2", first_response=CLOCK, resolution=CLOCK)

    await learn(intake_database, opened("AS-1"), merged, noted)
    assert await goes_on(intake_database) == "AS-2"
    await learn(intake_database, TicketReplied(**ticket("AS-1", 4, "merged"), message_id=uuid4(), public=False))
    assert await goes_on(intake_database) == "AS-2"
    await learn(intake_database, undone)
    assert await goes_on(intake_database) is None


async def goes_on(database: Database) -> str | None:
    (row,) = await rows(database, "ticket_copy")
    into: str | None = row["merged_into"]
    return into


async def test_what_intake_does_not_need_passes_by(intake_database: Database) -> None:
    invited = SurveyInvited(
        occurred_at=AT,
        invitation_id=uuid4(),
        ticket_number="AS-1",
        episode=1,
        customer_id=WANG,
        form="T1.1",
        dimensions=Dimensions(status="resolved", priority="normal", channel="web"),
        resolved_at=AT,
        expires_at=AT,
    )

    await learn(intake_database, invited)

    assert await statuses(intake_database) == {}
