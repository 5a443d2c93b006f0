"""Merging: the same matter arrived twice. The child ends as merged, neither solved nor counted, and the root goes on for both.

A ticket that was merged points to the one that goes on; that one may be merged in its turn, so the root is found by following. Undoing a
merge gives the child back what it had; what was written meanwhile stays with the root.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from services.tickets.workflow.actions import record
from services.tickets.workflow.changes import Absorbed, Change
from services.tickets.workflow.commands import Actor
from services.tickets.workflow.status import OPEN
from services.tickets.workflow.ticket import Ticket

INTO_ITSELF: Final = "merge_into_itself"
CYCLE: Final = "merge_cycle"
OTHER_CUSTOMER: Final = "other_customer"
TARGET_NOT_OPEN: Final = "target_not_open"


def obstacle(child: Ticket, named: str, root: Ticket, *, same_customer: bool) -> str | None:
    """Why the child cannot be merged into the ticket that was named, whose root is ``root``."""
    if named == child.number:
        return INTO_ITSELF
    if root.number == child.number:
        return CYCLE
    if not same_customer:
        # whoever follows the root would read what the other customer wrote
        return OTHER_CUSTOMER
    return None if root.status in OPEN else TARGET_NOT_OPEN


def absorb(root: Ticket, child: str, *, by: Actor, at: datetime) -> tuple[Ticket, tuple[Change, ...]]:
    """The root's side of a merge."""
    return record(root, Absorbed(child), by=by, at=max(at, root.changed_at))


def release(root: Ticket, child: str, *, by: Actor, at: datetime) -> tuple[Ticket, tuple[Change, ...]]:
    """The root's side of its undoing."""
    return record(root, Absorbed(child, removed=True), by=by, at=max(at, root.changed_at))
