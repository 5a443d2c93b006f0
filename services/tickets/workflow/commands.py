"""What somebody may ask of a ticket, and in whose name. Decisions see no text: a command carries its id and its salted digest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final
from uuid import UUID

from services.tickets.sla import Priority
from services.tickets.workflow.status import Action, Cause, Role


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


Command = Triage | Take | Start | Wait | Resume | Reply | Resolve | Confirm | Close | Reopen | Cancel


@dataclass(frozen=True, slots=True)
class Letter:
    """A reply before its text is sealed and put away: the handlers turn it into a `Reply`."""

    text: str
    public: bool = True
