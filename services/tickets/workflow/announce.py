"""What the rest of the house hears about a change: the contracts' events, each holding the ticket's dimensions after the change.

One fact, one event. What an event of its own already tells is not told again: an opened ticket holds its targets, a resolved one the
attainment of its resolution target.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Final

from services.tickets import sla
from services.tickets.sla import Clock, TargetName
from services.tickets.workflow import changes
from services.tickets.workflow.changes import Change
from services.tickets.workflow.evolution import OutOfOrder, evolve
from services.tickets.workflow.ticket import Ticket
from shared.events import tickets as contract

MERGED: Final = "merged"
"""Kind of the link that the ticket which goes on has to the one that was merged into it."""


def announce_opening(ticket: Ticket, change: Change) -> contract.TicketOpened:
    """The one event of a fresh ticket."""
    fact = change.fact
    assert isinstance(fact, changes.Opened)
    return contract.TicketOpened(
        **_envelope(ticket, change),
        request_id=fact.request_id,
        opened_at=ticket.opened_at,
        linked_to=ticket.linked_to,
        entered_by=fact.entered_by,
        assignment=fact.assignment,
        first_response=target(ticket.first_response, change.at),
        resolution=target(ticket.resolution, change.at),
    )


def announce(before: Ticket, history: Iterable[Change]) -> Iterator[contract.TicketEvent]:
    """The events of consecutive changes of one ticket."""
    for change in history:
        after = evolve(before, change)
        yield from announce_change(before, after, change)
        before = after


def announce_change(before: Ticket, after: Ticket, change: Change) -> Iterator[contract.TicketEvent]:
    """The events of one change."""
    # what the customer gets tells that he was reminded, and each clock that another promise concerns tells it for itself
    if not isinstance(change.fact, changes.Reminded | changes.Retargeted):
        yield _event(before, after, change)
    yield from _clock_events(before, after, change)


def target(clock: Clock, at: datetime) -> contract.Target:
    """The clock as it stood at ``at``."""
    end = clock.met_at or at
    return contract.Target(
        started_at=clock.started_at,
        due_at=sla.due_at(clock, end),
        met_at=clock.met_at,
        paused_ms=sla.milliseconds(sla.paused_time(clock, end)),
        business_ms=None if clock.met_at is None else sla.milliseconds(sla.running_time(clock, clock.met_at)),
        policy_version=clock.promise.edition,
        policy=clock.promise.policy.id,
        calendar=clock.promise.hours.id,
    )


def dimensions(ticket: Ticket) -> contract.Dimensions:
    """What reports group by."""
    return contract.Dimensions(
        type=ticket.type,
        status=ticket.status,
        step=ticket.step,
        priority=ticket.priority,
        category=ticket.category,
        root_topic=ticket.root_topic,
        channel=ticket.channel,
        team=ticket.team,
        agent=ticket.assignee,
        tier=ticket.tier,
        product_model=ticket.product_model,
        batch=ticket.batch,
    )


def _envelope(ticket: Ticket, change: Change) -> dict[str, Any]:
    return {
        "occurred_at": change.at,
        "ticket_number": ticket.number,
        "ticket_version": ticket.version,
        "customer_id": ticket.customer_id,
        "dimensions": dimensions(ticket),
        "actor": change.actor,
    }


def _event(before: Ticket, after: Ticket, change: Change) -> contract.TicketEvent:
    envelope = _envelope(after, change)
    match change.fact:
        case changes.MessageAdded(request_id=request_id, reference=reference, thanks=thanks, matched_by=matched_by):
            return contract.TicketMessageAdded(
                **envelope,
                request_id=request_id,
                reference=reference,
                thanks=thanks,
                matched_by=matched_by,
                next_response=_running(after.next_response, change.at),
            )
        case changes.Replied(message_id=message_id, public=public):
            return contract.TicketReplied(**envelope, message_id=message_id, public=public)
        case changes.Triaged():
            return contract.TicketTriaged(**envelope)
        case changes.Assigned(code=code):
            return contract.TicketAssigned(**envelope, previous_agent=before.assignee, previous_team=before.team, reason=code)
        case changes.StatusChanged(action=action, reason=reason):
            return contract.TicketStatusChanged(**envelope, previous_status=before.status, action=action, reason=reason)
        case changes.Warned() | changes.Breached() | changes.Escalated():
            return _deadline_event(after, change, change.fact, envelope)
        case _:
            return _outcome_event(before, after, change, envelope)


def _outcome_event(before: Ticket, ticket: Ticket, change: Change, envelope: dict[str, Any]) -> contract.TicketEvent:
    match change.fact:
        case changes.Resolved(resolution_code=code):
            return contract.TicketResolved(
                **envelope,
                episode=ticket.episode,
                resolution_code=code,
                opened_at=ticket.opened_at,
                locale=ticket.locale,
                first_response=target(ticket.first_response, change.at),
                resolution=target(ticket.resolution, change.at),
            )
        case changes.Confirmed():
            return contract.TicketConfirmed(**envelope, episode=ticket.episode)
        case changes.Reopened(reason=reason):
            assert ticket.resolved_at is not None
            return contract.TicketReopened(
                **envelope,
                episode=ticket.episode,
                resolved_at=ticket.resolved_at,
                reason=reason,
                resolution=target(ticket.resolution, change.at),
            )
        case changes.Closed(reason=reason):
            return contract.TicketClosed(**envelope, reason=reason)
        case changes.Cancelled(reason=reason):
            return contract.TicketCancelled(**envelope, reason=reason)
        case _:
            return _case_event(before, ticket, change, envelope)


def _case_event(before: Ticket, ticket: Ticket, change: Change, envelope: dict[str, Any]) -> contract.TicketEvent:
    match change.fact:
        case changes.StepChanged():
            return contract.TicketStepChanged(**envelope, previous_step=before.step)
        case changes.Merged(into=into):
            return contract.TicketMerged(**envelope, into_number=into, previous_status=before.status)
        case changes.Unmerged(parted_from=parted_from):
            return contract.TicketUnmerged(
                **envelope,
                from_number=parted_from,
                first_response=target(ticket.first_response, change.at),
                resolution=target(ticket.resolution, change.at),
            )
        case changes.Absorbed(number=number, removed=removed):
            return contract.TicketLinked(**envelope, other_number=number, kind=MERGED, removed=removed)
        case changes.Linked(other=other, kind=kind, removed=removed):
            return contract.TicketLinked(**envelope, other_number=other, kind=kind, removed=removed)
        case _:
            raise OutOfOrder(f"{ticket.number}: {type(change.fact).__name__} is no change of a ticket that is open")


def _deadline_event(
    ticket: Ticket, change: Change, fact: changes.Warned | changes.Breached | changes.Escalated, envelope: dict[str, Any]
) -> contract.TicketEvent:
    if isinstance(fact, changes.Escalated):
        return contract.TicketEscalated(**envelope, level=fact.level, reason=fact.reason, target=fact.target)
    clock = ticket.clock(fact.target)
    assert clock is not None
    kind = contract.SlaWarned if isinstance(fact, changes.Warned) else contract.SlaBreached
    return kind(**envelope, target=fact.target.value, clock=target(clock, change.at))


def _running(clock: Clock | None, at: datetime) -> contract.Target | None:
    return None if clock is None or not clock.is_open else target(clock, at)


def _clock_events(before: Ticket, after: Ticket, change: Change) -> Iterator[contract.SlaEvent]:
    """Responses that were given, and due times that moved. What `ticket.resolved` and `ticket.reopened` hold is not repeated."""
    for name, new in after.clocks.items():
        old = before.clock(name)
        if old is None or old == new or old.started_at != new.started_at:
            continue
        if name is not TargetName.RESOLUTION and old.met_at is None and new.met_at is not None:
            yield contract.SlaMet(**_envelope(after, change), target=name.value, clock=target(new, change.at))
        elif _moved(old, new):
            yield contract.SlaRetargeted(**_envelope(after, change), target=name.value, clock=target(new, change.at))


def _moved(old: Clock, new: Clock) -> bool:
    """Another promise, or a pause that ended while the target is still open."""
    promised = (old.budget, old.promise) != (new.budget, new.promise)
    return promised or (old.is_paused and not new.is_paused and new.is_open)
