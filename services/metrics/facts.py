"""What metrics knows about one request, one ticket, one survey answer: observations merged so that only the set of events counts.

Every field keeps the first or the last observation of its kind, or one per key. Order is told by the events themselves (a ticket's
version, then its number in the log), never by arrival. `merge` is therefore commutative, associative and idempotent: events may come in
any order, in batches of any size and twice, the facts are the same. What follows from the facts for a figure is decided in `projection`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol, TypeVar

from services.metrics.reduction import Data, Entry
from shared.events import feedback, intake, tickets


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


class Moment(NamedTuple):
    """Something happened at ``at`` (microseconds), when the ticket had these dimensions."""

    stamp: Stamp
    at: int
    dimensions: Dimensions


class Clock(NamedTuple):
    """One target as an event told it. The highest policy version counts, of that the last observation."""

    stamp: Stamp
    policy_version: int
    due_at: int
    met_at: int | None


class Closing(NamedTuple):
    """The ticket was closed for a reason."""

    stamp: Stamp
    at: int
    dimensions: Dimensions
    reason: str


class Standing(NamedTuple):
    """The status after an event."""

    stamp: Stamp
    status: str


@dataclass(frozen=True, slots=True)
class TargetFacts:
    """One target of one ticket."""

    clock: Clock | None = None
    breached: Moment | None = None
    """The last time that a missed due time was told; a new promise may be missed anew."""
    met: Mapping[int, Moment] = field(default_factory=dict)
    """By met_at: the first event that told it; a reopened ticket is met again, later."""


@dataclass(frozen=True, slots=True)
class Episode:
    """One resolution of a ticket, and the reopening that ended it."""

    resolved: Moment | None = None
    reopened: Moment | None = None


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """One request that came in."""

    received: Moment | None = None


@dataclass(frozen=True, slots=True)
class TicketFacts:
    """One ticket."""

    opened: Moment | None = None
    standing: Standing | None = None
    closed: Closing | None = None
    first_response: TargetFacts = TargetFacts()
    resolution: TargetFacts = TargetFacts()
    episodes: Mapping[int, Episode] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AnswerFacts:
    """The first answer to one invitation."""

    answered: Moment | None = None
    form: str = ""
    overall: int | None = None
    recommend: int | None = None


Facts = RequestFacts | TicketFacts | AnswerFacts


class Subject(NamedTuple):
    """What facts are about. Sorted, subjects are the order in which their rows are locked."""

    kind: str
    id: str


REQUEST: Final = "request"
TICKET: Final = "ticket"
ANSWER: Final = "answer"


# ------------------------------------------------------------------ merge


class _Stamped(Protocol):
    @property
    def stamp(self) -> Stamp: ...


S = TypeVar("S", bound=_Stamped)
K = TypeVar("K")
V = TypeVar("V")


def merge(one: Facts, other: Facts) -> Facts:
    """Both pieces of knowledge about the same subject in one."""
    match one, other:
        case TicketFacts(), TicketFacts():
            return _merge_tickets(one, other)
        case RequestFacts(), RequestFacts():
            return RequestFacts(first(one.received, other.received))
        case AnswerFacts(), AnswerFacts():
            return one if first(one.answered, other.answered) is one.answered else other
    raise TypeError(f"facts of two kinds of subject: {type(one).__name__}, {type(other).__name__}")


def _merge_tickets(one: TicketFacts, other: TicketFacts) -> TicketFacts:
    return TicketFacts(
        opened=first(one.opened, other.opened),
        standing=last(one.standing, other.standing),
        closed=last(one.closed, other.closed),
        first_response=_merge_targets(one.first_response, other.first_response),
        resolution=_merge_targets(one.resolution, other.resolution),
        episodes=_merge_each(one.episodes, other.episodes, _merge_episodes),
    )


def _merge_targets(one: TargetFacts, other: TargetFacts) -> TargetFacts:
    if other == _NO_TARGET:
        return one
    return TargetFacts(
        clock=_ruling(one.clock, other.clock),
        breached=last(one.breached, other.breached),
        met=_merge_each(one.met, other.met, _earlier),
    )


def _merge_episodes(one: Episode, other: Episode) -> Episode:
    return Episode(first(one.resolved, other.resolved), first(one.reopened, other.reopened))


def _merge_each(one: Mapping[K, V], other: Mapping[K, V], merge_values: Callable[[V, V], V]) -> Mapping[K, V]:
    if not other:
        return one
    merged = dict(one)
    for key, value in other.items():
        merged[key] = merge_values(merged[key], value) if key in merged else value
    return merged


def first(one: S | None, other: S | None) -> S | None:
    """The earlier of two observations."""
    if one is None or other is None:
        return other if one is None else one
    return _earlier(one, other)


def last(one: S | None, other: S | None) -> S | None:
    """The later of two observations."""
    if one is None or other is None:
        return other if one is None else one
    return one if one.stamp >= other.stamp else other


def _earlier(one: S, other: S) -> S:
    return one if one.stamp <= other.stamp else other


def _ruling(one: Clock | None, other: Clock | None) -> Clock | None:
    if one is None or other is None:
        return other if one is None else one
    return one if (one.policy_version, one.stamp) >= (other.policy_version, other.stamp) else other


_NO_TARGET: Final = TargetFacts()


# ------------------------------------------------------------------ observe


def observe(entry: Entry) -> tuple[Subject, Facts] | None:
    """What one event tells, and about whom; None when it tells nothing that a figure needs."""
    if entry.type == intake.RequestReceived.TYPE:
        return Subject(REQUEST, entry.data["request_id"]), RequestFacts(_request(entry))
    if entry.type == feedback.SurveyAnswered.TYPE:
        return Subject(ANSWER, entry.data["invitation_id"]), _answer(entry)
    if "ticket_number" in entry.data and entry.topic == tickets.TicketEvent.TOPIC.name:
        return Subject(TICKET, entry.data["ticket_number"]), _ticket(entry)
    return None


def _request(entry: Entry) -> Moment:
    dimensions = Dimensions(channel=entry.data["channel"], type=entry.data.get("type", ""))
    return Moment(Stamp(0, entry.seq), entry.data["occurred_at"], dimensions)


def _answer(entry: Entry) -> AnswerFacts:
    data = entry.data
    return AnswerFacts(_moment(entry), data["form"], data.get("overall"), data.get("recommend"))


def _ticket(entry: Entry) -> TicketFacts:
    data, moment = entry.data, _moment(entry)
    standing = Standing(moment.stamp, data["dimensions"]["status"])
    match entry.type:
        case tickets.TicketOpened.TYPE:
            opened = Moment(moment.stamp, data["opened_at"], moment.dimensions)
            return TicketFacts(opened, standing, None, _told(data["first_response"], moment), _told(data["resolution"], moment))
        case tickets.TicketResolved.TYPE:
            episodes = {data["episode"]: Episode(resolved=moment)}
            return TicketFacts(None, standing, None, _told(data["first_response"], moment), _told(data["resolution"], moment), episodes)
        case tickets.TicketReopened.TYPE:
            episodes = {data["episode"]: Episode(reopened=moment)}
            return TicketFacts(None, standing, resolution=_told(data["resolution"], moment), episodes=episodes)
        case tickets.TicketClosed.TYPE:
            return TicketFacts(None, standing, Closing(*moment, data["reason"]))
        case tickets.SlaMet.TYPE | tickets.SlaWarned.TYPE | tickets.SlaBreached.TYPE | tickets.SlaRetargeted.TYPE:
            told = _told(data["clock"], moment, is_breach=entry.type == tickets.SlaBreached.TYPE)
            return (
                TicketFacts(None, standing, first_response=told)
                if data["target"] == "first_response"
                else TicketFacts(None, standing, resolution=told)
            )
        case _:
            return TicketFacts(None, standing)


def _told(target: Data, moment: Moment, *, is_breach: bool = False) -> TargetFacts:
    met_at = target.get("met_at")
    return TargetFacts(
        clock=Clock(moment.stamp, target["policy_version"], target["due_at"], met_at),
        breached=moment if is_breach else None,
        met={} if met_at is None else {met_at: moment},
    )


def _moment(entry: Entry) -> Moment:
    dims = entry.data["dimensions"]
    return Moment(
        Stamp(entry.data.get("ticket_version", 0), entry.seq),
        entry.data["occurred_at"],
        Dimensions(dims["channel"], dims.get("type", ""), dims["priority"], dims.get("team", ""), dims.get("agent", ""), dims["tier"]),
    )
