"""What is kept as rows because it is no sum of quarter hours: who waited from when to when, complaints, and which files are one person."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from services.metrics.facts import CUSTOMER, TICKET, CustomerFacts, Dimensions, Facts, Subject, TicketFacts
from services.metrics.projection import rules

FOREVER: Final = 2**63 - 1
"""The end of what has not ended, and of nothing that has."""
COMPLAINT: Final = "complaint"


class Span(NamedTuple):
    """A ticket was open from ``since`` until ``until`` (microseconds), with these dimensions."""

    ticket: str
    run: int
    since: int
    until: int
    opened_at: int
    dimensions: Dimensions


class Complaint(NamedTuple):
    """A ticket that is a complaint, for the file that it was written for."""

    ticket: str
    customer: str
    topic: str
    opened_at: int
    ended_at: int
    dimensions: Dimensions


class Alias(NamedTuple):
    """A customer file that is found under another one."""

    customer: str
    into: str


State = Span | Complaint | Alias


def states(subject: Subject, facts: Facts) -> Iterator[State]:
    """The rows that follow from the facts about one subject."""
    if subject.kind == TICKET and isinstance(facts, TicketFacts):
        if facts.opened is not None and not rules.is_void(facts) and facts.opened.dimensions.channel != rules.INTERNAL:
            yield from spans(subject.id, facts, facts.opened.at)
            yield from complaints(subject.id, facts, facts.opened.at)
    elif subject.kind == CUSTOMER and isinstance(facts, CustomerFacts) and facts.link is not None and facts.link.into is not None:
        yield Alias(subject.id, facts.link.into)


def spans(ticket: str, facts: TicketFacts, opened_at: int) -> Iterator[Span]:
    """Who held it while it was open; what lasted no time is left out."""
    ends = [run.at for run in facts.runs[1:]] + [FOREVER]
    for run, until in zip(facts.runs, ends, strict=True):
        if run.holder is not None and run.at < until:
            yield Span(ticket, run.first, run.at, until, opened_at, run.holder)


def complaints(ticket: str, facts: TicketFacts, opened_at: int) -> Iterator[Complaint]:
    """A ticket whose type is complaint as far as is known; one without a topic is a matter of its own."""
    standing = facts.standing
    if standing is not None and standing.type == COMPLAINT and facts.opened is not None:
        dimensions = facts.opened.dimensions._replace(type=COMPLAINT)
        yield Complaint(ticket, standing.customer, standing.topic or f"ticket {ticket}", opened_at, ended_at(facts), dimensions)


def ended_at(ticket: TicketFacts) -> int:
    """When the customer had to take it as finished: closed, cancelled, or until then resolved; FOREVER while it is open."""
    status = rules.status_of(ticket)
    if status == rules.CLOSED and ticket.closed is not None:
        return ticket.closed.at
    if status == rules.CANCELLED and ticket.cancelled is not None:
        return ticket.cancelled.at
    resolved = [episode.resolved.at for episode in ticket.episodes.values() if episode.resolved is not None]
    return max(resolved) if status in rules.SOLVED and resolved else FOREVER
