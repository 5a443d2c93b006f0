"""What facts do to the clocks of a ticket, and what the clocks have to tell.

The first response is met by the first public message of staff. Where an agent wrote the request down, his first public message tells the
customer what was written down; the second one is the response. Only after the first response does a customer's message start a next
response; it belongs to the oldest unanswered message, is met by a public message, and ends when the ticket is resolved. Next response and
resolution stand still while the ticket waits for something that its policy pauses on; the first response never does.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Final

from services.tickets import sla
from services.tickets.sla import Case, Clock, Promise, Reason, ServiceLevels, TargetName
from services.tickets.workflow.changes import (
    Assigned,
    Breached,
    ClockFact,
    Escalated,
    MessageAdded,
    Retargeted,
    Triaged,
    Warned,
)
from services.tickets.workflow.status import OPEN, WAITING, Status
from services.tickets.workflow.ticket import Ticket

AGENT: Final = "agent"
"""Who wrote the request down, when it was staff."""
PAUSABLE: Final = (TargetName.NEXT_RESPONSE, TargetName.RESOLUTION)


# ------------------------------------------------------------------ what is promised


def case(ticket: Ticket) -> Case:
    """What a policy is chosen by."""
    return Case(ticket.type, ticket.priority, ticket.tier, ticket.team)


def promise_of_next_response(ticket: Ticket, levels: ServiceLevels, written_at: datetime) -> Promise | None:
    """What holds for the clock that a customer's message starts; None when it starts none.

    The first response must be given: until then its own clock measures. Of several unanswered messages the oldest counts, also when they
    arrive out of order.
    """
    if ticket.first_response.is_open or not (ticket.status in OPEN or ticket.may_reopen(written_at)):
        return None
    running = ticket.next_response
    if running is not None and running.is_open and running.started_at <= written_at:
        return None
    promise = levels.promise(case(ticket), written_at)
    return None if promise.policy.next_response is None else promise


def promises_after(ticket: Ticket, changed: Case, levels: ServiceLevels) -> tuple[Promise | None, Promise | None]:
    """Other promises for the targets that start with the ticket, and for a running next response; None where they stay as they are."""
    promise = levels.promise(changed, ticket.resolution.started_at)
    running = ticket.next_response
    following = levels.promise(changed, running.started_at) if running is not None and running.is_open else None
    return (
        None if promise == ticket.resolution.promise else promise,
        None if running is None or following == running.promise else following,
    )


def in_the_hours_of_its_team(ticket: Ticket, fact: Assigned, levels: ServiceLevels) -> Assigned:
    """The fact with the promises that hold in the team to which the ticket goes, if that one works in other hours."""
    here, there = case(ticket), case(ticket)._replace(team=fact.team)
    since = [clock.started_at for clock in ticket.clocks.values() if clock.is_open]
    if all(levels.promise(here, start) == levels.promise(there, start) for start in since):
        # also when the policies have changed meanwhile: that is told by itself
        return fact
    promise, following = promises_after(ticket, there, levels)
    return replace(fact, promise=promise, next_response=following)


def rederive(ticket: Ticket, levels: ServiceLevels, at: datetime) -> Retargeted | None:
    """The fact that service levels were changed with effect on this ticket's clocks; None when nothing is different for it."""
    return _effective(ticket, Retargeted(*promises_after(ticket, case(ticket), levels)), at)


def regrade(ticket: Ticket, tier: str, levels: ServiceLevels, at: datetime) -> Retargeted | None:
    """The fact that an open ticket's customer has another tier now; None when it would not be due sooner.

    A promise that was made is not taken back: a lower tier holds for his next tickets.
    """
    if tier == ticket.tier or ticket.status not in OPEN:
        return None
    fact = Retargeted(*promises_after(ticket, case(ticket)._replace(tier=tier), levels), tier=tier)
    after = apply(ticket, fact, at)
    is_sooner = all(sla.due_at(clock, at) <= sla.due_at(ticket.clocks[target], at) for target, clock in after.clocks.items())
    return _effective(ticket, fact, at) if is_sooner else None


def _effective(ticket: Ticket, fact: Retargeted, at: datetime) -> Retargeted | None:
    return None if apply(ticket, fact, at).clocks == ticket.clocks else fact


# ------------------------------------------------------------------ what facts do


def message_added(ticket: Ticket, fact: MessageAdded, at: datetime) -> Ticket:
    """A customer's message may start the next response."""
    if fact.next_response is None:
        return ticket
    started_at = fact.written_at or at
    clock = sla.start(fact.next_response, TargetName.NEXT_RESPONSE, started_at)
    # what waits for the customer goes on with his message; what waits for something else goes on waiting
    if clock is not None and ticket.resolution.is_paused and ticket.status is not Status.WAITING_CUSTOMER:
        clock = sla.pause(clock, started_at)
    return ticket._replace(next_response=clock)


