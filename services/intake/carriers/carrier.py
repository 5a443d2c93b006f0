"""What a carrier takes and what it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol
from uuid import UUID

from services.intake.sending import Failure, Notification


@dataclass(frozen=True)
class Letter:
    """A message and where it goes; the address is one of the carrier's channel."""

    notification: Notification
    address: str
    wording: str | None = None
    """The organisation's own; None is the one of the release."""

    @property
    def event_id(self) -> UUID:
        """What names the message for ever."""
        return self.notification.event_id


class Delivered:
    """It left the house."""


@dataclass(frozen=True)
class TryAgain:
    """Not now, for this reason (a class of errors, or the server's code). ``may_have_left``: nobody answered whether it was taken."""

    reason: str
    may_have_left: bool = False


@dataclass(frozen=True)
class NotTried:
    """Its turn did not come; that is not an attempt. ``rest``: seconds for which the carrier will not take anything."""

    rest: float = 0.0


Carried = Delivered | TryAgain | NotTried | Failure


class Carrier(Protocol):
    """Takes messages out of the house by one channel."""

    channel: ClassVar[str]
    """As `notification.delivered` names it."""
    name: ClassVar[str]
    """As logs name it."""

    async def carry(self, letters: Sequence[Letter], *, until: float) -> list[Carried]:
        """One answer per letter, in order; begins none after ``until`` (`clock.monotonic`).

        Never raises for what a letter or a server does.
        """
        ...
