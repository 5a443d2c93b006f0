"""Requests are taken in: a whole batch in one transaction, each with its effect once, each with an answer of its own.

Locks are taken in the order of the house: the channels' own ids, identities, customers, idempotency keys, outbox heads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final, NamedTuple
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from services.intake import reference
from services.intake.acceptance import Accepted
from services.intake.handlers.acknowledgement import Receipts, acknowledge
from services.intake.handlers.recognition import Recognition, recognise
from services.intake.handlers.writing import write_received, write_registered
from services.intake.language import choose_locale
from services.intake.store import requests as store
from services.intake.store.customers import NewCustomer
from services.intake.store.requests import ExternalKey, First, Receipt, Stored
from shared import idempotency, outbox
from shared.database import Transaction
from shared.errors import FieldError, Invalid, ServiceError
from shared.events.envelope import Written
from shared.idempotency import Claim, Fresh, KeyReused, Mismatch, Replay, SameAs
from shared.ids import random_ids

ACCEPTED: Final = 202


class NoSuchRequest(Invalid):
    """A reply names a request or ticket that is not the customer's; whether it exists at all is not told."""

    code: ClassVar[str] = "in_reply_to_unknown"

    def __init__(self) -> None:
        detail = "no request or ticket of this customer has this number"
        super().__init__("the request was not accepted", errors=[FieldError("/in_reply_to", self.code, detail)])


class NoSuchCustomer(Invalid):
    """The request names a customer whom nobody registered."""

    code: ClassVar[str] = "customer_id_unknown"

    def __init__(self) -> None:
        super().__init__("the request was not accepted", errors=[FieldError("/customer/id", self.code, "no customer has this id")])


class Incoming(NamedTuple):
    """A request to be stored; ``claim`` is its Idempotency-Key's, if it came with one, ``trace`` that of the call."""

    accepted: Accepted
    claim: Claim | None = None
    trace: str | None = None


class Answer(NamedTuple):
    """What the sender gets: a JSON body with 202; ``is_replay`` when an earlier call had this effect."""

    body: bytes
    is_replay: bool = False


Outcome = Answer | ServiceError


@dataclass(frozen=True)
class House:
    """What is the same for every request of a process."""

    zone: ZoneInfo
    key: bytes
    write: Callable[[Receipt], bytes]
    """The body of the answer."""
    signing_key: bytes
    """The platform's; makes the proofs of the tracking page."""
    receipts: Receipts | None = None
    """How requests are acknowledged; None: they are not."""


@dataclass
class _Batch:
    """The requests of one transaction and how far each has come: an outcome, the same as another one, or still open."""

    items: Sequence[Incoming]
    house: House
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    same_as: dict[int, int] = field(default_factory=dict)
    keyed: set[int] = field(default_factory=set)
    """The items whose Idempotency-Key nobody has used yet: each answer is kept under it."""
    first_ids: dict[ExternalKey, UUID] = field(default_factory=dict)
    """The ids that are ours in this transaction; their first request gets the id that the claim names."""
    firsts: dict[ExternalKey, First] = field(default_factory=dict)
    """The first requests of ids that were used before."""

    def open(self) -> list[int]:
        """The items that have neither an outcome nor another one's."""
        return [index for index in range(len(self.items)) if index not in self.outcomes and index not in self.same_as]

    def answer(self, index: int, receipt: Receipt) -> None:
        """An earlier request had this one's effect."""
        self.outcomes[index] = Answer(self.house.write(receipt), is_replay=True)

    def result(self, index: int) -> Outcome | None:
        """What became of an item; None while it is open."""
        if index not in self.same_as:
            return self.outcomes.get(index)
        outcome = self.result(self.same_as[index])
        return Answer(outcome.body, is_replay=True) if isinstance(outcome, Answer) else outcome


