"""Messages to customers are claimed, carried outside of any transaction, and then written down.

A crash between carrying and writing down leads to a second copy of the same mail, never to none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from services.intake.identity import email_identity
from services.intake.sending import (
    REMEMBERED,
    Address,
    Circumstances,
    Failure,
    Hold,
    Notification,
    Plan,
    Postpone,
    Send,
    allot,
    plan,
    retry_at,
    spread,
)
from services.intake.store import budget, surveys, templates
from services.intake.store import circumstances as known
from services.intake.store import notifications as store
from services.intake.store.circumstances import Addressee, Placed
from services.intake.store.notifications import Again, Finished
from services.intake.store.surveys import Useless
from shared import outbox
from shared.database import Transaction
from shared.events.envelope import Event
from shared.events.intake import NotificationDelivered, NotificationFailed

AT_ONCE: Final = 50
"""Notifications of one claim."""
LEASE: Final = timedelta(minutes=2)
"""How long a claim holds: a process that died with it is waited for so long. Carriers stop well before its end."""
PLACING: Final = timedelta(seconds=30)
"""How long a receipt waits to hear which ticket its request opened or joined; it goes out without that if the bus is slow."""
HELD: Final = timedelta(seconds=5)
"""Between two looks at one that waits for that."""


@dataclass(frozen=True)
class Claimed:
    """Notifications that are ours for a while, each with what to do."""

    plans: Sequence[tuple[Notification, Plan]]
    until: datetime
    wordings: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """The organisation's own, by kind and language."""

    @property
    def to_send(self) -> list[tuple[Notification, Send]]:
        """Those to be carried now, and where to."""
        return [(notification, found) for notification, found in self.plans if isinstance(found, Send)]


@dataclass(frozen=True)
class NotNow:
    """An attempt failed and may succeed later. ``may_have_left``: nobody knows whether the message is on its way all the same."""

    may_have_left: bool = False


@dataclass(frozen=True)
class NotTried:
    """Its turn did not come; ``rest`` is the real time for which there is no use in trying."""

    rest: timedelta = timedelta()


Attempt = Failure | NotNow | NotTried | None
"""What became of an attempt; None: delivered."""


# --- claiming ------------------------------------------------------------------------------------------------------------------------


async def claim(tx: Transaction, *, channels: Sequence[str], zone: ZoneInfo, real_now: datetime, now: datetime) -> Claimed:
    """Claim what is due and decide what to do with each. ``channels``: by which we can send, in order of preference."""
    until = real_now + LEASE
    due = await store.claim_due(tx, limit=AT_ONCE, now=real_now, until=until)
    if not due:
        return Claimed((), until)
    facts = await _facts(tx, due)
    drafts = [(n, plan(n, _circumstances(n, facts, channels, zone, real_now), now)) for n in due]
    return Claimed(await _within_budget(tx, drafts, until, now), until, await templates.own_wordings(tx))


@dataclass(frozen=True)
class _Facts:
    addressees: Mapping[UUID, Addressee]
    overtaken: set[UUID]
    placed: Placed
    useless: Useless


async def _facts(tx: Transaction, due: Sequence[Notification]) -> _Facts:
    statuses = [n for n in due if n.kind == "ticket_status" and n.ticket_number is not None]
    receipts = [n for n in due if n.kind == "acknowledgement"]
    asking = _about_surveys(due)
    return _Facts(
        addressees=await known.addressees(tx, {n.customer_id for n in due}),
        overtaken=await known.overtaken(tx, statuses) if statuses else set(),
        placed=await known.place(tx, receipts) if receipts else Placed(set(), set()),
        useless=await surveys.useless(tx, asking) if asking else Useless(),
    )


def _about_surveys(notifications: Iterable[Notification]) -> list[UUID]:
    return [n.event_id for n in notifications if n.rules is not None and n.rules.is_about_survey]


def _circumstances(notification: Notification, facts: _Facts, channels: Sequence[str], zone: ZoneInfo, real_now: datetime) -> Circumstances:
    addressee = facts.addressees.get(notification.customer_id) or Addressee()
    given = notification.given_address
    addresses = addressee.addresses if given is None else {**addressee.addresses, "email": Address(email_identity(given).value, given)}
    is_receipt = notification.kind == "acknowledgement"
    waited = notification.created_at is None or notification.created_at + PLACING <= real_now
    return Circumstances(
        channels=channels,
        zone=zone,
        addresses=addresses,
        consents=replace(addressee.consents, survey=False) if notification.event_id in facts.useless.unwanted else addressee.consents,
        is_overtaken=notification.event_id in facts.overtaken | facts.placed.needless,
        is_void=notification.event_id in facts.useless.void,
        is_placed=not is_receipt or waited or notification.event_id in facts.placed.known,
    )


