"""What a ticket counts for, in parts that change for themselves."""

from __future__ import annotations

from collections.abc import Mapping

from services.metrics.buckets import duration_class
from services.metrics.facts import Closing, Episode, Moment, TargetFacts, TicketFacts
from services.metrics.projection import rules
from services.metrics.projection.units import Counted, Part, unit


def flow(opened: Moment | None, episodes: Mapping[int, Episode]) -> Counted:
    """What came in, what was resolved, and what of it did not hold."""
    if opened is not None:
        yield unit("tickets_opened", "count", opened)
    for episode in episodes.values():
        if episode.resolved is not None:
            yield unit("tickets_resolved", "count", episode.resolved)
            yield unit("reopen_rate", "denominator", episode.resolved)
            if rules.is_reopened_in_time(episode.resolved, episode.reopened):
                yield unit("reopen_rate", "numerator", episode.resolved)


def first_response(target: TargetFacts, is_withdrawn: bool) -> Counted:
    """Whether it came in time, and how long the customer waited for it; on a chat also whether it was quick."""
    if not is_withdrawn:
        yield from attainment("sla_first_response", target)
    met = _met(target)
    if met is None or target.clock is None:
        return
    yield from _spent("first_response_time", target, met)
    if met.dimensions.channel in rules.CHAT:
        yield from _spent("online_response_time", target, met)
        if target.clock.business_ms is not None and target.clock.business_ms <= rules.ONLINE_LIMIT_MS:
            yield unit("online_response_time", "within", met)


def next_responses(targets: Mapping[int, TargetFacts], is_withdrawn: bool) -> Counted:
    """Each clock of an unanswered message by itself."""
    if not is_withdrawn:
        for target in targets.values():
            yield from attainment("sla_next_response", target)


def resolution(target: TargetFacts, episodes: Mapping[int, Episode], unanswered: Closing | None, is_withdrawn: bool) -> Counted:
    """Once, when the resolution target was met or came due: in time or not, solved for good or not; and how long it took."""
    if not is_withdrawn:
        yield from attainment("sla_resolution", target)
        counted = rules.settled(target, ended=unanswered)
        if counted is not None:
            yield unit("resolution_rate", "denominator", counted)
            if rules.holds(episodes) and unanswered is None:
                yield unit("resolution_rate", "numerator", counted)
    met = _met(target)
    if met is not None:
        yield from _spent("resolution_time", target, met)


def attainment(kpi: str, target: TargetFacts) -> Counted:
    """Once, when the target was met or came due, whichever was first; attained if that was the meeting."""
    counted = rules.settled(target)
    if counted is not None and target.clock is not None:
        yield unit(kpi, "denominator", counted)
        if rules.is_attained(target.clock):
            yield unit(kpi, "numerator", counted)


def _met(target: TargetFacts) -> Moment | None:
    """The meeting as it stands, with the dimensions of who told it first."""
    clock = target.clock
    if clock is None or clock.met_at is None:
        return None
    told = target.met[clock.met_at]
    return Moment(told.stamp, clock.met_at, told.dimensions)


def _spent(kpi: str, target: TargetFacts, met: Moment) -> Counted:
    """How long it took by each clock: the sum, exactly, and the class of the duration."""
    clock = target.clock
    assert clock is not None
    for name, ms in (("business", clock.business_ms), ("calendar", max(0, met.at - clock.started_at) // 1000)):
        if ms is not None:
            yield unit(kpi, f"{name}_ms", met, ms)
            yield unit(kpi, f"{name}_{duration_class(ms)}", met)


def parts(ticket: TicketFacts) -> list[Part]:
    """What the ticket counts for, as calls that need not be made again while their arguments are the same."""
    if rules.is_void(ticket):
        return []
    is_withdrawn = rules.status_of(ticket) in rules.WITHDRAWN
    unanswered = ticket.closed if rules.is_unanswered(ticket) else None
    return [
        (flow, ticket.opened, ticket.episodes),
        (first_response, ticket.first_response, is_withdrawn),
        (next_responses, ticket.next_responses, is_withdrawn),
        (resolution, ticket.resolution, ticket.episodes, unanswered, is_withdrawn),
    ]
