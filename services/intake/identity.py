"""Who a request is from.

A customer is known by identities: the account in the app (strong), the e-mail address, the phone number (weak: several persons may share
one, and anybody can claim one). *Who?* is answered by the strongest identity that is known. A weak one counts only if exactly one customer
has it and no stronger one disagrees; else the customer is a new one and a merge is suggested to people, for joining two persons by mistake
shows one the other's affairs, while joining them later costs a click.

A *contact* is an address that a customer claimed with his own key and did not prove: good for answering him, never for recognising anyone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import lru_cache
from typing import Final, Self
from uuid import UUID

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from phonenumbers import PhoneNumberFormat, PhoneNumberType


class Scheme(StrEnum):
    """Kinds of identities."""

    APP_USER = "app_user"
    EMAIL = "email"
    PHONE = "phone"


STRONGEST_FIRST: Final = (Scheme.APP_USER, Scheme.EMAIL, Scheme.PHONE)


@dataclass(frozen=True, order=True)
class Identity:
    """``value`` is what is compared, ``address`` what is written to; ``matches`` is False for a mere contact."""

    scheme: Scheme
    value: str
    address: str = field(default="", compare=False)
    matches: bool = field(default=True, compare=False)


class Unreadable(ValueError):
    """A phone number or e-mail address that does not parse; the message says what is wrong with it."""


# --- normalising ---------------------------------------------------------------------------------------------------------------------

_NOBODYS_NUMBERS: Final = frozenset(
    {PhoneNumberType.TOLL_FREE, PhoneNumberType.SHARED_COST, PhoneNumberType.PREMIUM_RATE, PhoneNumberType.UAN, PhoneNumberType.VOICEMAIL}
)
"""Hotlines and the like: valid to call back, but no person's own."""


def app_user_identity(app_user_id: str) -> Identity:
    """The account in the app; ids are compared as they are."""
    return Identity(Scheme.APP_USER, app_user_id)


@lru_cache(maxsize=4096)
def phone_identity(text: str, region: str) -> Identity:
    """A phone number in E.164 without its extension; without a country code it is read as dialled in ``region`` (ISO 3166, e.g. CN).

    Raises:
        Unreadable: no valid number of any country.
    """
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException as error:
        raise Unreadable("not a phone number") from error
    if not phonenumbers.is_valid_number(number):
        raise Unreadable("no such phone number; give it with country code, e.g. +86 138 0013 8000")
    written = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    return Identity(Scheme.PHONE, written, written, matches=phonenumbers.number_type(number) not in _NOBODYS_NUMBERS)


@lru_cache(maxsize=4096)
def email_identity(text: str) -> Identity:
    """An e-mail address, compared without regard to case; nothing is asked of DNS.

    Raises:
        Unreadable: not an address that mail could be sent to.
    """
    try:
        found = validate_email(text, check_deliverability=False, allow_smtputf8=True)
    except EmailNotValidError as error:
        raise Unreadable(str(error)) from error
    local, _, domain = found.normalized.rpartition("@")
    return Identity(Scheme.EMAIL, f"{local.lower()}@{domain}", found.ascii_email or found.normalized)


# --- Who? ----------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Arrival:
    """Someone at the door: the identities that he shows, and the id that he gets if he is new.

    ``proven_id``: he came with his own key, which says who he is. What else he says of himself is a contact only.
    """

    identities: tuple[Identity, ...]
    new_id: UUID
    proven_id: UUID | None = None

    @property
    def shown(self) -> tuple[Identity, ...]:
        """The identities that recognise him, strongest first."""
        if self.proven_id is not None:
            return ()
        return tuple(sorted((i for i in self.identities if i.matches), key=lambda i: STRONGEST_FIRST.index(i.scheme)))

    @property
    def kept(self) -> tuple[Identity, ...]:
        """What is stored of him: his identities, or with his own key his contacts."""
        if self.proven_id is None:
            return self.identities
        return tuple(replace(i, matches=False) for i in self.identities if i.scheme is not Scheme.APP_USER)


@dataclass(frozen=True)
class Assignment:
    """Whose the request is. ``links`` are identities to store with him, ``suspects`` customers who may be the same person."""

    customer_id: UUID
    is_new: bool
    links: tuple[Identity, ...] = ()
    suspects: tuple[UUID, ...] = ()

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
            else:
                self.contacts[customer_id].add(identity)

    def has(self, customer_id: UUID, identity: Identity) -> bool:
        """Whether nothing need be stored for the customer to have this identity or contact."""
        if identity in self.identities.get(customer_id, ()):
            return True
        return not identity.matches and identity in self.contacts.get(customer_id, ())

    def is_free(self, identity: Identity) -> bool:
        """A known customer gets a further identity only if nobody has it yet; who shares one with whom is a matter for people."""
        return not identity.matches or not self.holders.get(identity)


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
    recognised = arrival.proven_id or recognise(arrival.shown, directory)
    customer_id = recognised or arrival.new_id
    links = tuple(i for i in arrival.kept if not directory.has(customer_id, i) and (recognised is None or directory.is_free(i)))
    others = {other for identity in arrival.identities if identity.matches for other in directory.holders.get(identity, ())}
    return Assignment(customer_id, customer_id not in directory.customers, links, tuple(sorted(others - {customer_id})))


def recognise(shown: Sequence[Identity], directory: Directory) -> UUID | None:
    """The known customer who shows these identities (strongest first), or None: he is new."""
    for rank, identity in enumerate(shown):
        holders = directory.holders.get(identity, set())
        if len(holders) == 1:
            (holder,) = holders
            if not _disagrees(shown[:rank], holder, directory):
                return holder
    return None


def _disagrees(stronger: Sequence[Identity], holder: UUID, directory: Directory) -> bool:
    """Whether the holder has another identity of a stronger kind than the one by which he would be recognised."""
    has = directory.identities.get(holder, set())
    return any(identity not in has and any(other.scheme is identity.scheme for other in has) for identity in stronger)
