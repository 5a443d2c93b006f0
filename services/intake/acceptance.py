"""Whether a request is taken, and as what: rules on values that a schema cannot express.

What the source says and what we saw are both kept (`occurred_at`, `received_at`). A source's clock may run ahead by five minutes: then the
time is set to ours and flagged; beyond that the request is refused, because its figures would be wrong for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import blake2b
from types import MappingProxyType
from typing import Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson

from services.intake import completeness
from services.intake.completeness import CONTACT, Completeness
from services.intake.identity import Identity, Scheme, Unreadable, account_identity, app_user_identity, email_identity, phone_identity
from services.intake.language import guess_locale
from services.intake.reference import NotAReference, parse
from shared.errors import FieldError, Invalid
from shared.events.codes import MAX_TEXT

CLOCK_SKEW: Final = timedelta(minutes=5)
DIGEST_BYTES: Final = 16
Scalar = str | int | float | bool | None


@dataclass(frozen=True)
class Account:
    """An account of a channel, or a device or browser, by which the source knows the customer."""

    scheme: str
    value: str
    scope: str | None = None


@dataclass(frozen=True)
class Contact:
    """What a request says of its customer. ``customer_id``: whoever enters the request has him in front of himself."""

    name: str | None = None
    phone: str | None = None
    email: str | None = None
    app_user_id: str | None = None
    locale: str | None = None
    customer_id: UUID | None = None
    accounts: tuple[Account, ...] = ()


@dataclass(frozen=True)
class ProductNamed:
    """What a request says of the thing that it is about."""

    model: str | None = None
    serial_number: str | None = None
    purchase_date: date | None = None
    order_number: str | None = None


@dataclass(frozen=True)
class Attachment:
    """A file that the source holds; only its address is kept."""

    name: str
    url: str
    content_type: str | None = None
    size: int | None = None


class Submission(NamedTuple):
    """A request as it was sent, parsed; the same value means the same content."""

    channel: str
    text: str
    customer: Contact = Contact()
    external_id: str | None = None
    type: str | None = None
    subject: str | None = None
    product: ProductNamed | None = None
    expected_resolution_at: datetime | None = None
    occurred_at: datetime | None = None
    in_reply_to: str | None = None
    attachments: tuple[Attachment, ...] = ()
    metadata: Mapping[str, Scalar] = MappingProxyType({})
    conversation_id: str | None = None


@dataclass(frozen=True)
class Rules:
    """What the organisation decided. ``region`` reads phone numbers without country code; ``zone`` rules the date in references."""

    region: str
    zone: ZoneInfo


@dataclass(frozen=True)
class Caller:
    """Who sends the request: a system, bot or agent for the customer, or (``customer_id``) the customer himself with his own key."""

    principal: str
    customer_id: UUID | None = None
    kind: str = "system"

    @property
    def entered_by(self) -> str:
        """Who wrote the request down: customer, bot, agent or system."""
        return self.kind if self.customer_id is None else "customer"


@dataclass(frozen=True)
class Earlier:
    """A request whose missing fields another one brings: its number, its type and the fields that are known by now."""

    reference: str
    type: str | None
    present: frozenset[str]


class Accepted(NamedTuple):
    """A request that may be stored. Times are UTC; ``in_reply_to`` is a well-formed number, not yet known to exist."""

    submission: Submission
    caller: Caller
    received_at: datetime
    occurred_at: datetime
    occurred_at_clamped: bool
    identities: tuple[Identity, ...]
    guessed_locale: str | None
    present: frozenset[str]
    in_reply_to: str | None
    digest: bytes
    earlier: Earlier | None = None

    @property
    def completeness(self) -> Completeness:
        """How complete it is by itself."""
        return self.complete_with(frozenset())

    def complete_with(self, known: Set[str]) -> Completeness:
        """How complete it is with what the customer's file says besides."""
        earlier = self.earlier
        if earlier is None:
            return completeness.assess(self.submission.type, self.present | known)
        request_type = self.submission.type or earlier.type
        type_known = {"type"} if request_type is not None else set()
        return completeness.assess(request_type, self.present | known | type_known | earlier.present)


def accept(submission: Submission, caller: Caller, *, received_at: datetime, rules: Rules, earlier: Earlier | None = None) -> Accepted:
    """Judge a request that arrived at ``received_at``; ``earlier``: the request that it completes.

    Raises:
        Invalid: names every field that is wrong.
    """
    wrong: list[FieldError] = []
    identities = identities_of(submission.customer, rules, wrong)
    _check_named(submission.customer, caller, wrong)
    occurred_at, clamped = _occurred_at(submission.occurred_at, received_at, wrong)
    in_reply_to = _in_reply_to(submission.in_reply_to, wrong)
    _check_purchase(submission.product, received_at.astimezone(rules.zone).date(), wrong)
    if wrong:
        raise Invalid("the request was not accepted", errors=wrong)
    # what the customer asked for counts before what he writes in
    guessed = None if submission.customer.locale else guess_locale(f"{submission.subject or ''} {submission.text}")
    return Accepted(
        submission=submission,
        caller=caller,
        received_at=received_at,
        occurred_at=occurred_at,
        occurred_at_clamped=clamped,
        identities=identities,
        guessed_locale=None if guessed is None else guessed.value,
        present=frozenset(filled_in(submission, is_reachable=_is_reachable(identities, caller))),
        in_reply_to=in_reply_to,
        digest=digest(submission, caller.customer_id),
        earlier=earlier,
    )


