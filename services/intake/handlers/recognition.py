"""Whose the requests of a batch are: known customers are found without a lock, new ones registered under one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from uuid import UUID

from services.intake.acceptance import Accepted
from services.intake.completeness import CONTACT, NAME
from services.intake.handlers.merging import announced
from services.intake.identity import Arrival, Assignment, Directory, Identity, Scheme, assign, judge
from services.intake.language import choose_locale
from services.intake.store import customers as store
from services.intake.store import files, requests
from services.intake.store.customers import Known, Link, NewCustomer
from services.intake.store.files import Named
from shared.database import Transaction
from shared.errors import Unavailable
from shared.events.intake import CustomerUpdated
from shared.ids import random_ids


class CustomerChanged(Unavailable):
    """While a reply came in, its customer ceased to be recognisable by what he showed; the next attempt sees clearly."""

    code = "customer_changed"


@dataclass
class Recognition:
    """Whose each request is. Until `save`, this is what an unlocked look says; nothing is stored yet."""

    accepted: Mapping[int, Accepted]
    arrivals: dict[int, Arrival]
    known: Known
    owners: Mapping[str, UUID]
    assignments: dict[int, Assignment]
    locales: dict[UUID, str] = field(default_factory=dict)
    learned: list[CustomerUpdated] = field(default_factory=list)
    """Files that got a name by what came."""

    def may_reply(self, index: int, number: str | None) -> bool:
        """Whether the number is one that the request's customer may reply to; no number is no reply."""
        return number is None or self.owners.get(number) == self.assignments[index].customer_id

    def is_someone(self, index: int) -> bool:
        """Whether the customer that the sender named exists; true when he named none."""
        named = self.arrivals[index].named_id
        return named is None or named in self.known.directory.customers

    def known_fields(self, index: int) -> Set[str]:
        """What the customer's file says already, so that nobody asks for it."""
        customer_id = self.customer_of(index)
        fields = {NAME: self.known.named, CONTACT: self.known.reachable}
        return {name for name, customers in fields.items() if customer_id in customers}

    def customer_of(self, index: int) -> UUID:
        """Whose the request is."""
        return self.assignments[index].customer_id

    def locale_of(self, customer_id: UUID) -> str | None:
        """The language that the customer was registered with."""
        return self.locales.get(customer_id) or self.known.locales.get(customer_id)

    async def save(self, tx: Transaction, indices: Iterable[int]) -> dict[UUID, NewCustomer]:
        """Register who is new and keep what is new of the others, for these requests; those who were registered.

        Raises:
            CustomerChanged: see there.
        """
        indices = list(indices)
        unsettled = [index for index in indices if not self.assignments[index].is_settled]
        if unsettled:
            await self._look_again(tx, unsettled)
        registered = await self._register(tx, unsettled)
        await self._learn_names(tx, indices, unsettled)
        await self._link(tx, unsettled, set(registered))
        return registered

    async def _look_again(self, tx: Transaction, indices: list[int]) -> None:
        """With the identities locked, what is read now holds until COMMIT. Of those that nobody showed before there is nothing to read."""
        shown = {identity for index in indices for identity in self.arrivals[index].identities}
        made = await store.lock_identities(tx, shown) if shown else set()
        arrivals = (self.arrivals[index] for index in indices)
        asked = [one for one in arrivals if one.told_id is not None or not made.issuperset(one.identities)]
        self.known.update(await _known_of(tx, asked))
        self.arrivals |= {index: _as_survivor(self.arrivals[index], self.known) for index in indices}
        found = assign([self.arrivals[index] for index in indices], self.known.directory)
        for index, assignment in zip(indices, found, strict=True):
            is_reply = self.accepted[index].in_reply_to is not None
            if is_reply and assignment.customer_id != self.assignments[index].customer_id:
                raise CustomerChanged("the customer is being registered by another request; send the request again")
            self.assignments[index] = assignment

    async def _register(self, tx: Transaction, indices: list[int]) -> dict[UUID, NewCustomer]:
        new: dict[UUID, NewCustomer] = {}
        for index in indices:
            if self.assignments[index].is_new:
                new[self.customer_of(index)] = self._new_customer(index)
        if not new:
            return {}
        self.locales.update({customer_id: customer.locale for customer_id, customer in new.items()})
        drawn = {self.arrivals[index].new_id for index in indices} & new.keys()
        if drawn:
            await store.add(tx, [new[customer_id] for customer_id in drawn])
        told = [customer for customer_id, customer in new.items() if customer_id not in drawn]
        registered = drawn | await store.register(tx, told) if told else drawn
        return {customer_id: customer for customer_id, customer in new.items() if customer_id in registered}

    def _new_customer(self, index: int) -> NewCustomer:
        accepted = self.accepted[index]
        sent = accepted.submission.customer
        locale = choose_locale(sent.locale, accepted.guessed_locale, None)
        name = None if self.assignments[index].stands_in else sent.name
        return NewCustomer(self.customer_of(index), name, locale, accepted.received_at)

    async def _learn_names(self, tx: Transaction, indices: Iterable[int], unsettled: Iterable[int]) -> None:
        """A file without a name gets that of the first request that tells it; who stands in for many persons has none."""
        nameless = set(self.known.locales) - self.known.named - self.known.stand_ins
        told: dict[UUID, tuple[str, Accepted]] = {}
        for index in indices:
            name, customer_id = self.accepted[index].submission.customer.name, self.customer_of(index)
            if name is not None and customer_id in nameless:
                told.setdefault(customer_id, (name, self.accepted[index]))
        if not told:
            return
        # in one order with those that are about to be linked, so that two batches never wait for each other in a circle
        await files.lock_all(tx, set(told) | {self.customer_of(index) for index in unsettled})
        names = [Named(one, name, by.caller.principal, by.received_at) for one, (name, by) in told.items()]
        times = {named.customer_id: named.at for named in names}
        self.learned = [announced(file, times[file.customer_id]) for file in await files.learn_names(tx, names)]

    async def _link(self, tx: Transaction, indices: list[int], new: set[UUID]) -> None:
        links = [Link(self.customer_of(i), identity) for i in indices for identity in self.assignments[i].links]
        suspicions = [(self.customer_of(i), other) for i in indices for other in self.assignments[i].suspects]
        if not links and not suspicions:
            return
        at = max(self.accepted[index].received_at for index in indices)
        if links:
            await store.link(tx, links, at, new=new)
            await store.mark_shared(tx, _common(links, self.known.directory))
        if suspicions:
            await store.suggest_merges(tx, suspicions, at)


