"""What one line of the event log tells, and about whom."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from services.metrics.facts.values import (
    CUSTOMER,
    NO_TARGET,
    NOTHING,
    REQUEST,
    SURVEY,
    TICKET,
    Answer,
    Clock,
    Closing,
    CustomerFacts,
    Episode,
    Facts,
    Link,
    Moment,
    RequestFacts,
    Run,
    Stamp,
    Standing,
    Subject,
    SurveyFacts,
    TargetFacts,
    TicketFacts,
    dimensions,
)
from services.metrics.reduction import Data, Entry
from shared.events import feedback, intake, tickets

OPEN: Final = frozenset(
    {"new", "triaged", "assigned", "in_progress", "waiting_customer", "waiting_parts", "waiting_third_party"},
)
"""Statuses in which a ticket still has to be solved."""
_TICKETS: Final = tickets.TicketEvent.TOPIC.name

Told = tuple[Subject, Facts]
Runs = tuple[Run, ...]

SERVICE_QUESTION: Final = "S1"
"""Form of the one question whether a complaint is solved: a message of the service, no survey that somebody may leave unanswered."""


def observe(entry: Entry) -> tuple[Subject, Facts] | None:
    """What one event tells, and about whom; None when it tells nothing that a figure needs."""
    tell = TELLERS.get(entry.type)
    if tell is not None:
        return tell(entry)
    if entry.topic == _TICKETS and "ticket_number" in entry.data:
        return Subject(TICKET, entry.data["ticket_number"]), _ticket(entry)
    return None


def _request(entry: Entry) -> Moment:
    data = entry.data
    return Moment(Stamp(0, entry.seq), data["occurred_at"], dimensions(data["channel"], data.get("type", "")))


def _customer(entry: Entry, into: str | None) -> Told:
    return Subject(CUSTOMER, entry.data["customer_id"]), CustomerFacts(Link(Stamp(0, entry.seq), into))


# ------------------------------------------------------------------ surveys


def _invited(entry: Entry) -> Told | None:
    if entry.data["form"].partition(".")[0] == SERVICE_QUESTION:
        return None
    return _survey(entry), SurveyFacts(invited=_moment(entry))


def _survey(entry: Entry) -> Subject:
    return Subject(SURVEY, entry.data["invitation_id"])


def _answer(entry: Entry) -> Answer:
    data = entry.data
    return Answer(*_moment(entry), data["form"], data.get("overall"), data.get("recommend"))


def _anonymous_answer(entry: Entry) -> Answer:
    """Dated at the beginning of its day; who worked on the matter is not told."""
    data = entry.data
    dims = dimensions(data["channel"], data.get("type", ""), tier=data.get("tier", ""))
    return Answer(Stamp(0, entry.seq), data["occurred_at"], dims, data["form"], data.get("overall"), data.get("recommend"))


TELLERS: Final[dict[str, Callable[[Entry], Told | None]]] = {
    intake.RequestReceived.TYPE: lambda entry: (Subject(REQUEST, entry.data["request_id"]), RequestFacts(_request(entry))),
    intake.CustomerMerged.TYPE: lambda entry: _customer(entry, entry.data["into_customer_id"]),
    intake.CustomerUnmerged.TYPE: lambda entry: _customer(entry, None),
    feedback.SurveyInvited.TYPE: _invited,
    feedback.SurveyCancelled.TYPE: lambda entry: (_survey(entry), SurveyFacts(cancelled=_moment(entry))),
    feedback.SurveyAnswered.TYPE: lambda entry: (_survey(entry), SurveyFacts(answer=_answer(entry))),
    feedback.SurveyAnsweredAnonymously.TYPE: lambda entry: (
        Subject(SURVEY, entry.data["response_id"]),
        SurveyFacts(answer=_anonymous_answer(entry)),
    ),
}
"""By type of event, about whatever is no ticket."""


# ------------------------------------------------------------------ tickets


def _ticket(entry: Entry) -> TicketFacts:
    """What every event of a ticket tells, and what this one tells besides."""
    moment = _moment(entry)
    standing, runs = _standing(entry.data, moment.stamp), _runs(entry.data, moment)
    tell = TELLERS_OF_TICKETS.get(entry.type)
    if tell is None:
        return TicketFacts(None, standing, None, None, NO_TARGET, NO_TARGET, NOTHING, NOTHING, runs)
    return tell(entry, moment, standing, runs)


def _opened(entry: Entry, moment: Moment, standing: Standing, _runs_told: Runs) -> TicketFacts:
    data, opened = entry.data, Moment(moment.stamp, entry.data["opened_at"], moment.dimensions)
    return TicketFacts(
        opened, standing, runs=_runs(data, opened), first_response=_first(data, moment), resolution=_resolution(data, moment)
    )


def _episode(entry: Entry, moment: Moment, standing: Standing, runs: Runs) -> TicketFacts:
    data = entry.data
    return TicketFacts(
        standing=standing,
        runs=runs,
        first_response=_first(data, moment),
        resolution=_resolution(data, moment),
        episodes=_episodes(entry, moment),
    )


def _message(entry: Entry, moment: Moment, standing: Standing, runs: Runs) -> TicketFacts:
    told = entry.data.get("next_response")
    return TicketFacts(standing=standing, runs=runs, next_responses=NOTHING if told is None else _next_response(told, moment))


def _clock(entry: Entry, moment: Moment, standing: Standing, runs: Runs) -> TicketFacts:
    """What happened to one of the targets."""
    clock, is_breach = entry.data["clock"], entry.type == tickets.SlaBreached.TYPE
    match entry.data["target"]:
        case "first_response":
            return TicketFacts(standing=standing, runs=runs, first_response=_told(clock, moment, is_breach=is_breach))
        case "resolution":
            return TicketFacts(standing=standing, runs=runs, resolution=_told(clock, moment, is_breach=is_breach))
        case "next_response":
            return TicketFacts(standing=standing, runs=runs, next_responses=_next_response(clock, moment, is_breach=is_breach))
    return TicketFacts(standing=standing, runs=runs)


TELLERS_OF_TICKETS: Final[dict[str, Callable[[Entry, Moment, Standing, Runs], TicketFacts]]] = {
    tickets.TicketOpened.TYPE: _opened,
    tickets.TicketResolved.TYPE: _episode,
    tickets.TicketReopened.TYPE: _episode,
    tickets.TicketUnmerged.TYPE: _episode,
    tickets.TicketClosed.TYPE: lambda entry, moment, standing, runs: TicketFacts(
        standing=standing, runs=runs, closed=Closing(*moment, entry.data["reason"])
    ),
    tickets.TicketCancelled.TYPE: lambda entry, moment, standing, runs: TicketFacts(
        standing=standing, runs=runs, cancelled=Closing(*moment, entry.data["reason"])
    ),
    tickets.TicketMessageAdded.TYPE: _message,
    tickets.SlaMet.TYPE: _clock,
    tickets.SlaWarned.TYPE: _clock,
    tickets.SlaBreached.TYPE: _clock,
    tickets.SlaRetargeted.TYPE: _clock,
}
"""By type of event, about a ticket; the others tell where it stands."""


def _standing(data: Data, stamp: Stamp) -> Standing:
    dims = data["dimensions"]
    topic = dims.get("root_topic") or dims.get("category", "")
    return Standing(stamp, dims["status"], dims.get("type", ""), topic, data["customer_id"])


def _runs(data: Data, moment: Moment) -> tuple[Run, ...]:
    """The one version that the event is about."""
    version, is_open = moment.stamp.version, data["dimensions"]["status"] in OPEN
    return (Run(version, version, moment.at, moment.dimensions if is_open else None),)


def _episodes(entry: Entry, moment: Moment) -> Mapping[int, Episode]:
    match entry.type:
        case tickets.TicketResolved.TYPE:
            return {entry.data["episode"]: Episode(resolved=moment)}
        case tickets.TicketReopened.TYPE:
            return {entry.data["episode"]: Episode(reopened=moment)}
    return NOTHING


def _first(data: Data, moment: Moment) -> TargetFacts:
    return _told(data["first_response"], moment) if "first_response" in data else NO_TARGET


def _resolution(data: Data, moment: Moment) -> TargetFacts:
    return _told(data["resolution"], moment) if "resolution" in data else NO_TARGET


def _next_response(target: Data, moment: Moment, *, is_breach: bool = False) -> dict[int, TargetFacts]:
    return {target["started_at"]: _told(target, moment, is_breach=is_breach)}


def _told(target: Data, moment: Moment, *, is_breach: bool = False) -> TargetFacts:
    met_at = target.get("met_at")
    return TargetFacts(
        clock=Clock(moment.stamp, target["policy_version"], target["started_at"], target["due_at"], met_at, target.get("business_ms")),
        breached=moment if is_breach else None,
        met=NOTHING if met_at is None else {met_at: moment},
    )


def _moment(entry: Entry) -> Moment:
    data = entry.data
    dims = data["dimensions"]
    get = dims.get
    return Moment(
        Stamp(data.get("ticket_version", 0), entry.seq),
        data["occurred_at"],
        dimensions(dims["channel"], get("type", ""), dims["priority"], get("team", ""), get("agent", ""), dims["tier"]),
    )
