"""*Who?* is answered by the strongest identity that is known.

A weak one counts only if exactly one customer has it and no stronger one disagrees; else the customer is a new one and a merge is
suggested to people, for joining two persons by mistake shows one the other's affairs, while joining them later costs a click. Of several
who have a weak identity, the only one who has proven it counts. What a household or a company shares (`Directory.shared`) recognises
nobody.

Who shows nothing by which he could ever be told apart (a shared number alone) would be a new customer each time. One *stand-in* is
registered for that identity and channel and takes all such requests, until people find out whose they are.

A *contact* is an address that recognises nobody: claimed with the customer's own key and not proven, or another's already.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Self
from uuid import UUID

from services.intake.identity.schemes import RANK, Evidence, Identity


class Arrival(NamedTuple):
    """Someone at the door: the identities that he shows, and the id that he gets if he is new.

    ``proven_id``: he came with his own key, which says who he is. What else he says of himself is a contact only.
    ``named_id``: whoever enters the request says whose it is.
    """

    identities: tuple[Identity, ...]
    new_id: UUID
    proven_id: UUID | None = None
    named_id: UUID | None = None
    channel: str = "web"

    @property
    def told_id(self) -> UUID | None:
        """Whose the request is, if that need not be found out."""
        return self.proven_id or self.named_id

    @property
    def shown(self) -> tuple[Identity, ...]:
        """The identities that recognise him, strongest first."""
        if self.told_id is not None:
            return ()
        return tuple(sorted((i for i in self.identities if i.matches), key=lambda i: RANK[i.scheme]))

    @property
    def kept(self) -> tuple[Identity, ...]:
        """What is stored of him: his identities, or with his own key his contacts."""
        if self.proven_id is None:
            return self.identities
        return tuple(i.contact(Evidence.CLAIMED) for i in self.identities if i.is_weak)


class Assignment(NamedTuple):
    """Whose the request is. ``links`` are identities to store with him, ``suspects`` customers who may be the same person."""

    customer_id: UUID
    is_new: bool
    links: tuple[Identity, ...] = ()
    suspects: tuple[UUID, ...] = ()

    @property
    def stands_in(self) -> bool:
        """Whether the customer stands for everybody who cannot be told apart by what he shows."""
        return any(link.stands_in is not None for link in self.links)

    @property
    def is_settled(self) -> bool:
        """A known customer showed nothing new: nothing has to be locked or stored for him."""
        return not (self.is_new or self.links)


@dataclass
class Directory:
    """What is known of those who came: which customers have the identities that were shown, and what else these customers have."""

    customers: set[UUID] = field(default_factory=set)
    identities: dict[UUID, set[Identity]] = field(default_factory=lambda: defaultdict(set))
    contacts: dict[UUID, set[Identity]] = field(default_factory=lambda: defaultdict(set))
    holders: dict[Identity, set[UUID]] = field(default_factory=lambda: defaultdict(set))
    provers: dict[Identity, set[UUID]] = field(default_factory=lambda: defaultdict(set))
    stand_ins: dict[tuple[Identity, str], UUID] = field(default_factory=dict)
    shared: set[Identity] = field(default_factory=set)

    @classmethod
    def of(cls, links: Iterable[tuple[UUID, Identity]]) -> Self:
        """The directory of stored links."""
        directory = cls()
        for customer_id, identity in links:
            directory.add(customer_id, identity)
        return directory

    def add(self, customer_id: UUID, *identities: Identity) -> None:
        """This customer has these identities and contacts."""
        self.customers.add(customer_id)
        for identity in identities:
            if identity.matches:
                self.identities[customer_id].add(identity)
                self.holders[identity].add(customer_id)
                if identity.is_verified:
                    self.provers[identity].add(customer_id)
            else:
                self.contacts[customer_id].add(identity)
                if identity.stands_in is not None:
                    self.stand_ins[identity, identity.stands_in] = customer_id

    def claimants(self, identity: Identity) -> set[UUID]:
        """Whom the identity may mean: those who have proven it, or else all who have it."""
        if identity in self.shared:
            return set()
        return self.provers.get(identity) or self.holders.get(identity) or set()

    def is_common(self, identity: Identity, customer_id: UUID) -> bool:
        """Whether somebody else has it as well."""
        return bool(self.holders.get(identity, set()) - {customer_id})

    def is_free(self, identity: Identity) -> bool:
        """Nobody has it yet, and it tells one person from another."""
        return not self.holders.get(identity) and identity not in self.shared


def assign(arrivals: Sequence[Arrival], directory: Directory) -> list[Assignment]:
    """Answer *Who?* for each arrival in turn; one who is new in the batch is known to those behind him. Grows ``directory``."""
    assignments = []
    for arrival in arrivals:
        assignment = judge(arrival, directory)
        directory.add(assignment.customer_id, *assignment.links)
        assignments.append(assignment)
    return assignments


def judge(arrival: Arrival, directory: Directory) -> Assignment:
    """Answer *Who?* for one arrival."""
    shown = arrival.shown
    recognised = arrival.told_id or recognise(shown, directory)
    if recognised is None and shown and not any(map(directory.is_free, shown)):
        return _stand_in(arrival, shown, directory)
    customer_id = recognised or arrival.new_id
    kept = (_kept(identity, customer_id, directory, is_known=recognised is not None) for identity in arrival.kept)
    links = tuple(identity for identity in kept if identity is not None)
    return Assignment(customer_id, customer_id not in directory.customers, links, _suspects(arrival, customer_id, directory))


def _stand_in(arrival: Arrival, shown: Sequence[Identity], directory: Directory) -> Assignment:
    """Nothing that is shown tells this person from another: whoever stands for such persons on this channel."""
    strongest = shown[0]
    known = directory.stand_ins.get((strongest, arrival.channel))
    if known is not None:
        return Assignment(known, is_new=False)
    links = (replace(strongest.contact(), stands_in=arrival.channel), *(i.contact() for i in arrival.kept if i != strongest))
    return Assignment(arrival.new_id, is_new=True, links=links, suspects=_suspects(arrival, arrival.new_id, directory))


def _kept(identity: Identity, customer_id: UUID, directory: Directory, *, is_known: bool) -> Identity | None:
    """The identity as it is stored with the customer; None: it is stored already.

    A known customer gets a further identity only if nobody has it yet, and an account is one customer's only; else it becomes a
    contact. Who shares what with whom is a matter for people.
    """
    if identity in directory.identities.get(customer_id, ()):
        return None
    if identity.matches and directory.holders.get(identity) and (is_known or not identity.is_weak):
        identity = identity.contact()
    is_kept = not identity.matches and identity in directory.contacts.get(customer_id, ())
    return None if is_kept else identity


def _suspects(arrival: Arrival, customer_id: UUID, directory: Directory) -> tuple[UUID, ...]:
    shown = (i for i in arrival.identities if i.matches and i not in directory.shared)
    others = {other for identity in shown for other in directory.holders.get(identity, ())}
    return tuple(sorted(others - {customer_id}))


def recognise(shown: Sequence[Identity], directory: Directory) -> UUID | None:
    """The known customer who shows these identities (strongest first), or None: he is new."""
    for rank, identity in enumerate(shown):
        claimants = directory.claimants(identity)
        if len(claimants) == 1:
            (holder,) = claimants
            if not _disagrees(shown[:rank], holder, directory):
                return holder
    return None


def _disagrees(stronger: Sequence[Identity], holder: UUID, directory: Directory) -> bool:
    """Whether the holder has another identity of a stronger kind than the one by which he would be recognised."""
    has = directory.identities.get(holder, set())
    return any(identity not in has and any(other.kind == identity.kind for other in has) for identity in stronger)