def answered(ticket: Ticket, at: datetime) -> Ticket:
    """Staff wrote to the customer."""
    if ticket.entered_by == AGENT and ticket.contacted_at is None:
        return ticket._replace(contacted_at=at)
    met = ticket._replace(first_response=sla.meet(ticket.first_response, at))
    return met if met.next_response is None else met._replace(next_response=sla.meet(met.next_response, at))


def resolved(ticket: Ticket, at: datetime) -> Ticket:
    """The solution was given: nobody waits for a next response any more, nor for a first one if he spoke to the agent who wrote it down."""
    after = ticket._replace(resolution=sla.meet(ticket.resolution, at))
    if after.entered_by == AGENT:
        after = after._replace(first_response=sla.stop(after.first_response, at))
    return after if after.next_response is None else after._replace(next_response=sla.stop(after.next_response, at))


def reopened(ticket: Ticket) -> Ticket:
    """The resolution runs on, also after an ending that had taken it out of the counts."""
    return ticket._replace(resolution=sla.restart(sla.unstop(ticket.resolution, paused=False)))


def status_changed(ticket: Ticket, *, pauses: bool, at: datetime) -> Ticket:
    """The pausable targets stand still, or run again."""
    for target, clock in _clocks(ticket, *PAUSABLE):
        ticket = ticket.with_clock(target, sla.pause(clock, at) if pauses else sla.resume(clock, at))
    return ticket


def stopped(ticket: Ticket, at: datetime) -> Ticket:
    """No open target counts any more."""
    for target, clock in _clocks(ticket, *TargetName):
        ticket = ticket.with_clock(target, sla.stop(clock, at))
    return ticket


def unmerged(ticket: Ticket, paused: Collection[str]) -> Ticket:
    """What the merge had stopped runs on, but for those that stood still then: their pause goes on."""
    for target, clock in _clocks(ticket, *TargetName):
        if clock.stopped_at == ticket.closed_at:
            ticket = ticket.with_clock(target, sla.unstop(clock, paused=target in paused))
    return ticket


def repromised(ticket: Ticket, fact: Triaged | Assigned, at: datetime) -> Ticket:
    """Another type or priority, or the hours of another team, may promise something else."""
    return _retargeted(ticket, fact.promise, fact.next_response, at, also_met=False)


def apply(ticket: Ticket, fact: ClockFact, at: datetime) -> Ticket:
    """The facts that are about clocks alone."""
    match fact:
        case Warned(target=target):
            return _announced(ticket, target, sla.announce_warning)
        case Breached(target=target):
            return _announced(ticket, target, sla.announce_breach)
        case Escalated(level=level):
            return ticket._replace(escalation=max(ticket.escalation, level))
        case Retargeted(promise=promise, next_response=following):
            graded = ticket if fact.tier is None else ticket._replace(tier=fact.tier)
            # a tier changes what is still open; a change of the service levels corrects what was promised from the start
            return _retargeted(graded, promise, following, at, also_met=fact.tier is None)


def _announced(ticket: Ticket, target: TargetName, announce: Callable[[Clock], Clock]) -> Ticket:
    clock = ticket.clock(target)
    return ticket if clock is None else ticket.with_clock(target, announce(clock))


def _retargeted(ticket: Ticket, promise: Promise | None, following: Promise | None, at: datetime, *, also_met: bool) -> Ticket:
    for target, clock in _clocks(ticket, *TargetName):
        given = following if target is TargetName.NEXT_RESPONSE else promise
        if given is not None:
            clock = sla.retarget(clock, given, target, at, also_met=also_met)
            ticket = ticket.with_clock(target, _pausing(ticket, clock, at) if target in PAUSABLE else clock)
    return ticket


def _pausing(ticket: Ticket, clock: Clock, at: datetime) -> Clock:
    """Stand still or run on, as the clock's new policy says about what the ticket waits for."""
    cause = next((cause for cause, status in WAITING.items() if status is ticket.status), None)
    if cause is None:
        return clock
    return sla.pause(clock, at) if clock.promise.policy.pauses(cause) else sla.resume(clock, at)


def _clocks(ticket: Ticket, *targets: TargetName) -> Iterator[tuple[TargetName, Clock]]:
    for target in targets:
        clock = ticket.clock(target)
        if clock is not None:
            yield target, clock


# ------------------------------------------------------------------ what they have to tell


def next_announcement(ticket: Ticket) -> tuple[datetime, TargetName, Reason] | None:
    """The earliest warning or breach that has not been told."""
    found = [(told[1], target, told[0]) for target, clock in ticket.clocks.items() if (told := sla.announcement(clock)) is not None]
    return min(found, default=None, key=lambda each: each[0])


def announcement_facts(ticket: Ticket, target: TargetName, reason: Reason) -> list[ClockFact]:
    """The facts of one announcement: the warning or the breach, and that somebody higher has to look."""
    clock = ticket.clock(target)
    assert clock is not None
    level = clock.promise.policy.level(reason, target)
    told: ClockFact = Warned(target) if reason is Reason.WARNED else Breached(target)
    return [told] if level <= ticket.escalation else [told, Escalated(level, reason, target)]
