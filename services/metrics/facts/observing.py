"""What one line of the event log tells, and about whom."""

from __future__ import annotations

from collections.abc import Mapping
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
    Dimensions,
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
)
from services.metrics.reduction import Data, Entry
from shared.events import feedback, intake, tickets

OPEN: Final = frozenset(
    {"new", "triaged", "assigned", "in_progress", "waiting_customer", "waiting_parts", "waiting_third_party"},
)
"""Statuses in which a ticket still has to be solved."""
SERVICE_QUESTION: Final = "S1"
"""Form of the one question whether a complaint is solved: a message of the service, no survey that somebody may leave unanswered."""


def observe(entry: Entry) -> tuple[Subject, Facts] | None:
    """What one event tells, and about whom; None when it tells nothing that a figure needs."""
    match entry.type:
        case intake.RequestReceived.TYPE:
            return Subject(REQUEST, entry.data["request_id"]), RequestFacts(_request(entry))
        case intake.CustomerMerged.TYPE:
            return _customer(entry, entry.data["into_customer_id"])
        case intake.CustomerUnmerged.TYPE:
            return _customer(entry, None)
        case feedback.SurveyInvited.TYPE if entry.data["form"].partition(".")[0] != SERVICE_QUESTION:
            return _survey(entry), SurveyFacts(invited=_moment(entry))
        case feedback.SurveyCancelled.TYPE:
            return _survey(entry), SurveyFacts(cancelled=_moment(entry))
        case feedback.SurveyAnswered.TYPE:
            return _survey(entry), SurveyFacts(answer=_answer(entry))
        case feedback.SurveyAnsweredAnonymously.TYPE:
            return Subject(SURVEY, entry.data["response_id"]), SurveyFacts(answer=_anonymous_answer(entry))
        case _ if entry.topic == tickets.TicketEvent.TOPIC.name and "ticket_number" in entry.data:
            return Subject(TICKET, entry.data["ticket_number"]), _ticket(entry)
    return None


def _request(entry: Entry) -> Moment:
    dimensions = Dimensions(channel=entry.data["channel"], type=entry.data.get("type", ""))
    return Moment(Stamp(0, entry.seq), entry.data["occurred_at"], dimensions)


def _customer(entry: Entry, into: str | None) -> tuple[Subject, Facts]:
    return Subject(CUSTOMER, entry.data["customer_id"]), CustomerFacts(Link(Stamp(0, entry.seq), into))


# ------------------------------------------------------------------ surveys


def _survey(entry: Entry) -> Subject:
    return Subject(SURVEY, entry.data["invitation_id"])


def _answer(entry: Entry) -> Answer:
    data = entry.data
    return Answer(*_moment(entry), data["form"], data.get("overall"), data.get("recommend"))


def _anonymous_answer(entry: Entry) -> Answer:
    """Dated at the beginning of its day; who worked on the matter is not told."""
    data = entry.data
    dimensions = Dimensions(channel=data["channel"], type=data.get("type", ""), tier=data.get("tier", ""))
    return Answer(Stamp(0, entry.seq), data["occurred_at"], dimensions, data["form"], data.get("overall"), data.get("recommend"))


# ------------------------------------------------------------------ tickets


def _ticket(entry: Entry) -> TicketFacts:
    """What every event of a ticket tells, and what this one tells besides."""
    data, moment = entry.data, _moment(entry)
    standing, runs = _standing(data, moment.stamp), _runs(data, moment)
    match entry.type:
        case tickets.TicketOpened.TYPE:
            opened = moment._replace(at=data["opened_at"])
            return TicketFacts(
                opened, standing, runs=_runs(data, opened), first_response=_first(data, moment), resolution=_resolution(data, moment)
            )
        case tickets.TicketResolved.TYPE | tickets.TicketReopened.TYPE | tickets.TicketUnmerged.TYPE:
            return TicketFacts(
                standing=standing,
                runs=runs,
                first_response=_first(data, moment),
                resolution=_resolution(data, moment),
                episodes=_episodes(entry, moment),
            )
        case tickets.TicketClosed.TYPE:
            return TicketFacts(standing=standing, runs=runs, closed=Closing(*moment, data["reason"]))
        case tickets.TicketCancelled.TYPE:
            return TicketFacts(standing=standing, runs=runs, cancelled=Closing(*moment, data["reason"]))
        case tickets.TicketMessageAdded.TYPE if "next_response" in data:
            return TicketFacts(standing=standing, runs=runs, next_responses=_next_response(data["next_response"], moment))
        case tickets.SlaMet.TYPE | tickets.SlaWarned.TYPE | tickets.SlaBreached.TYPE | tickets.SlaRetargeted.TYPE:
            return _clock(entry, standing, runs, moment)
    return TicketFacts(standing=standing, runs=runs)


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


def _clock(entry: Entry, standing: Standing, runs: tuple[Run, ...], moment: Moment) -> TicketFacts:
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
    dims = entry.data["dimensions"]
    return Moment(
        Stamp(entry.data.get("ticket_version", 0), entry.seq),
        entry.data["occurred_at"],
        Dimensions(dims["channel"], dims.get("type", ""), dims["priority"], dims.get("team", ""), dims.get("agent", ""), dims["tier"]),
    )
