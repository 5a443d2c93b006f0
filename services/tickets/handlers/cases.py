"""What joins and parts tickets: merges with their undoing, and links. Two tickets at once, locked in the order of their numbers."""

from __future__ import annotations

from datetime import datetime

from services.tickets.handlers import assigning
from services.tickets.handlers.versions import seen
from services.tickets.store import customers, links, loading, merges
from services.tickets.store.levels import service_levels
from services.tickets.workflow import merging
from services.tickets.workflow.actions import advance
from services.tickets.workflow.commands import Actor, Link, Merge, Merging, Parting, Unlink, Unmerge
from services.tickets.workflow.docket import Docket
from services.tickets.workflow.ticket import Ticket
from shared import outbox, telemetry
from shared.database import Transaction
from shared.errors import Invalid

log = telemetry.logger()

Asked = Merging | Parting | Link | Unlink

LINK_TO_ITSELF = "link_to_itself"
ALREADY_LINKED = "already_linked"
NOT_LINKED = "not_linked"


async def act(tx: Transaction, number: str, asked: Asked, docket: Docket, *, by: Actor, version: int, at: datetime) -> Ticket:
    """Carry out what concerns two tickets; the one that was acted on. ``docket`` is empty and gets both.

    Raises:
        NotFound: no such ticket.
        Invalid: no such other ticket.
        Stale: one of them has changed since the caller saw it.
        TransitionRefused: the workflow does not allow it.
    """
    match asked:
        case Merging():
            ticket = await _merge(tx, number, asked, docket, by, version, at)
        case Parting():
            ticket = await _part(tx, number, docket, by, version, at)
        case Link() | Unlink():
            ticket = await _link(tx, number, asked, docket, by, version, at)
    await assigning.save(tx, docket, {})
    await outbox.append(tx, docket.events)
    log.info("ticket_acted_on", number=ticket.number, action=str(asked.ACTION), version=ticket.version, status=str(ticket.status))
    return ticket


# ------------------------------------------------------------------ merges


async def _merge(tx: Transaction, number: str, asked: Merging, docket: Docket, by: Actor, version: int, at: datetime) -> Ticket:
    named = await _other(tx, asked.into, "into")
    root = (await merges.roots(tx, [named]))[named]
    tickets = await _locked(tx, docket, number, root)
    child, into = seen(tickets, number, version), seen(tickets, root, asked.version)
    owners = await customers.canonical(tx, {child.customer_id, into.customer_id})
    same = owners[child.customer_id] == owners[into.customer_id]
    command = Merge(root, merging.obstacle(child, named, into, same_customer=same))
    child = docket.record(*advance(child, command, by=by, at=at, policy=await service_levels(tx)))
    docket.record(*merging.absorb(into, number, by=by, at=at))
    return child


async def _part(tx: Transaction, number: str, docket: Docket, by: Actor, version: int, at: datetime) -> Ticket:
    root = await merges.merged_into(tx, number)
    tickets = await _locked(tx, docket, number, *([root] if root else []))
    child = seen(tickets, number, version)
    merge = await merges.newest_merge(tx, number) if child.merged_into else None
    # without a merge the workflow refuses it for the status
    command = Unmerge(merge.status, merge.paused) if merge else Unmerge(child.status)
    child = docket.record(*advance(child, command, by=by, at=at, policy=await service_levels(tx)))
    if root is not None:
        docket.record(*merging.release(tickets[root], number, by=by, at=at))
    return child


# ------------------------------------------------------------------ links


async def _link(tx: Transaction, number: str, asked: Link | Unlink, docket: Docket, by: Actor, version: int, at: datetime) -> Ticket:
    other = await _other(tx, asked.other, "other")
    tickets = await _locked(tx, docket, number, other)
    ticket = seen(tickets, number, version)
    linked = await links.exists(tx, number, other, asked.kind)
    command: Link | Unlink
    if isinstance(asked, Link):
        obstacle = LINK_TO_ITSELF if other == number else ALREADY_LINKED if linked else None
        command = Link(other, asked.kind, obstacle)
    else:
        command = Unlink(other, asked.kind, None if linked else NOT_LINKED)
    ticket = docket.record(*advance(ticket, command, by=by, at=at, policy=await service_levels(tx)))
    if isinstance(command, Link):
        await links.add(tx, number, other, asked.kind, by=by.id, at=ticket.changed_at)
    else:
        await links.remove(tx, number, other, asked.kind)
    return ticket


# ------------------------------------------------------------------ what both need


async def _other(tx: Transaction, reference: str, field: str) -> str:
    found = (await loading.resolve(tx, [reference])).get(reference)
    if found is None:
        raise Invalid.field(f"/params/{field}", "ticket_unknown", "There is no ticket of this number.")
    return found


async def _locked(tx: Transaction, docket: Docket, *numbers: str) -> dict[str, Ticket]:
    await loading.lock(tx, numbers)
    tickets = await loading.load(tx, numbers)
    docket.add(tickets)
    return tickets