async def recognise(tx: Transaction, accepted: Mapping[int, Accepted]) -> Recognition:
    """Look whose these requests are, and whose the numbers that they reply to."""
    new_ids = random_ids(len(accepted))
    arrivals = {index: _arrival(request, new_id) for (index, request), new_id in zip(accepted.items(), new_ids, strict=True)}
    known = await _known_of(tx, arrivals.values())
    arrivals = {index: _as_survivor(arrival, known) for index, arrival in arrivals.items()}
    numbers = {request.in_reply_to for request in accepted.values() if request.in_reply_to is not None}
    owners = await requests.owners_of(tx, numbers) if numbers else {}
    assignments = {index: judge(arrival, known.directory) for index, arrival in arrivals.items()}
    return Recognition(accepted, arrivals, known, owners, assignments)


def _common(links: Iterable[Link], directory: Directory) -> list[Identity]:
    """What may be a household's by now: what is linked and somebody else has as well, and all that a customer has who got an account."""
    common = [link.identity for link in links if directory.is_common(link.identity, link.customer_id)]
    with_account = {link.customer_id for link in links if link.identity.scheme is Scheme.APP_USER} & directory.customers
    return common + [identity for one in with_account for identity in directory.identities[one] | directory.contacts[one]]


def _arrival(request: Accepted, new_id: UUID) -> Arrival:
    sent, proven = request.submission, request.caller.customer_id
    named = None if proven is not None else sent.customer.customer_id
    return Arrival(request.identities, new_id, proven, named, sent.channel)


def _as_survivor(arrival: Arrival, known: Known) -> Arrival:
    """Who was told by an id that was merged is whoever answers for it now."""
    if arrival.told_id is None or arrival.told_id not in known.survivors:
        return arrival
    survivor = known.survivors[arrival.told_id]
    return arrival._replace(proven_id=survivor) if arrival.proven_id is not None else arrival._replace(named_id=survivor)


async def _known_of(tx: Transaction, arrivals: Iterable[Arrival]) -> Known:
    identities: set[Identity] = set()
    told: set[UUID] = set()
    for arrival in arrivals:
        identities.update(arrival.identities)
        if arrival.told_id is not None:
            told.add(arrival.told_id)
    return await store.known_of(tx, identities, told) if identities or told else Known()
