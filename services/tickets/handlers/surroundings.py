"""What there is around the messages of a batch: their customers, and the tickets that they may belong to, locked.

Found without locks, locked, and looked for once more: what was opened or merged meanwhile is locked as well. So of two transactions that
would both open a linked ticket on one matter, the later one sees the ticket of the earlier.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from services.tickets import matching
from services.tickets.matching import TALKS, Arrival, Case, Match
from services.tickets.store import candidates, loading, merges
from services.tickets.store.candidates import Conversation, Named, Traits
from services.tickets.workflow.docket import Docket
from services.tickets.workflow.gratitude import is_only_thanks
from services.tickets.workflow.status import OPEN
from services.tickets.workflow.ticket import Ticket
from shared.database import Transaction
from shared.events.feedback import SurveyAnswered
from shared.events.intake import RequestDismissed, RequestReceived

ROUNDS: Final = 5
"""Looks at what is growing while we look; each one takes locks, so the second nearly always finds nothing new."""


@dataclass
class Surroundings:
    """What the decisions of one batch see of the rest of the world; grows with the batch."""

    families: dict[UUID, tuple[UUID, frozenset[UUID]]]
    numbers: dict[str, str]
    """Ticket that each reference answers as, merged ones too."""
    roots: dict[str, str]
    """Ticket that goes on for each."""
    series: dict[str, list[str]]
    """All tickets on the same matter, oldest first."""
    conversations: dict[Conversation, list[tuple[UUID, str]]]
    tickets: dict[str, Ticket]
    """As they were when they were locked."""
    traits: dict[str, Traits] = field(default_factory=dict)
    newest: list[tuple[Conversation, UUID, str]] = field(default_factory=list)
    """Tickets that conversations of this batch are about from now on."""
    proofs: list[tuple[str, str, str]] = field(default_factory=list)
    by_customer: dict[UUID, set[str]] = field(default_factory=dict)

    def match(self, event: RequestReceived, docket: Docket) -> Match | None:
        """Where the message belongs, as things are now."""
        _, persons = self.families[event.customer_id]
        numbers = {number for person in persons for number in self.by_customer.get(person, ())}
        if not numbers:
            return None
        return matching.match(self._arrival(event, persons), [self._case(docket[number]) for number in sorted(numbers)])

    def ticket(self, reference: str, docket: Docket) -> Ticket | None:
        """The ticket that a reference answers as, as it is now."""
        number = self.numbers.get(reference)
        return docket.get(number) if number else None

    def opened(self, ticket: Ticket, event: RequestReceived | None) -> None:
        """A ticket was opened in this batch."""
        self.numbers[ticket.number] = ticket.number
        self.roots[ticket.number] = ticket.number
        self.series.setdefault(ticket.series, []).append(ticket.number)
        self.by_customer.setdefault(ticket.customer_id, set()).add(ticket.number)
        product = event.product if event else None
        if product is not None:
            self.traits[ticket.number] = Traits(product.serial_number, product.order_number)

    def took(self, event: RequestReceived, number: str) -> None:
        """The message is on the ticket now."""
        self.numbers[event.reference] = number
        was = self.traits.get(number, _NONE)
        last_at = max(was.last_at, event.occurred_at) if was.last_at else event.occurred_at
        self.traits[number] = Traits(was.serial, was.order, event.channel, last_at)
        self.proofs += [(event.reference, digest, number) for digest in event.proofs]
        if event.conversation_id is not None:
            conversation, top = (event.channel, event.conversation_id), self.families[event.customer_id][0]
            self.conversations.setdefault(conversation, []).append((top, number))
            self.newest.append((conversation, top, number))

    def _arrival(self, event: RequestReceived, persons: frozenset[UUID]) -> Arrival:
        product = event.product
        reply_to = self.numbers.get(event.in_reply_to) if event.in_reply_to else None
        return Arrival(
            persons=persons,
            channel=event.channel,
            at=event.occurred_at,
            type=event.type,
            serial=matching.key(product.serial_number) if product else None,
            order=matching.key(product.order_number) if product else None,
            names_product=product is not None and any((product.model, product.serial_number, product.order_number)),
            only_thanks=is_only_thanks(event.text),
            reply_to=self.roots.get(reply_to, reply_to) if reply_to else None,
            reply_was_merged=reply_to is not None and self.roots.get(reply_to, reply_to) != reply_to,
            conversation=self._conversation(event, persons),
        )

    def _conversation(self, event: RequestReceived, persons: frozenset[UUID]) -> str | None:
        if event.conversation_id is None:
            return None
        for customer_id, number in reversed(self.conversations.get((event.channel, event.conversation_id), [])):
            if customer_id in persons:
                return self.roots.get(number, number)
        return None

    def _case(self, ticket: Ticket) -> Case:
        traits = self.traits.get(ticket.number, _NONE)
        return Case(
            number=ticket.number,
            customer_id=ticket.customer_id,
            is_open=ticket.status in OPEN,
            type=ticket.type,
            serial=matching.key(traits.serial),
            order=matching.key(traits.order),
            opened_at=ticket.opened_at,
            last_channel=traits.last_channel,
            last_at=traits.last_at or ticket.opened_at,
        )


_NONE: Final = Traits()


async def survey(
    tx: Transaction,
    requests: Sequence[RequestReceived],
    answers: Sequence[SurveyAnswered],
    dismissals: Sequence[RequestDismissed] = (),
) -> Surroundings:
    """Find and lock what the batch may touch."""
    families = await candidates.families(tx, {event.customer_id for event in requests})
    await _lock_persons(tx, families)
    locked: set[str] = set()
    for _ in range(ROUNDS):
        around = await _look(tx, families, requests, answers, dismissals)
        wanted = {number for members in around.series.values() for number in members} | set(around.traits)
        if wanted <= locked:
            break
        await loading.lock(tx, wanted - locked)
        locked |= wanted
    around.tickets = await loading.load(tx, locked) if locked else {}
    for ticket in around.tickets.values():
        around.by_customer.setdefault(ticket.customer_id, set()).add(ticket.number)
    return around


async def _lock_persons(tx: Transaction, families: dict[UUID, tuple[UUID, frozenset[UUID]]]) -> None:
    """One customer's messages come one after another, on one partition; those of a person with several ids need not."""
    several = {top for top, ids in families.values() if len(ids) > 1}
    if several:
        await candidates.lock_customers(tx, several)


