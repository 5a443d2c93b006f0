"""What facts count for: the definitions of the key figures as integers in quarter hours, and the change of them that new facts make.

A figure is a sum of units. Which units a request, a ticket or an answer contributes depends on its facts alone; when the facts change,
the old units are taken back and the new ones given. So every rollup row equals the sum over all facts, whatever the order of events was.
The written definitions are in the service's README; `verification` derives the same rows from them another way and must not use this
module.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from services.metrics.buckets import bucket_of
from services.metrics.facts import (
    AnswerFacts,
    Clock,
    Closing,
    Dimensions,
    Facts,
    Moment,
    RequestFacts,
    Subject,
    TargetFacts,
    TicketFacts,
    merge,
    observe,
)
from services.metrics.reduction import Entry

INTERNAL: Final = "internal"
"""Channel of colleagues' own matters; no figure counts them."""
MERGED: Final = "merged"
WITHDRAWN: Final = frozenset({"cancelled", MERGED})
"""Statuses that take a ticket's targets out of every count."""
CLOSED: Final = "closed"
NO_CUSTOMER_ANSWER: Final = "no_customer_answer"
RELATIONSHIP_SURVEY: Final = "T2"
"""Form whose recommendation is asked outside any ticket; kept apart from the transactional NPS."""
REOPEN_WINDOW_US: Final = 7 * 24 * 3600 * 1_000_000
"""How long after a resolution a reopening counts against it, inclusive."""

TOTAL: Final = "total"
DIMENSIONS: Final = Dimensions._fields
"""What figures can be grouped by, one at a time."""


class Unit(NamedTuple):
    """One count of one measure of a figure, before it is spread over the dimensions."""

    kpi: str
    measure: str
    bucket: int
    dimensions: Dimensions


class RowKey(NamedTuple):
    """One row of the rollups. Sorted, keys are the order in which rows are locked."""

    kpi: str
    dimension: str
    value: str
    bucket: int
    measure: str


# ------------------------------------------------------------------ fold


Told = tuple[Subject, Facts]
"""What one event tells about whom."""


def observed(entries: Iterable[Entry]) -> list[Told]:
    """What the entries tell, in their order; those that no figure needs tell nothing."""
    return [told for entry in entries if (told := observe(entry)) is not None]


def fold(known: Mapping[Subject, Facts], told: Iterable[Told]) -> tuple[dict[Subject, Facts], dict[RowKey, int]]:
    """What is changed: the facts that are new or different now, and by how much rollup rows go up or down (never by 0).

    ``known`` holds the present facts of the subjects that are told about, as far as there are any.
    """
    after: dict[Subject, Facts] = {}
    for subject, facts in told:
        before = after.get(subject) or known.get(subject)
        after[subject] = facts if before is None else merge(before, facts)
    changed = {subject: facts for subject, facts in after.items() if facts != known.get(subject)}
    return changed, spread(deltas(known, changed))


def deltas(before: Mapping[Subject, Facts], after: Mapping[Subject, Facts]) -> Counter[Unit]:
    """Minus what the subjects counted for before, plus what they count for now."""
    total: Counter[Unit] = Counter()
    for subject, facts in after.items():
        total.update(units(facts))
        if subject in before:
            total.subtract(units(before[subject]))
    return total


def spread(total: Mapping[Unit, int]) -> dict[RowKey, int]:
    """Units as rollup rows: once in total and once under each dimension, sorted, without zeros."""
    rows: Counter[RowKey] = Counter()
    for (kpi, measure, bucket, dimensions), n in total.items():
        if n:
            rows[RowKey(kpi, TOTAL, "", bucket, measure)] += n
            for dimension, value in zip(DIMENSIONS, dimensions, strict=True):
                rows[RowKey(kpi, dimension, value, bucket, measure)] += n
    return {key: rows[key] for key in sorted(rows) if rows[key]}


# ------------------------------------------------------------------ what counts


def units(facts: Facts) -> Iterator[Unit]:
    """Everything that the facts about one subject count for."""
    match facts:
        case RequestFacts():
            counted = _requests(facts)
        case TicketFacts():
            counted = _tickets(facts)
        case AnswerFacts():
            counted = _answers(facts)
    return (unit for unit in counted if unit.dimensions.channel != INTERNAL)


