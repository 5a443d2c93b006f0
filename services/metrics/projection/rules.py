"""When something counts, and when it does not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from services.metrics.facts import Clock, Closing, Episode, Moment, TargetFacts, TicketFacts

INTERNAL: Final = "internal"
"""Channel of colleagues' own matters; no figure counts them."""
MERGED: Final = "merged"
CANCELLED: Final = "cancelled"
VOID_REASONS: Final = frozenset({"spam", "test", "duplicate", "not_a_request", "dismissed"})
"""Reasons of a cancellation that say that there never was a case."""
WITHDRAWN: Final = frozenset({CANCELLED, MERGED})
"""Statuses that take a ticket's targets out of every count."""
CLOSED: Final = "closed"
SOLVED: Final = frozenset({"resolved", "confirmed"})
NO_CUSTOMER_ANSWER: Final = "no_customer_answer"
REOPEN_WINDOW_US: Final = 7 * 24 * 3600 * 1_000_000
"""How long after a resolution a reopening counts against it, inclusive."""
CHAT: Final = frozenset({"chat", "bot"})
"""Channels on which the customer waits for the first human word: our own chat, and what the bot hands over (D06)."""
ONLINE_LIMIT_MS: Final = 30_000
"""Within so much an online response is quick, inclusive."""


def is_void(ticket: TicketFacts) -> bool:
    """Nothing of it counts: it goes on in another ticket, or there never was a case."""
    status = status_of(ticket)
    if status == CANCELLED:
        return ticket.cancelled is not None and ticket.cancelled.reason in VOID_REASONS
    return status == MERGED


def status_of(ticket: TicketFacts) -> str:
    """The last status that was told."""
    return ticket.standing.status if ticket.standing is not None else ""


def settled(target: TargetFacts, *, ended: Moment | Closing | None = None) -> Moment | None:
    """Where a target counts: at min(met_at, due_at), with the dimensions of who told it; None while nobody knows how it ends.

    ``ended`` is the closing of a ticket whose customer did not answer: nobody will meet the target any more.
    """
    clock = target.clock
    if clock is None:
        return None
    if clock.met_at is not None:
        met = target.met[clock.met_at]
        teller = met if is_attained(clock) or target.breached is None else target.breached
        return Moment(teller.stamp, min(clock.met_at, clock.due_at), teller.dimensions)
    missed = target.breached or ended
    return None if missed is None else Moment(missed.stamp, clock.due_at, missed.dimensions)


def is_attained(clock: Clock) -> bool:
    """Met by the due time."""
    return clock.met_at is not None and clock.met_at <= clock.due_at


def holds(episodes: Mapping[int, Episode]) -> bool:
    """The last resolution was given and not reopened inside the window."""
    if not episodes:
        return False
    last = episodes[max(episodes)]
    return last.resolved is not None and not is_reopened_in_time(last.resolved, last.reopened)


def is_reopened_in_time(resolved: Moment, reopened: Moment | None) -> bool:
    """The reopening counts against the resolution."""
    return reopened is not None and reopened.at - resolved.at <= REOPEN_WINDOW_US


def is_unanswered(ticket: TicketFacts) -> bool:
    """Closed because the customer did not answer, or by hand without a solution; a later reopening or resolution makes good for it."""
    if status_of(ticket) != CLOSED or ticket.closed is None:
        return False
    return ticket.closed.reason == NO_CUSTOMER_ANSWER or not holds(ticket.episodes)