async def _look(
    tx: Transaction,
    families: dict[UUID, tuple[UUID, frozenset[UUID]]],
    requests: Sequence[RequestReceived],
    answers: Sequence[SurveyAnswered],
    dismissals: Sequence[RequestDismissed],
) -> Surroundings:
    talks = {(event.channel, event.conversation_id) for event in requests if event.conversation_id is not None}
    conversations = await candidates.conversations(tx, talks)
    references = {event.in_reply_to for event in requests if event.in_reply_to} | {event.ticket_number for event in answers}
    references |= {event.reference for event in dismissals}
    numbers = await loading.resolve(tx, references) if references else {}
    named = set(numbers.values()) | {number for found in conversations.values() for _, number in found}
    roots = await merges.roots(tx, named) if named else {}
    series = await loading.of_same_series(tx, named | set(roots.values())) if named else {}
    found = await _sieve(tx, families, requests)
    return Surroundings(families, numbers, roots, series, conversations, {}, await candidates.traits(tx, found))


async def _sieve(tx: Transaction, families: dict[UUID, tuple[UUID, frozenset[UUID]]], requests: Sequence[RequestReceived]) -> list[str]:
    products: set[Named] = set()
    talking: set[UUID] = set()
    grateful: set[UUID] = set()
    known = await candidates.with_tickets(tx, {person for _, persons in families.values() for person in persons})
    for event in requests:
        _, persons = families[event.customer_id]
        if known.isdisjoint(persons):
            continue
        numbers = (event.product.serial_number, event.product.order_number) if event.product else ()
        products |= {(person, event.type, key) for person in persons for number in numbers if (key := matching.key(number))}
        if event.channel in TALKS:
            talking |= persons
        if is_only_thanks(event.text):
            grateful |= persons
    return [
        *await candidates.of_same_product(tx, products),
        *await candidates.recently_changed(tx, talking),
        *await candidates.newest(tx, grateful),
    ]