def _requests(request: RequestFacts) -> Iterator[Unit]:
    if request.received is not None:
        yield _unit("requests", "count", request.received)


def _tickets(ticket: TicketFacts) -> Iterator[Unit]:
    status = ticket.standing.status if ticket.standing is not None else ""
    if status == MERGED:
        return
    yield from _flow(ticket)
    if status not in WITHDRAWN:
        yield from _first_response(ticket.first_response)
        yield from _resolution(ticket, is_unanswered=_is_unanswered(ticket, status))


def _flow(ticket: TicketFacts) -> Iterator[Unit]:
    """What came in, what was resolved, and what of it did not hold."""
    if ticket.opened is not None:
        yield _unit("tickets_opened", "count", ticket.opened)
    for episode in ticket.episodes.values():
        if episode.resolved is not None:
            yield _unit("tickets_resolved", "count", episode.resolved)
            yield _unit("reopen_rate", "denominator", episode.resolved)
            if _is_reopened_in_time(episode.resolved, episode.reopened):
                yield _unit("reopen_rate", "numerator", episode.resolved)


def _first_response(target: TargetFacts) -> Iterator[Unit]:
    """Once, when it was met or came due, whichever was first; attained if that was the meeting."""
    counted = _settled(target, ended=None)
    if counted is not None and target.clock is not None:
        yield _unit("sla_first_response", "denominator", counted)
        if _is_attained(target.clock):
            yield _unit("sla_first_response", "numerator", counted)


def _resolution(ticket: TicketFacts, *, is_unanswered: bool) -> Iterator[Unit]:
    """Once, when the resolution target was met or came due; solved if the last resolution holds."""
    counted = _settled(ticket.resolution, ended=ticket.closed if is_unanswered else None)
    if counted is not None:
        yield _unit("resolution_rate", "denominator", counted)
        if _holds(ticket) and not is_unanswered:
            yield _unit("resolution_rate", "numerator", counted)


def _answers(answer: AnswerFacts) -> Iterator[Unit]:
    if answer.answered is None:
        return
    if answer.overall is not None:
        yield _unit("csat_mean", f"score_{answer.overall}", answer.answered)
    if answer.recommend is not None and answer.form.partition(".")[0] != RELATIONSHIP_SURVEY:
        yield _unit("nps", f"score_{answer.recommend}", answer.answered)


# ------------------------------------------------------------------ rules


def _settled(target: TargetFacts, *, ended: Moment | Closing | None) -> Moment | None:
    """Where a target counts: at min(met_at, due_at), with the dimensions of who told it; None while nobody knows how it ends.

    ``ended`` is the closing of a ticket whose customer did not answer: nobody will meet the target any more.
    """
    clock = target.clock
    if clock is None:
        return None
    if clock.met_at is not None:
        met = target.met[clock.met_at]
        teller = met if _is_attained(clock) or target.breached is None else target.breached
        return teller._replace(at=min(clock.met_at, clock.due_at))
    missed = target.breached or ended
    return None if missed is None else Moment(missed.stamp, clock.due_at, missed.dimensions)


def _is_attained(clock: Clock) -> bool:
    return clock.met_at is not None and clock.met_at <= clock.due_at


def _holds(ticket: TicketFacts) -> bool:
    """The last resolution was given and not reopened inside the window."""
    if not ticket.episodes:
        return False
    last = ticket.episodes[max(ticket.episodes)]
    return last.resolved is not None and not _is_reopened_in_time(last.resolved, last.reopened)


def _is_reopened_in_time(resolved: Moment, reopened: Moment | None) -> bool:
    return reopened is not None and reopened.at - resolved.at <= REOPEN_WINDOW_US


def _is_unanswered(ticket: TicketFacts, status: str) -> bool:
    """Closed because the customer did not answer; a later reopening or resolution makes good for it."""
    return status == CLOSED and ticket.closed is not None and ticket.closed.reason == NO_CUSTOMER_ANSWER


def _unit(kpi: str, measure: str, counted: Moment) -> Unit:
    return Unit(kpi, measure, bucket_of(counted.at), counted.dimensions)
