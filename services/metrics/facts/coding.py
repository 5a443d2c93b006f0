"""Facts as compact text, and back: the values in the order of their fields, without names.

A change of what `values` holds is a change of this form: raise `handlers.ROWS`, so that what was written before is built anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

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
    SurveyFacts,
    TargetFacts,
    TicketFacts,
    dimensions,
)


def encode(facts: Facts) -> str:
    """The text."""
    return orjson.dumps(facts, default=_plain, option=orjson.OPT_NON_STR_KEYS).decode()


def _plain(value: object) -> object:
    if value is NO_TARGET:
        return None
    if isinstance(value, tuple):
        return tuple(value)
    if value is NOTHING:
        return None
    raise TypeError(f"{type(value).__name__} is no part of facts")


def decode(kind: str, text: str) -> Facts:
    """The facts about a subject of this kind."""
    return _DECODERS[kind](orjson.loads(text))


def _ticket(values: list[Any]) -> TicketFacts:
    opened, standing, closed, cancelled, first_response, resolution, next_responses, episodes, runs = values
    return TicketFacts(
        opened and _moment(opened),
        standing and Standing(Stamp(*standing[0]), *standing[1:]),
        closed and _closing(closed),
        cancelled and _closing(cancelled),
        NO_TARGET if first_response is None else _target(first_response),
        NO_TARGET if resolution is None else _target(resolution),
        {int(start): _target(target) for start, target in next_responses.items()} if next_responses else NOTHING,
        {int(number): Episode(*map(_optional_moment, episode)) for number, episode in episodes.items()} if episodes else NOTHING,
        tuple([Run(first, last, at, holder and dimensions(*holder)) for first, last, at, holder in runs]),
    )


def _target(values: list[Any]) -> TargetFacts:
    clock, breached, met = values
    return TargetFacts(
        clock and Clock(Stamp(*clock[0]), *clock[1:]),
        breached and _moment(breached),
        {int(at): _moment(moment) for at, moment in met.items()} if met else NOTHING,
    )


def _moment(values: list[Any]) -> Moment:
    return Moment(Stamp(*values[0]), values[1], dimensions(*values[2]))


def _optional_moment(values: list[Any] | None) -> Moment | None:
    return None if values is None else _moment(values)


def _closing(values: list[Any]) -> Closing:
    return Closing(Stamp(*values[0]), values[1], dimensions(*values[2]), values[3])


def _survey(values: list[Any]) -> SurveyFacts:
    invited, cancelled, answer = values
    given = answer and Answer(Stamp(*answer[0]), answer[1], dimensions(*answer[2]), *answer[3:])
    return SurveyFacts(_optional_moment(invited), _optional_moment(cancelled), given)


def _request(values: list[Any]) -> RequestFacts:
    return RequestFacts(_optional_moment(values[0]))


def _customer(values: list[Any]) -> CustomerFacts:
    (link,) = values
    return CustomerFacts(link and Link(Stamp(*link[0]), link[1]))


_DECODERS: Final[Mapping[str, Callable[[list[Any]], Facts]]] = {
    REQUEST: _request,
    TICKET: _ticket,
    SURVEY: _survey,
    CUSTOMER: _customer,
}
