"""The table of the workflow: which action leads from which status to which, and who may take it.

The table is the documentation: the state diagram in the README is generated from it. Progress inside a type of service is a *step*, never
a new status.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Status(StrEnum):
    """Where a ticket stands; a closed list for every type of ticket."""

    NEW = "new"
    TRIAGED = "triaged"
    ASSIGNED = "assigned"
    IN_PROGRESS = "in_progress"
    WAITING_CUSTOMER = "waiting_customer"
    WAITING_PARTS = "waiting_parts"
    WAITING_THIRD_PARTY = "waiting_third_party"
    RESOLVED = "resolved"
    CONFIRMED = "confirmed"
    CLOSED = "closed"
    CANCELLED = "cancelled"
    MERGED = "merged"


class Action(StrEnum):
    """What somebody may do with a ticket."""

    TRIAGE = "triage"
    TAKE = "take"
    TAKE_OVER = "take_over"
    HAND_OVER = "hand_over"
    QUEUE = "queue"
    START = "start"
    WAIT = "wait"
    RESUME = "resume"
    REPLY = "reply"
    RESOLVE = "resolve"
    CONFIRM = "confirm"
    CLOSE = "close"
    REOPEN = "reopen"
    CANCEL = "cancel"
    NOTE = "note"
    STEP = "step"
    MERGE = "merge"
    UNMERGE = "unmerge"
    LINK = "link"
    UNLINK = "unlink"
    ESCALATE = "escalate"


class Cause(StrEnum):
    """What a ticket waits for."""

    CUSTOMER = "customer"
    PARTS = "parts"
    THIRD_PARTY = "third_party"


class LinkKind(StrEnum):
    """What a ticket has to do with another one."""

    RELATED = "related"
    DUPLICATE = "duplicate"
    CAUSED_BY = "caused_by"


class Role(StrEnum):
    """In which capacity somebody acts."""

    AGENT = "agent"
    LEAD = "lead"
    MANAGER = "manager"
    CUSTOMER = "customer"
    SYSTEM = "system"


WAITING: Final[Mapping[Cause, Status]] = {
    Cause.CUSTOMER: Status.WAITING_CUSTOMER,
    Cause.PARTS: Status.WAITING_PARTS,
    Cause.THIRD_PARTY: Status.WAITING_THIRD_PARTY,
}

OPEN: Final = frozenset({Status.NEW, Status.TRIAGED, Status.ASSIGNED, Status.IN_PROGRESS, *WAITING.values()})
"""Somebody still has to do something."""

DONE: Final = frozenset({Status.RESOLVED, Status.CONFIRMED, Status.CLOSED})
"""A solution was given; it may still turn out not to hold."""

WITH_NOBODY: Final = frozenset({Status.NEW, Status.TRIAGED, Status.CANCELLED, Status.MERGED})
"""Nobody need have it; in every other status somebody has."""

_WORKED_ON: Final = (Status.ASSIGNED, Status.IN_PROGRESS, *WAITING.values())
_QUEUED: Final = (Status.NEW, Status.TRIAGED)
"""Nobody has it; without a type it is new again, so that somebody says what it is."""

TRANSITIONS: Final[Mapping[tuple[Status, Action], tuple[Status, ...]]] = {
    (Status.NEW, Action.TRIAGE): (Status.TRIAGED,),
    # what was given to somebody unseen is triaged by him, and what turns out to be something else once more
    **{(status, Action.TRIAGE): (status,) for status in (Status.TRIAGED, *_WORKED_ON)},
    (Status.NEW, Action.TAKE): (Status.ASSIGNED,),
    (Status.TRIAGED, Action.TAKE): (Status.ASSIGNED,),
    **{(status, Action.TAKE_OVER): (status,) for status in _WORKED_ON},
    **{(status, Action.HAND_OVER): (status, Status.ASSIGNED) for status in _QUEUED},
    **{(status, Action.HAND_OVER): (Status.ASSIGNED, *_QUEUED) for status in (Status.ASSIGNED, Status.IN_PROGRESS)},
    **{(status, Action.HAND_OVER): (status, *_QUEUED) for status in WAITING.values()},
    **{(status, Action.QUEUE): _QUEUED for status in _WORKED_ON},
    (Status.ASSIGNED, Action.START): (Status.IN_PROGRESS,),
    (Status.IN_PROGRESS, Action.WAIT): tuple(WAITING.values()),
    **{(status, Action.RESUME): (Status.IN_PROGRESS,) for status in WAITING.values()},
    **{(status, Action.REPLY): (status,) for status in Status if status in OPEN},
    **{(status, Action.RESOLVE): (Status.RESOLVED,) for status in _WORKED_ON},
    (Status.RESOLVED, Action.CONFIRM): (Status.CONFIRMED,),
    (Status.RESOLVED, Action.CLOSE): (Status.CLOSED,),
    (Status.CONFIRMED, Action.CLOSE): (Status.CLOSED,),
    (Status.WAITING_CUSTOMER, Action.CLOSE): (Status.CLOSED,),
    **{(status, Action.REOPEN): (Status.ASSIGNED,) for status in Status if status in DONE},
    **{(status, Action.CANCEL): (Status.CANCELLED,) for status in Status if status in OPEN},
    **{(status, Action.STEP): (status,) for status in _WORKED_ON},
    **{(status, Action.MERGE): (Status.MERGED,) for status in Status if status in OPEN},
    (Status.MERGED, Action.UNMERGE): tuple(status for status in Status if status in OPEN),
    **{(status, Action.ESCALATE): (status,) for status in Status if status in OPEN},
    **{(status, action): (status,) for action in (Action.NOTE, Action.LINK, Action.UNLINK) for status in Status},
}
"""What is not in here is refused. Where there is a choice: `wait` goes to what the ticket waits for; `hand_over` to assigned or, where
nobody is there to take it, into the queue, and what waits for something else goes on waiting; `queue` to new what has no type yet;
`unmerge` back to where the merge came from."""

_STAFF: Final = frozenset({Role.AGENT, Role.LEAD, Role.MANAGER})

PERMITTED: Final[Mapping[Action, frozenset[Role]]] = {
    Action.TRIAGE: _STAFF,
    Action.TAKE: _STAFF,
    Action.TAKE_OVER: _STAFF,
    Action.HAND_OVER: _STAFF,
    Action.QUEUE: _STAFF,
    Action.START: _STAFF,
    Action.WAIT: _STAFF,
    Action.RESUME: _STAFF | {Role.CUSTOMER},
    Action.REPLY: _STAFF,
    Action.RESOLVE: _STAFF,
    Action.CONFIRM: _STAFF | {Role.CUSTOMER, Role.SYSTEM},
    # ending the reopen window early takes a right away from the customer: not for whoever did the work
    Action.CLOSE: frozenset({Role.LEAD, Role.MANAGER, Role.SYSTEM}),
    Action.REOPEN: _STAFF | {Role.CUSTOMER, Role.SYSTEM},
    Action.CANCEL: _STAFF,
    Action.NOTE: _STAFF,
    Action.STEP: _STAFF,
    Action.MERGE: _STAFF,
    Action.UNMERGE: _STAFF,
    Action.LINK: _STAFF,
    Action.UNLINK: _STAFF,
    Action.ESCALATE: _STAFF,
}
"""Who may take an action where the status allows it."""


def diagram() -> str:
    """The table as a Mermaid state diagram; actions that leave the status as it is are not drawn."""
    lines = ["stateDiagram-v2", f"    [*] --> {Status.NEW}"]
    for (source, action), targets in TRANSITIONS.items():
        lines += [f"    {source} --> {target}: {action}" for target in targets if target is not source]
    lines += [f"    {status} --> [*]" for status in (Status.CLOSED, Status.CANCELLED, Status.MERGED)]
    return "\n".join(lines)