def digest(submission: Submission, proven: UUID | None = None) -> bytes:
    """What tells two contents apart; the spelling of the JSON and the zone of a time do not matter.

    The same words of another customer with a key of his own (``proven``) are another message.
    """
    utc = {"occurred_at": _utc_text(submission.occurred_at), "expected": _utc_text(submission.expected_resolution_at)}
    content = [
        submission.channel,
        submission.external_id,
        _said_of(submission.customer),
        submission.type,
        submission.subject,
        submission.text,
    ]
    rest: list[object] = [submission.product, utc, submission.in_reply_to, submission.attachments, dict(submission.metadata), proven]
    named = submission.customer.customer_id
    later: list[object] = [None if named is None else str(named), submission.customer.accounts, submission.conversation_id]
    # fields that older requests did not have count only where they are: the digests of those still hold
    rest += later if any(later) else []
    return blake2b(orjson.dumps([content, rest], option=orjson.OPT_SORT_KEYS), digest_size=DIGEST_BYTES).digest()


@dataclass(frozen=True)
class _Said:
    name: str | None
    phone: str | None
    email: str | None
    app_user_id: str | None
    locale: str | None


def _said_of(contact: Contact) -> _Said:
    return _Said(contact.name, contact.phone, contact.email, contact.app_user_id, contact.locale)


def _is_reachable(identities: Iterable[Identity], caller: Caller) -> bool:
    return caller.customer_id is not None or any(identity.leads_to_him for identity in identities)


def filled_in(submission: Submission, *, is_reachable: bool) -> set[str]:
    """The paths of the fields that have a value, as completeness knows them."""
    found = {"text"}
    if submission.type is not None:
        found.add("type")
    if submission.expected_resolution_at is not None:
        found.add("expected_resolution_at")
    if submission.customer.name is not None:
        found.add("customer.name")
    if is_reachable:
        found.add(CONTACT)
    if submission.product is not None:
        found.update(path for name, path in _PRODUCT if getattr(submission.product, name) is not None)
    return found


_PRODUCT: Final = tuple((name, f"product.{name}") for name in completeness.PRODUCT)


def cut_for_event(text: str, limit: int = MAX_TEXT) -> tuple[str, bool]:
    """The text as it may travel, and whether it was cut. A mail may be longer than an event; it stays whole here."""
    return (text, False) if len(text) <= limit else (text[:limit], True)


# --- single fields -------------------------------------------------------------------------------------------------------------------


def identities_of(customer: Contact, rules: Rules, wrong: list[FieldError]) -> tuple[Identity, ...]:
    """What a customer is said to be known by; what cannot be read goes to ``wrong``, with where it stands in a request."""
    found = [None if customer.app_user_id is None else app_user_identity(customer.app_user_id)]
    found.append(_read(customer.email, email_identity, "/customer/email", "email", wrong))
    found.append(_read(customer.phone, lambda phone: phone_identity(phone, rules.region), "/customer/phone", "phone", wrong))
    for index, account in enumerate(customer.accounts):
        found.append(_account(account, rules, f"/customer/accounts/{index}", wrong))
    return tuple(identity for identity in found if identity is not None)


def _account(account: Account, rules: Rules, pointer: str, wrong: list[FieldError]) -> Identity | None:
    def read(value: str) -> Identity:
        return account_identity(Scheme(account.scheme), account.scope, value, lambda phone: phone_identity(phone, rules.region))

    return _read(account.value, read, pointer, "account", wrong)


def _check_named(customer: Contact, caller: Caller, wrong: list[FieldError]) -> None:
    if customer.customer_id is not None and caller.customer_id not in (None, customer.customer_id):
        wrong.append(FieldError("/customer/id", "not_yours", "your key names another customer"))


def _read(text: str | None, parse_identity: Callable[[str], Identity], pointer: str, code: str, wrong: list[FieldError]) -> Identity | None:
    if text is None:
        return None
    try:
        return parse_identity(text)
    except Unreadable as error:
        wrong.append(FieldError(pointer, code, str(error)))
        return None


def _occurred_at(given: datetime | None, received_at: datetime, wrong: list[FieldError]) -> tuple[datetime, bool]:
    if given is None:
        return received_at, False
    if given - received_at > CLOCK_SKEW:
        wrong.append(FieldError("/occurred_at", "in_the_future", "more than 5 minutes ahead of our clock"))
        return received_at, False
    ahead = given > received_at
    return (received_at if ahead else given.astimezone(UTC)), ahead


def _in_reply_to(given: str | None, wrong: list[FieldError]) -> str | None:
    if given is None:
        return None
    try:
        return str(parse(given))
    except NotAReference as error:
        wrong.append(FieldError("/in_reply_to", "not_a_reference", str(error)))
        return None


def _check_purchase(product: ProductNamed | None, today: date, wrong: list[FieldError]) -> None:
    bought = None if product is None else product.purchase_date
    if bought is not None and bought > today + timedelta(days=1):  # the customer may live in a zone ahead of the organisation's
        wrong.append(FieldError("/product/purchase_date", "in_the_future", "the day of purchase has not come yet"))


def _utc_text(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat()