async def receive(tx: Transaction, items: Sequence[Incoming], house: House) -> list[Outcome]:
    """Take in a batch; one outcome per item, in order. An item that is refused leaves no trace.

    Raises:
        OutboxStopped, EventTooLarge: see `shared.outbox.append`; nothing of the batch may then be committed.
        Overtaken: another transaction has just stored one of these requests under its Idempotency-Key; nothing may be committed either, and
            the same batch taken in once more finds that answer.
    """
    batch = _Batch(items, house)
    await _find_keys(tx, batch)
    await _claim_external_ids(tx, batch)
    recognition = await recognise(tx, {index: items[index].accepted for index in batch.open()})
    _refuse_unknown(batch, recognition)
    await _release_refused(tx, batch)
    registered = await recognition.save(tx, batch.open())
    stored = await _store(tx, batch, recognition)
    await _remember_answers(tx, batch, stored)
    if house.receipts is not None and stored:
        await acknowledge(tx, [(request, items[index].accepted) for index, request in stored.items()], house.receipts)
    await outbox.append(tx, [*_told(batch, stored, registered), *recognition.learned])
    return [_concluded(batch.result(index)) for index in range(len(items))]


def _concluded(outcome: Outcome | None) -> Outcome:
    if outcome is None:
        raise AssertionError("an item of a batch was neither stored nor refused nor answered")
    return outcome


# --- each takes effect once ----------------------------------------------------------------------------------------------------------


async def _find_keys(tx: Transaction, batch: _Batch) -> None:
    claims = [(index, item.claim) for index, item in enumerate(batch.items) if item.claim is not None]
    found = await idempotency.find_many(tx, [claim for _, claim in claims])
    for (index, _), outcome in zip(claims, found, strict=True):
        match outcome:
            case Replay(body=body):
                batch.outcomes[index] = Answer(body, is_replay=True)
            case Mismatch():
                batch.outcomes[index] = KeyReused()
            case SameAs(index=position):
                batch.same_as[index] = claims[position][0]
            case Fresh():
                batch.keyed.add(index)


async def _claim_external_ids(tx: Transaction, batch: _Batch) -> None:
    contents = _distinct_contents(batch)
    keys = {(channel, external_id) for channel, external_id, _ in contents}
    if not keys:
        return
    candidates = {key: uuid4() for key in keys}
    ours = await store.claim_external(tx, candidates)
    batch.first_ids = {key: candidates[key] for key in ours}
    if keys - ours:
        await _answer_repeats(tx, batch, keys - ours, contents)


def _distinct_contents(batch: _Batch) -> dict[tuple[str, str, bytes], int]:
    """The contents under channels' ids, each with its first item; the others of the batch are the same as that one."""
    contents: dict[tuple[str, str, bytes], int] = {}
    for index in batch.open():
        key = _external_key(batch.items[index])
        if key is not None:
            first = contents.setdefault((*key, batch.items[index].accepted.digest), index)
            if first != index:
                batch.same_as[index] = first
    return contents


async def _answer_repeats(tx: Transaction, batch: _Batch, used: set[ExternalKey], contents: Mapping[tuple[str, str, bytes], int]) -> None:
    batch.firsts = await store.first_under(tx, used)
    further = {}
    for (channel, external_id, digest), index in contents.items():
        first = batch.firsts.get((channel, external_id))
        if first is not None and first.content_digest == digest:
            batch.answer(index, first.receipt)
        elif first is not None:
            further[channel, external_id, digest] = index
    for content, receipt in (await store.further_under(tx, further)).items() if further else ():
        batch.answer(further[content], receipt)


def _external_key(item: Incoming) -> ExternalKey | None:
    sent = item.accepted.submission
    return None if sent.external_id is None else (sent.channel, sent.external_id)


# --- replies -------------------------------------------------------------------------------------------------------------------------


def _refuse_unknown(batch: _Batch, recognition: Recognition) -> None:
    for index in batch.open():
        if not recognition.is_someone(index):
            batch.outcomes[index] = NoSuchCustomer()
        elif not recognition.may_reply(index, batch.items[index].accepted.in_reply_to):
            batch.outcomes[index] = NoSuchRequest()


