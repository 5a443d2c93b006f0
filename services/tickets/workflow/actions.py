"""What the workflow makes of a command: a decision takes a ticket, a command, who and when, and returns what happened.

Nothing is changed by a refusal. A due time that passed before the action is announced first, so that the history says the same whether
the timer was punctual or not.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from services.tickets.sla import Case, ServiceLevels
from services.tickets.workflow import clocks
from services.tickets.workflow.changes import (
    Assigned,
    Cancelled,
    CaseFact,
    Change,
    Closed,
    Confirmed,
    Escalated,
    Fact,
    Linked,
    Merged,
    Reopened,
    Replied,
    Resolved,
    StatusChanged,
    StepChanged,
    Triaged,
    Unmerged,
)
from services.tickets.workflow.commands import (
    SYSTEM,
    Actor,
    Cancel,
    CaseCommand,
    Close,
    Command,
    Confirm,
    Escalate,
    HandOver,
    Link,
    Merge,
    Note,
    Queue,
    Reopen,
    Reply,
    Resolve,
    Resume,
    Start,
    Step,
    Take,
    TakeOver,
    Triage,
    Unlink,
    Unmerge,
    Wait,
)
from services.tickets.workflow.evolution import evolve
from services.tickets.workflow.status import PERMITTED, TRANSITIONS, WAITING, Action, Role, Status
from services.tickets.workflow.steps import next_steps
from services.tickets.workflow.ticket import Ticket
from shared.errors import Conflict

NOT_IN_THIS_STATUS: Final = "not_in_this_status"
NOT_IN_THIS_ROLE: Final = "not_in_this_role"
WINDOW_OVER: Final = "window_over"
TYPE_MISSING: Final = "type_missing"
NO_SUCH_STEP: Final = "no_such_step"
ALREADY_ESCALATED: Final = "already_escalated"
HIGHEST: Final = 2
"""Level to which staff can escalate: the manager."""
NOT_YOURS: Final = "not_yours"
ALREADY_YOURS: Final = "already_yours"
ALREADY_THEIRS: Final = "already_theirs"
HOLDER_IS_PRESENT: Final = "holder_is_present"


class TransitionRefused(Conflict):
    """The workflow does not allow it now. ``facts`` name the ticket, its status, the action, the reason and what is allowed instead."""

    code = "action_refused"

    def __init__(self, ticket: Ticket, action: Action, reason: str, allowed: Sequence[Action]) -> None:
        super().__init__(
            f"{action} is refused for a ticket that is {ticket.status}: {reason}",
            facts={
                "ticket": ticket.number,
                "ticket_status": str(ticket.status),
                "action": str(action),
                "reason": reason,
                "allowed": [str(other) for other in allowed],
            },
        )
        self.action = action
        self.reason = reason
        self.allowed = tuple(allowed)


def allowed(ticket: Ticket, by: Actor, at: datetime) -> tuple[Action, ...]:
    """What ``by`` may do with the ticket at ``at``."""
    return tuple(action for action in Action if _obstacle(ticket, action, by, at) is None)


def advance(ticket: Ticket, command: Command, *, by: Actor, at: datetime, policy: ServiceLevels) -> tuple[Ticket, tuple[Change, ...]]:
    """Carry out one action: the ticket afterwards and what happened, dated at ``at``, or at the ticket's newest change if that is later.

    Raises:
        TransitionRefused: the status, the role, the time or something missing does not allow it.
    """
    at = max(at, ticket.changed_at)
    obstacle = _obstacle(ticket, command.ACTION, by, at) or _missing(ticket, command, by)
    if obstacle is not None:
        raise TransitionRefused(ticket, command.ACTION, obstacle, allowed(ticket, by, at))
    return record(ticket, _fact(ticket, command, by, policy), by=by, at=at)


def record(ticket: Ticket, fact: Fact, *, by: Actor, at: datetime) -> tuple[Ticket, tuple[Change, ...]]:
    """Add a fact, after the due times that passed before it."""
    ticket, passed = pass_time(ticket, at)
    change = Change(ticket.version + 1, at, by.id, fact)
    return evolve(ticket, change), (*passed, change)


def pass_time(ticket: Ticket, until: datetime, *, inclusive: bool = False) -> tuple[Ticket, tuple[Change, ...]]:
    """Announce the warnings and breaches before ``until``, in order of time. What timers do, and every action after a late timer."""
    changes: list[Change] = []
    while (told := clocks.next_announcement(ticket)) is not None and (told[0] < until or (inclusive and told[0] == until)):
        at, target, reason = told
        for fact in clocks.announcement_facts(ticket, target, reason):
            change = Change(ticket.version + 1, at, SYSTEM.id, fact)
            ticket = evolve(ticket, change)
            changes.append(change)
    return ticket, tuple(changes)


# ------------------------------------------------------------------ guards


def _obstacle(ticket: Ticket, action: Action, by: Actor, at: datetime) -> str | None:
    """Why ``by`` may not take the action, whatever its parameters."""
    if (ticket.status, action) not in TRANSITIONS:
        return NOT_IN_THIS_STATUS
    if by.role not in PERMITTED[action]:
        return NOT_IN_THIS_ROLE
    if action is Action.REOPEN and not ticket.may_reopen(at):
        return WINDOW_OVER
    if action in (Action.HAND_OVER, Action.QUEUE) and by.role is Role.AGENT and ticket.assignee != by.id:
        return NOT_YOURS
    if action is Action.TAKE_OVER and ticket.assignee == by.id:
        return ALREADY_YOURS
    if action is Action.ESCALATE and ticket.escalation >= HIGHEST:
        return ALREADY_ESCALATED
    return None


def _missing(ticket: Ticket, command: Command, by: Actor) -> str | None:
    """What the parameters lack, or what stands against them."""
    match command:
        case Triage(type=None) if ticket.type is None:
            return TYPE_MISSING
        case TakeOver(holder_is_present=True) if by.role is Role.AGENT:
            return HOLDER_IS_PRESENT
        case (
            HandOver(obstacle=str(obstacle)) | Merge(obstacle=str(obstacle)) | Link(obstacle=str(obstacle)) | Unlink(obstacle=str(obstacle))
        ):
            return obstacle
        case Escalate(level=int(level)) if level <= ticket.escalation:
            return ALREADY_ESCALATED
        case Step(step=step) if step not in next_steps(ticket.type, ticket.step):
            return NO_SUCH_STEP
        case HandOver() if (command.assignee, command.team) == (ticket.assignee, ticket.team):
            return ALREADY_THEIRS
        case _:
            return None


# ------------------------------------------------------------------ facts


def _fact(ticket: Ticket, command: Command, by: Actor, policy: ServiceLevels) -> Fact:
    match command:
        case Triage():
            return _triaged(ticket, command, policy)
        case Take() | TakeOver() | HandOver() | Queue():
            return clocks.in_the_hours_of_its_team(ticket, _assigned(ticket, command, by), policy)
        case Start() | Wait() | Resume():
            return _status_changed(ticket, command)
        case Reply(message_id=message_id, digest=digest, public=public):
            return Replied(message_id, digest, public)
        case Resolve(resolution_code=code):
            return Resolved(code)
        case Confirm() | Close() | Reopen() | Cancel():
            return _ending(command)
        case Note() | Step() | Merge() | Unmerge() | Link() | Unlink() | Escalate():
            return _of_the_case(ticket, command)


def _assigned(ticket: Ticket, command: Take | TakeOver | HandOver | Queue, by: Actor) -> Assigned:
    match command:
        case Take(team=team):
            return Assigned(by.id, team or ticket.team, code="taken")
        case TakeOver(reason=reason):
            return Assigned(by.id, ticket.team, ticket.status, "taken_over", reason)
        case HandOver(assignee=None, team=team, reason=reason) | Queue(team=team, reason=reason):
            return queued(ticket, team, reason)
        case HandOver(assignee=assignee, team=team, code=code, reason=reason):
            status = ticket.status if ticket.status in WAITING.values() else Status.ASSIGNED
            return Assigned(assignee, team, status, code, reason)


def queued(ticket: Ticket, team: str | None, reason: str | None = None) -> Assigned:
    """Nobody has it any more: it waits for somebody of the team."""
    is_known = ticket.type is not None and ticket.status is not Status.NEW
    return Assigned(None, team, Status.TRIAGED if is_known else Status.NEW, "queued", reason)


def _triaged(ticket: Ticket, command: Triage, policy: ServiceLevels) -> Triaged:
    triaged = Case(command.type or ticket.type, command.priority, ticket.tier, ticket.team)
    # what stays what it was keeps its promise, also when the policies have changed meanwhile: that is told by itself
    promise, following = (None, None) if triaged == clocks.case(ticket) else clocks.promises_after(ticket, triaged, policy)
    return Triaged(
        type=triaged.type or "",
        priority=command.priority,
        category=command.category,
        root_topic=command.root_topic,
        promise=promise,
        next_response=following,
    )


def _status_changed(ticket: Ticket, command: Start | Wait | Resume) -> StatusChanged:
    if isinstance(command, Wait):
        pauses = ticket.resolution.promise.policy.pauses(command.on)
        return StatusChanged(WAITING[command.on], Action.WAIT, pauses=pauses, reason=command.reason)
    reason = command.reason if isinstance(command, Resume) else None
    return StatusChanged(Status.IN_PROGRESS, command.ACTION, reason=reason)


def _of_the_case(ticket: Ticket, command: CaseCommand) -> Replied | CaseFact | Escalated:
    match command:
        case Note(message_id=message_id, digest=digest):
            return Replied(message_id, digest, public=False)
        case Step(step=step):
            return StepChanged(step)
        case Merge(into=into):
            paused = tuple(str(target) for target, clock in ticket.clocks.items() if clock.is_open and clock.is_paused)
            return Merged(into, ticket.status, paused)
        case Unmerge(status=status, paused=paused):
            return Unmerged(ticket.merged_into or "", status, paused)
        case Link(other=other, kind=kind):
            return Linked(other, kind)
        case Unlink(other=other, kind=kind):
            return Linked(other, kind, removed=True)
        case Escalate(reason=reason, level=level):
            return Escalated(level or ticket.escalation + 1, reason)


def _ending(command: Confirm | Close | Reopen | Cancel) -> Fact:
    match command:
        case Confirm():
            return Confirmed()
        case Close(reason=reason):
            return Closed(reason)
        case Reopen(reason=reason):
            return Reopened(reason)
        case Cancel(reason=reason):
            return Cancelled(reason)
