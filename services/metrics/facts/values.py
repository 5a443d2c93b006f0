"""The pieces of knowledge, and what they are about."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final, NamedTuple


class Stamp(NamedTuple):
    """When an observation was made, in its subject's order: the ticket's version (0 where there is none), then the number in the log."""

    version: int
    seq: int


class Dimensions(NamedTuple):
    """By what figures are grouped, as it was at that moment; an empty word where there was none."""

    channel: str = ""
    type: str = ""
    priority: str = ""
    team: str = ""
    agent: str = ""
    tier: str = ""


@lru_cache(maxsize=1 << 13)
def dimensions(channel: str, type: str = "", priority: str = "", team: str = "", agent: str = "", tier: str = "") -> Dimensions:
    """The same object for the same words: thousands of moments share a few hundred, and what is the same object is quickly compared."""
    return Dimensions(channel, type, priority, team, agent, tier)


class Moment(NamedTuple):
    """Something happened at ``at`` (microseconds), when the ticket had these dimensions."""

    stamp: Stamp
    at: int
    dimensions: Dimensions


class Clock(NamedTuple):
    """One target as an event told it. The highest policy version counts, of that the last observation."""

    stamp: Stamp
    policy_version: int
    started_at: int
    due_at: int
    met_at: int | None
    business_ms: int | None
    """Business time from start to meeting, without pauses."""


class Closing(NamedTuple):
    """The ticket was closed or cancelled for a reason."""

    stamp: Stamp
    at: int
    dimensions: Dimensions
    reason: str


class Standing(NamedTuple):
    """The ticket after an event: its status, and what it is about for whom."""

    stamp: Stamp
    status: str
    type: str
    topic: str
    """Root topic, else category, else empty."""
    customer: str
    """The customer file that it was written for; merges of files do not change it."""


class Run(NamedTuple):
    """From version ``first`` to ``last``, told without a gap, the ticket waited with one holder; begun at ``at``."""

    first: int
    last: int
    at: int
    holder: Dimensions | None
    """None: nothing was open."""


class Answer(NamedTuple):
    """The answer to one invitation, or one without a way back."""

    stamp: Stamp
    at: int
    dimensions: Dimensions
    form: str
    overall: int | None
    recommend: int | None


class Link(NamedTuple):
    """A customer file was found to be another one's person, or (None) to stand alone again."""

    stamp: Stamp
    into: str | None


NOTHING: Final[Mapping[Any, Any]] = MappingProxyType({})


class TargetFacts(NamedTuple):
    """One target of one ticket."""

    clock: Clock | None = None
    breached: Moment | None = None
    """The last time that a missed due time was told; a new promise may be missed anew."""
    met: Mapping[int, Moment] = NOTHING
    """By met_at: the first event that told it; a reopened ticket is met again, later."""


NO_TARGET: Final = TargetFacts()
"""What is known of a target that nobody has told of."""


class Episode(NamedTuple):
    """One resolution of a ticket, and the reopening that ended it."""

    resolved: Moment | None = None
    reopened: Moment | None = None


class RequestFacts(NamedTuple):
    """One request that came in."""

    received: Moment | None = None


class TicketFacts(NamedTuple):
    """One ticket."""

    opened: Moment | None = None
    standing: Standing | None = None
    closed: Closing | None = None
    cancelled: Closing | None = None
    first_response: TargetFacts = NO_TARGET
    resolution: TargetFacts = NO_TARGET
    next_responses: Mapping[int, TargetFacts] = NOTHING
    """By the start of the clock: the oldest message that was unanswered."""
    episodes: Mapping[int, Episode] = NOTHING
    runs: tuple[Run, ...] = ()
    """Who held it while it was open, by version."""


class SurveyFacts(NamedTuple):
    """One invitation and its first answer, or one anonymous answer."""

    invited: Moment | None = None
    cancelled: Moment | None = None
    answer: Answer | None = None


class CustomerFacts(NamedTuple):
    """One customer file."""

    link: Link | None = None


Facts = RequestFacts | TicketFacts | SurveyFacts | CustomerFacts


class Subject(NamedTuple):
    """What facts are about. Sorted, subjects are the order in which their rows are locked."""

    kind: str
    id: str


REQUEST: Final = "request"
TICKET: Final = "ticket"
SURVEY: Final = "survey"
CUSTOMER: Final = "customer"
