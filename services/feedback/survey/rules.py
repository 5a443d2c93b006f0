"""The rules of sending: when a survey is sent, how long it may be answered, who is spared, and whose turn it is in a sample.

Rules are versioned rows; version 0 is what the environment says. An invitation keeps what the rules made of it, so a new version changes
nothing that was sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from services.feedback.survey.forms import FormType
from shared.events.codes import Channel
from shared.events.tickets import Dimensions

IMMEDIATE: Final = frozenset({Channel.CHAT, Channel.APP, Channel.BOT})
"""Channels where the customer is still there: asked at once."""

CONVERSATIONS: Final = frozenset({Channel.CHAT, Channel.BOT})
"""Channels whose customer has soon forgotten: little time to answer."""


@dataclass(frozen=True, slots=True)
class Stratum:
    """A part of the resolutions and the share of it that is asked. None holds for every value."""

    share: float
    tier: str | None = None
    type: str | None = None
    channel: str | None = None

    def holds(self, dimensions: Dimensions) -> bool:
        """Whether a ticket with these dimensions belongs to it."""
        pairs = ((self.tier, dimensions.tier), (self.type, dimensions.type), (self.channel, dimensions.channel))
        return all(wanted is None or wanted == actual for wanted, actual in pairs)

    @property
    def precision(self) -> int:
        """How many dimensions it names."""
        return sum(wanted is not None for wanted in (self.tier, self.type, self.channel))


@dataclass(frozen=True, slots=True)
class Spans:
    """A span per channel, and the one of all others."""

    usual: timedelta
    by_channel: Mapping[str, timedelta] = field(default_factory=dict)

    def of(self, channel: str) -> timedelta:
        """The span of this channel."""
        return self.by_channel.get(channel, self.usual)


@dataclass(frozen=True, slots=True)
class Rules:
    """One version of the rules of sending."""

    delay: Spans
    """From the resolution to the invitation."""
    lifetime: Spans
    """How long an invitation may be answered."""
    reminder_after: timedelta | None = timedelta(days=3)
    """From the invitation to its one reminder; None for no reminders."""
    quiet: timedelta = timedelta(days=30)
    """After any survey, the same person gets none of whatever type."""
    quiet_relationship: timedelta = timedelta(days=180)
    """After a relationship survey, the same person gets no further one."""
    strata: Sequence[Stratum] = ()
    """The most precise one that holds counts, of equals the first; where none holds, everybody is asked."""
    version: int = 0

    def share(self, dimensions: Dimensions) -> float:
        """The probability with which a resolution is asked about: 1 is a census."""
        holding = [stratum for stratum in self.strata if stratum.holds(dimensions)]
        return max(holding, key=lambda stratum: stratum.precision).share if holding else 1.0

    def quiet_after(self, asked: FormType, wanted: FormType) -> timedelta:
        """How long a person who was asked with one form is spared another one. The service question neither waits nor makes wait."""
        if FormType.SOLVED in (asked, wanted):
            return timedelta(0)
        if asked is wanted is FormType.RELATIONSHIP:
            return max(self.quiet, self.quiet_relationship)
        return self.quiet


def usual(delay: timedelta, lifetime: timedelta | None = None) -> Rules:
    """The rules of the house with this delay; ``lifetime`` replaces the ones per channel."""
    return Rules(
        delay=Spans(delay, dict.fromkeys(IMMEDIATE, timedelta(0))),
        lifetime=Spans(lifetime) if lifetime else Spans(timedelta(days=7), LIFETIMES),
    )


LIFETIMES: Final[Mapping[str, timedelta]] = {
    Channel.EMAIL: timedelta(days=14),
    **dict.fromkeys(CONVERSATIONS, timedelta(hours=24)),
}