async def _release_refused(tx: Transaction, batch: _Batch) -> None:
    """What was claimed for a request that is refused is free again: the same message may be right a second later."""
    refused = [item for index, item in enumerate(batch.items) if isinstance(batch.result(index), NoSuchRequest | NoSuchCustomer)]
    if not refused:
        return
    kept = {_external_key(batch.items[index]) for index in batch.open()}
    free = {key for item in refused if (key := _external_key(item)) in batch.first_ids and key not in kept}
    await store.release_external(tx, free)


# --- storing -------------------------------------------------------------------------------------------------------------------------


async def _store(tx: Transaction, batch: _Batch, recognition: Recognition) -> dict[int, Stored]:
    indices = batch.open()
    if not indices:
        return {}
    stored: dict[int, Stored] = {}
    firsts = dict(batch.firsts)
    counts = await store.next_counts(tx, len(indices))
    for index, count, new_id in zip(indices, counts, random_ids(len(indices)), strict=True):
        key = _external_key(batch.items[index])
        stored[index] = _stored(batch, index, count, new_id, recognition, None if key is None else firsts.get(key))
        if key is not None:
            firsts.setdefault(key, _first(stored[index]))
    await store.insert(tx, list(stored.values()))
    return stored


def _stored(batch: _Batch, index: int, count: int, new_id: UUID, recognition: Recognition, first: First | None) -> Stored:
    """``first``: the request that came first under the same id of the channel, with other content; None when this is the first."""
    accepted, house = batch.items[index].accepted, batch.house
    key = _external_key(batch.items[index])
    received_at = accepted.received_at.astimezone(house.zone)
    customer_id = recognition.customer_of(index)
    complete = accepted.complete_with(recognition.known_fields(index))
    return Stored(
        request_id=batch.first_ids[key] if key is not None and first is None else new_id,
        reference=reference.issue(received_at.date(), reference.number_at(received_at, count), house.key),
        customer_id=customer_id,
        principal=accepted.caller.principal,
        submission=accepted.submission,
        external_id_reused=first is not None,
        content_digest=accepted.digest,
        locale=choose_locale(accepted.submission.customer.locale, accepted.guessed_locale, recognition.locale_of(customer_id)),
        occurred_at=accepted.occurred_at,
        occurred_at_clamped=accepted.occurred_at_clamped,
        received_at=accepted.received_at,
        in_reply_to=accepted.in_reply_to or _continues(first, customer_id),
        completeness=complete.score,
        missing_fields=complete.missing,
        entered_by=accepted.caller.entered_by,
        completes=None if accepted.earlier is None else accepted.earlier.reference,
    )


def _continues(first: First | None, customer_id: UUID) -> str | None:
    """A further message under a used id goes on where the first began, unless another customer's came under the same id."""
    return first.receipt.reference if first is not None and first.customer_id == customer_id else None


def _first(stored: Stored) -> First:
    return First(_receipt(stored), stored.customer_id, stored.content_digest)


def _receipt(stored: Stored) -> Receipt:
    return Receipt(stored.request_id, stored.reference, stored.received_at, stored.completeness, stored.missing_fields, stored.locale)


async def _remember_answers(tx: Transaction, batch: _Batch, stored: Mapping[int, Stored]) -> None:
    """Every new key gets its answer, also that of a request which turned out to repeat an earlier one under its channel's id."""
    for index, request in stored.items():
        batch.outcomes[index] = Answer(batch.house.write(_receipt(request)))
    answers = []
    for index in sorted(batch.keyed):
        claim, outcome = batch.items[index].claim, batch.result(index)
        if claim is not None and isinstance(outcome, Answer):
            answers.append(idempotency.Answer(claim, ACCEPTED, outcome.body))
    await idempotency.keep_many(tx, answers)


def _told(batch: _Batch, stored: Mapping[int, Stored], registered: Mapping[UUID, NewCustomer]) -> Iterator[Written]:
    """What the bus hears: each request, and each customer before his first one."""
    waiting = dict(registered)
    for index, request in stored.items():
        trace = batch.items[index].trace
        if (customer := waiting.pop(request.customer_id, None)) is not None:
            yield write_registered(customer, trace)
        yield write_received(request, batch.house.signing_key, trace)
