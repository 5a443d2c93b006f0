"""The tickets of one transaction: as they were, as they are, and what happened to them in between."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from services.tickets.proof import Tracking
from services.tickets.workflow.announce import announce_change
from services.tickets.workflow.changes import Change
from services.tickets.workflow.evolution import evolve, opened
from services.tickets.workflow.notices import notice
from services.tickets.workflow.ticket import Ticket
from services.tickets.workflow.writing import write_opening
from shared.events.envelope import Event, Written


class Docket:
    """Folds changes in order, in memory; the store then writes each table once, and the outbox gets the events in the same order."""

    def __init__(self, tickets: Mapping[str, Ticket] | None = None, tracking: Tracking | None = None) -> None:
        """``tickets`` are those already in the database, locked by this transaction. Without ``tracking``, messages carry no link."""
        self._before: dict[str, Ticket] = dict(tickets or {})
        self._tickets: dict[str, Ticket] = dict(self._before)
        self.history: list[tuple[str, Change]] = []
        self.events: list[Event | Written] = []
        self._tracking = tracking

    def __getitem__(self, number: str) -> Ticket:
        return self._tickets[number]

    def get(self, number: str) -> Ticket | None:
        """The ticket as it is now, if it is on the docket."""
        return self._tickets.get(number)

    def add(self, tickets: Mapping[str, Ticket]) -> None:
        """Further tickets from the database, locked since."""
        for number, ticket in tickets.items():
            self._before.setdefault(number, ticket)
            self._tickets.setdefault(number, ticket)

    def link(self, number: str, at: datetime) -> str | None:
        """The customer's tracking link, for a message written at ``at``."""
        return None if self._tracking is None else self._tracking.link(number, at)

    def open(self, opening: Change) -> Ticket:
        """Add the ticket that the change opens."""
        ticket = opened(opening)
        self._tickets[ticket.number] = ticket
        self.history.append((ticket.number, opening))
        self.events.append(write_opening(ticket, opening))
        return ticket

    def record(self, after: Ticket, changes: Iterable[Change]) -> Ticket:
        """Note what happened to a ticket that is on the docket, and what it is now."""
        notices: list[Event] = []
        before = self._tickets[after.number]
        for change in changes:
            now = after if change.version == after.version else evolve(before, change)
            self.events += announce_change(before, now, change)
            notices += self._notice(before, now, change)
            self.history.append((after.number, change))
            before = now
        self.events += notices
        self._tickets[after.number] = after
        return after

    def _notice(self, before: Ticket, after: Ticket, change: Change) -> Iterator[Event]:
        told = notice(before, after, change, lambda: self.link(after.number, change.at))
        if told is not None:
            yield told

    def fresh(self) -> list[Ticket]:
        """Tickets opened in this transaction, as they are now."""
        return [ticket for number, ticket in self._tickets.items() if number not in self._before]

    def changed(self) -> list[tuple[Ticket, Ticket]]:
        """Tickets that existed and are different now: (before, after)."""
        return [(before, after) for number, before in self._before.items() if (after := self._tickets[number]).version != before.version]
