"""What the clock brings, dated at the due time: a due time that passed is announced, a customer who does not answer is reminded, a reopen
window that ended or a wait that was too long closes the ticket, changed service levels reach the clocks that they concern."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from services.tickets.handlers import assigning, queues
from services.tickets.proof import Tracking
from services.tickets.sla import ServiceLevels, TargetName, announcement
from services.tickets.store import loading, words
from services.tickets.store import passing as passings
from services.tickets.store.levels import service_levels
from services.tickets.workflow.actions import advance, pass_time, record
from services.tickets.workflow.changes import Change, Reminded
from services.tickets.workflow.clocks import rederive, regrade
from services.tickets.workflow.commands import SYSTEM, Close
from services.tickets.workflow.docket import Docket
from services.tickets.workflow.messages import NO_CUSTOMER_ANSWER
from services.tickets.workflow.passing import Passing, passing
from services.tickets.workflow.ticket import CLOSE, GIVE_UP, REMIND, RETARGET, Ticket, deadlines
from services.tickets.workflow.writing import write_passing
from shared import outbox, telemetry
from shared import timers as due
from shared.database import Transaction
from shared.events.envelope import Event, Written
from shared.timers import Timer

log = telemetry.logger()

WINDOW_OVER: Final = "window_over"
ENDINGS: Final = {CLOSE: WINDOW_OVER, GIVE_UP: NO_CUSTOMER_ANSWER}
"""Why a ticket is closed at each of the deadlines that close it."""


async def fire(tx: Transaction, timers: Sequence[Timer], tracking: Tracking | None = None) -> None:
    """Do what is due. The tickets are locked and the timers taken by this transaction."""
    # by the clock by which they are due: one that is ahead would tell promises as missed that are not
    until = await due.now(tx)
    timers, of_staff = queues.apart(timers)
    passed, timers = await _pass(tx, timers, until)
    if passed:
        await passings.save(tx, passed)
    told: list[Event | Written] = [event for each in passed for event in write_passing(each)]
    if timers or of_staff:
        told += await _meet_all(tx, timers, of_staff, tracking, until)
    await outbox.append(tx, told)
    log.info("deadlines_passed", fired=len(told))


async def _pass(tx: Transaction, timers: Sequence[Timer], until: datetime) -> tuple[list[Passing], list[Timer]]:
    """What can be decided without the whole tickets, and the timers of the others."""
    of_ticket = Counter(timer.subject for timer in timers)
    alone = {timer.subject: timer for timer in timers if timer.kind in _TARGETS and of_ticket[timer.subject] == 1}
    watched = await passings.load(tx, list(alone.values()), until) if alone else {}
    decided = {number: passing(each, alone[number].due_at, until) for number, each in watched.items()}
    passed = [each for each in decided.values() if each is not None]
    return passed, [timer for timer in timers if decided.get(timer.subject) is None]


async def _meet_all(
    tx: Transaction, timers: Sequence[Timer], of_staff: Sequence[Timer], tracking: Tracking | None, until: datetime
) -> list[Event | Written]:
    """Decide on whole tickets; the events of what happened to them."""
    docket = Docket(await loading.load(tx, {timer.subject for timer in timers}), tracking)
    levels = await service_levels(tx)
    tiers = await _tiers(tx, docket, timers)
    # in order of time: of two deadlines of one ticket the earlier is told first
    for timer in sorted(timers, key=lambda timer: timer.due_at):
        ticket = docket.get(timer.subject)
        if ticket is not None and _is_due(ticket, timer):
            docket.record(*_meet(ticket, timer, levels, tiers, until))
    await assigning.save(tx, docket, {}, await queues.see_to(tx, docket, of_staff, levels))
    return docket.events


def _is_due(ticket: Ticket, timer: Timer) -> bool:
    """A timer that its ticket has outlived does nothing; one of a target tells whatever of it has passed."""
    if timer.kind == RETARGET:
        return True
    if timer.kind in _TARGETS:
        running = ticket.clock(TargetName(timer.kind))
        told = None if running is None else announcement(running)
        return told is not None and told[1] <= timer.due_at
    return deadlines(ticket).get(timer.kind) == timer.due_at


_TARGETS: Final = frozenset(TargetName)


async def _tiers(tx: Transaction, docket: Docket, timers: Sequence[Timer]) -> Mapping[UUID, str]:
    """What the customers are now whose tickets are looked at again."""
    tickets = [docket.get(timer.subject) for timer in timers if timer.kind == RETARGET]
    return await words.tiers(tx, {ticket.customer_id for ticket in tickets if ticket is not None}) if tickets else {}


def _meet(
    ticket: Ticket, timer: Timer, levels: ServiceLevels, tiers: Mapping[UUID, str], until: datetime
) -> tuple[Ticket, tuple[Change, ...]]:
    """What one deadline does."""
    if timer.kind in ENDINGS:
        return advance(ticket, Close(ENDINGS[timer.kind]), by=SYSTEM, at=timer.due_at, policy=levels)
    if timer.kind == REMIND:
        return record(ticket, Reminded(), by=SYSTEM, at=max(timer.due_at, ticket.changed_at))
    if timer.kind == RETARGET:
        return _look_again(ticket, levels, tiers.get(ticket.customer_id, ticket.tier), max(timer.due_at, ticket.changed_at))
    # a warning and the breach after it may both have passed
    return pass_time(ticket, until, inclusive=True)


def _look_again(ticket: Ticket, levels: ServiceLevels, tier: str, at: datetime) -> tuple[Ticket, tuple[Change, ...]]:
    """Service levels were changed, or the customer has another tier."""
    changes: tuple[Change, ...] = ()
    if (corrected := rederive(ticket, levels, at)) is not None:
        ticket, changes = record(ticket, corrected, by=SYSTEM, at=at)
    if (graded := regrade(ticket, tier, levels, at)) is not None:
        ticket, further = record(ticket, graded, by=SYSTEM, at=at)
        changes = (*changes, *further)
    return ticket, changes
