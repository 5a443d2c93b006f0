"""What somebody may ask of a ticket, and in whose name. Decisions see no text: a command carries its id and its salted digest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final
from uuid import UUID

from services.tickets.sla import Priority
from services.tickets.workflow.status import Action, Cause, LinkKind, Role, Status


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, in which capacity. The id is a principal's, or the word customer or system."""

    id: str
    role: Role


SYSTEM: Final = Actor("system", Role.SYSTEM)
CUSTOMER: Final = Actor("customer", Role.CUSTOMER)


@dataclass(frozen=True, slots=True)
class Triage:
    """Say what it is and how soon it matters. ``type`` may stay out where the request named it."""

    ACTION: ClassVar = Action.TRIAGE
    priority: Priority
    type: str | None = None
    category: str | None = None
    root_topic: str | None = None


@dataclass(frozen=True, slots=True)
class Take:
    """Take it as one's own."""

    ACTION: ClassVar = Action.TAKE
    team: str | None = None


@dataclass(frozen=True, slots=True)
class TakeOver:
    """Take it from a colleague. ``holder_is_present``: he is at work, so that he can be asked."""

    ACTION: ClassVar = Action.TAKE_OVER
    reason: str
    holder_is_present: bool = False


@dataclass(frozen=True, slots=True)
class HandOver:
    """Give it to an agent, or, without one, into a team's queue. ``obstacle``: why the new holder cannot have it."""

    ACTION: ClassVar = Action.HAND_OVER
    assignee: str | None
    team: str | None
    code: str = "handed_over"
    reason: str | None = None
    obstacle: str | None = None


@dataclass(frozen=True, slots=True)
class Queue:
    """Put it back into the team's queue."""

    ACTION: ClassVar = Action.QUEUE
    team: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Start:
    """Begin to work on it."""

    ACTION: ClassVar = Action.START


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing can be done until something arrives."""

    ACTION: ClassVar = Action.WAIT
    on: Cause
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Resume:
    """Go on working."""

    ACTION: ClassVar = Action.RESUME
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """Write to the customer, or, when not public, a note for colleagues."""

    ACTION: ClassVar = Action.REPLY
    message_id: UUID
    digest: str
    public: bool = True


@dataclass(frozen=True, slots=True)
class Resolve:
    """Give the solution."""

    ACTION: ClassVar = Action.RESOLVE
    resolution_code: str


@dataclass(frozen=True, slots=True)
class Confirm:
    """Record that the customer calls it solved."""

    ACTION: ClassVar = Action.CONFIRM


@dataclass(frozen=True, slots=True)
class Close:
    """End it before, or when, the reopen window ends."""

    ACTION: ClassVar = Action.CLOSE
    reason: str


@dataclass(frozen=True, slots=True)
class Reopen:
    """The solution did not hold."""

    ACTION: ClassVar = Action.REOPEN
    reason: str


@dataclass(frozen=True, slots=True)
class Cancel:
    """End it without a solution."""

    ACTION: ClassVar = Action.CANCEL
    reason: str


@dataclass(frozen=True, slots=True)
class Note:
    """Write something down for colleagues; the customer never sees it."""

    ACTION: ClassVar = Action.NOTE
    message_id: UUID
    digest: str


@dataclass(frozen=True, slots=True)
class Step:
    """Say how far the service is (`steps.py`)."""

    ACTION: ClassVar = Action.STEP
    step: str


@dataclass(frozen=True, slots=True)
class Merge:
    """It is the same matter as another ticket, which goes on for both. ``obstacle``: why that cannot be."""

    ACTION: ClassVar = Action.MERGE
    into: str
    obstacle: str | None = None


@dataclass(frozen=True, slots=True)
class Unmerge:
    """It was not. ``status`` is the one before the merge, ``paused`` names the targets whose clocks stood still then."""

    ACTION: ClassVar = Action.UNMERGE
    status: Status
    paused: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Link:
    """It has to do with another ticket. ``obstacle``: why that cannot be noted."""

    ACTION: ClassVar = Action.LINK
    other: str
    kind: LinkKind
    obstacle: str | None = None


@dataclass(frozen=True, slots=True)
class Unlink:
    """It has not. ``obstacle``: they are not linked so."""

    ACTION: ClassVar = Action.UNLINK
    other: str
    kind: LinkKind
    obstacle: str | None = None


@dataclass(frozen=True, slots=True)
class Escalate:
    """Have somebody higher look: the lead (1), the manager (2). ``level`` None: the next one up."""

    ACTION: ClassVar = Action.ESCALATE
    reason: str = "staff"
    level: int | None = None


CaseCommand = Note | Step | Merge | Unmerge | Link | Unlink | Escalate
Command = (
    Triage | Take | TakeOver | HandOver | Queue | Start | Wait | Resume | Reply | Resolve | Confirm | Close | Reopen | Cancel | CaseCommand
)


@dataclass(frozen=True, slots=True)
class Letter:
    """A reply or a note before its text is sealed and put away: the handlers turn it into a `Reply` or a `Note`."""

    text: str
    public: bool = True
    is_note: bool = False

    @property
    def ACTION(self) -> Action:
        """What is asked for."""
        return Action.NOTE if self.is_note else Action.REPLY


@dataclass(frozen=True, slots=True)
class Delegation:
    """A hand-over before the new holder is found: the handlers turn it into a `HandOver`, after the note for him."""

    ACTION: ClassVar = Action.HAND_OVER
    agent: str | None = None
    team: str | None = None
    reason: str | None = None
    note: Letter | None = None


@dataclass(frozen=True, slots=True)
class Merging:
    """A merge before the other ticket is found: the handlers turn it into a `Merge`. ``version`` of the other one, if the caller saw it."""

    ACTION: ClassVar = Action.MERGE
    into: str
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Parting:
    """The undoing of a merge before its history is read: the handlers turn it into an `Unmerge`."""

    ACTION: ClassVar = Action.UNMERGE