async def _within_budget(
    tx: Transaction, drafts: Sequence[tuple[Notification, Plan]], until: datetime, now: datetime
) -> list[tuple[Notification, Plan]]:
    keys = {draft.budget_key for notification, draft in drafts if isinstance(draft, Send) and notification.is_automatic}
    if not keys:
        return list(drafts)
    await budget.lock(tx, keys)
    plans, uses = allot(drafts, await budget.used(tx, keys, now - REMEMBERED), now)
    await budget.reserve(tx, uses, until, now)
    return plans


# --- writing down --------------------------------------------------------------------------------------------------------------------


@dataclass
class _Ledger:
    """What became of a claim's notifications, sorted by what is to be written."""

    finished: list[Finished] = field(default_factory=list)
    again: list[Again] = field(default_factory=list)
    left: list[UUID] = field(default_factory=list)
    """Automatic ones that left their house, or may have."""
    stayed: list[UUID] = field(default_factory=list)


async def conclude(
    tx: Transaction,
    claimed: Claimed,
    attempts: Mapping[UUID, Attempt],
    *,
    real_now: datetime,
    now: datetime,
    real_delay: Mapping[UUID, timedelta],
) -> Mapping[UUID, Failure | None]:
    """Write down what became of each; tell the bus of those that ended, and return them.

    ``real_delay``: how long, in real time, each postponed one waits.
    """
    ledger = _Ledger()
    for notification, found in claimed.plans:
        match found:
            case Send():
                _enter(ledger, notification, found, attempts[notification.event_id], real_now)
            case Postpone():
                ledger.again.append(_later(notification, real_now + real_delay[notification.event_id]))
            case Hold():
                ledger.again.append(_later(notification, real_now + HELD))
            case Failure():
                ledger.finished.append(Finished(notification.event_id, None, None, found))
    await store.lock(tx, (notification.event_id for notification, _ in claimed.plans))
    if ledger.again:
        await store.try_again(tx, ledger.again, claimed.until)
        put_off = {item.event_id for item in ledger.again}
        if asking := _about_surveys(notification for notification, _ in claimed.plans if notification.event_id in put_off):
            await surveys.look_again(tx, asking, real_now + 2 * LEASE, real_now)
    await budget.settle(tx, ledger.left, ledger.stayed, claimed.until, now)
    return await _end(tx, claimed, ledger.finished, now)


def _later(notification: Notification, at: datetime) -> Again:
    return Again(notification.event_id, notification.attempts, notification.first_attempt_at, at)


def _enter(ledger: _Ledger, notification: Notification, sent: Send, attempt: Attempt, real_now: datetime) -> None:
    may_have_left = attempt is None or (isinstance(attempt, NotNow) and attempt.may_have_left)
    if notification.is_automatic:
        (ledger.left if may_have_left else ledger.stayed).append(notification.event_id)
    match attempt:
        case NotTried(rest=rest):
            ledger.again.append(_later(notification, real_now + max(rest, HELD)))
        case NotNow():
            _enter_retry(ledger, notification, sent, real_now)
        case _:
            ledger.finished.append(Finished(notification.event_id, sent.channel, sent.address, attempt))


def _enter_retry(ledger: _Ledger, notification: Notification, sent: Send, real_now: datetime) -> None:
    attempts, first = notification.attempts + 1, notification.first_attempt_at or real_now
    at = retry_at(attempts, first, real_now, spread(notification.event_id, attempts))
    if at is None:
        ledger.finished.append(Finished(notification.event_id, sent.channel, sent.address, Failure.UNDELIVERABLE))
    else:
        ledger.again.append(Again(notification.event_id, attempts, first, at))


async def _end(tx: Transaction, claimed: Claimed, finished: Iterable[Finished], now: datetime) -> Mapping[UUID, Failure | None]:
    """Each notification ends once: of two processes that both had it, the first to write tells the bus."""
    done = {item.event_id: item for item in finished}
    ended = await store.finish(tx, done.values(), now) if done else set()
    await outbox.append(tx, [_event(n, done[n.event_id], now) for n, _ in claimed.plans if n.event_id in ended])
    return {event_id: done[event_id].failure for event_id in ended}


def _event(notification: Notification, ended: Finished, now: datetime) -> Event:
    if ended.failure is None:
        assert ended.channel is not None
        return NotificationDelivered(
            occurred_at=now,
            notification_id=notification.notification_id,
            customer_id=notification.customer_id,
            kind=notification.kind,
            channel=ended.channel,
            ticket_number=notification.ticket_number,
        )
    return NotificationFailed(
        occurred_at=now,
        notification_id=notification.notification_id,
        customer_id=notification.customer_id,
        kind=notification.kind,
        channel=ended.channel,
        reason=ended.failure.value,
        ticket_number=notification.ticket_number,
    )
