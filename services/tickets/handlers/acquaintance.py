"""What intake tells about customers: their language and tier, and which of them turned out to be one person."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from services.tickets.store import candidates, customers, levels
from services.tickets.workflow.ticket import RETARGET
from shared import clock
from shared.database import Transaction
from shared.events.envelope import Event
from shared.events.intake import CustomerGraded, CustomerMerged, CustomerRegistered, CustomerUnmerged, CustomerUpdated


async def keep(tx: Transaction, events: Sequence[Event]) -> None:
    """Keep what a batch tells, the newest of each customer. Before the batch's messages are looked at: they may be the same person's."""
    files: dict[UUID, tuple[str, str]] = {}
    tiers: dict[UUID, str] = {}
    merged: dict[UUID, UUID | None] = {}
    for event in events:
        match event:
            case CustomerRegistered(customer_id=id) | CustomerUpdated(customer_id=id):
                files[id] = (event.locale, event.tier)
                tiers.pop(id, None)
            case CustomerGraded(customer_id=id) if id in files:
                files[id] = (files[id][0], event.tier)
            case CustomerGraded(customer_id=id):
                tiers[id] = event.tier
            case CustomerMerged(customer_id=id):
                merged[id] = event.into_customer_id
            case CustomerUnmerged(customer_id=id):
                merged[id] = None
            case _:
                continue
    await customers.save(tx, files)
    await customers.grade(tx, tiers)
    await customers.merge(tx, merged)


async def look_again(tx: Transaction, events: Sequence[Event]) -> None:
    """Have the tickets looked at again whose customers have another tier by what a batch tells; tickets are locked before timers."""
    changed = {event.customer_id for event in events if isinstance(event, CustomerGraded | CustomerMerged)}
    if changed:
        # tickets keep the id that they were written with, so a person's are found under all his ids
        persons = await candidates.families(tx, changed)
        await levels.arm_regrading(tx, RETARGET, set().union(*(ids for _, ids in persons.values())), due_at=clock.now())
