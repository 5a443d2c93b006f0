"""Two pieces of knowledge about the same subject in one. What adds nothing leaves the other as it is, the same object."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

from services.metrics.facts.values import (
    NO_TARGET,
    Clock,
    CustomerFacts,
    Episode,
    Facts,
    RequestFacts,
    Run,
    Stamp,
    SurveyFacts,
    TargetFacts,
    TicketFacts,
)


class _Stamped(Protocol):
    @property
    def stamp(self) -> Stamp: ...


S = TypeVar("S", bound=_Stamped)
K = TypeVar("K")
V = TypeVar("V")


def merge(one: Facts, other: Facts) -> Facts:
    """Both pieces of knowledge in one."""
    if isinstance(one, TicketFacts) and isinstance(other, TicketFacts):
        return _merge_tickets(one, other)
    if isinstance(one, RequestFacts) and isinstance(other, RequestFacts):
        return RequestFacts(first(one.received, other.received))
    if isinstance(one, SurveyFacts) and isinstance(other, SurveyFacts):
        return _merge_surveys(one, other)
    if isinstance(one, CustomerFacts) and isinstance(other, CustomerFacts):
        return CustomerFacts(last(one.link, other.link))
    raise TypeError(f"facts of two kinds of subject: {type(one).__name__}, {type(other).__name__}")


def _merge_tickets(one: TicketFacts, other: TicketFacts) -> TicketFacts:
    """Most events tell two or three of the nine fields."""
    opened, standing, closed, cancelled, first_response, resolution, next_responses, episodes, runs = one
    return TicketFacts(
        opened if other[0] is None else first(opened, other[0]),
        standing if other[1] is None else last(standing, other[1]),
        closed if other[2] is None else last(closed, other[2]),
        cancelled if other[3] is None else last(cancelled, other[3]),
        first_response if other[4] is NO_TARGET else _merge_targets(first_response, other[4]),
        resolution if other[5] is NO_TARGET else _merge_targets(resolution, other[5]),
        _merge_each(next_responses, other[6], _merge_targets) if other[6] else next_responses,
        _merge_each(episodes, other[7], _merge_episodes) if other[7] else episodes,
        _merge_runs(runs, other[8]),
    )


def _merge_surveys(one: SurveyFacts, other: SurveyFacts) -> SurveyFacts:
    return SurveyFacts(first(one.invited, other.invited), first(one.cancelled, other.cancelled), first(one.answer, other.answer))


def _merge_targets(one: TargetFacts, other: TargetFacts) -> TargetFacts:
    if other is NO_TARGET:  # as it nearly always is
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


def _merge_runs(one: tuple[Run, ...], other: tuple[Run, ...]) -> tuple[Run, ...]:
    """Versions that follow each other without a gap and have the same holder are one run, begun with the first of them."""
    if not one or not other:
        return one or other
    newest, told = one[-1], other[0]
    if len(other) == 1 and (told.first, told.at) > (newest.first, newest.at):  # as it nearly always is
        return (*one[:-1], *_joined(newest, told))
    merged: list[Run] = []
    for run in sorted((*one, *other), key=_in_order):
        merged[-1:] = _joined(merged[-1], run) if merged else [run]
    return tuple(merged)


def _in_order(run: Run) -> tuple[int, int]:
    return run.first, run.at


def _joined(before: Run, run: Run) -> tuple[Run, ...]:
    """Both, or one if the second only goes on with the first."""
    if run.first > before.last + 1 or run.holder != before.holder:
        return before, run
    return (Run(before.first, run.last, before.at, before.holder) if run.last > before.last else before,)


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
