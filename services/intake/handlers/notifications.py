"""Messages to customers are claimed, carried outside of any transaction, and then written down.

A crash between carrying and writing down leads to a second copy of the same mail, never to none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from services.intake.sending import REMEMBERED, Failure, Notification, Plan, Postpone, Send, plan, retry_at
from services.intake.store import customers
from services.intake.store import notifications as store
from services.intake.store.notifications import Again, Finished
from shared import outbox
from shared.database import Transaction
from shared.events.envelope import Event
from shared.events.intake import NotificationDelivered, NotificationFailed

CHANNEL: Final = "email"
AT_ONCE: Final = 50
"""Notifications of one claim."""
CLAIM: Final = timedelta(minutes=10)
"""Longer than a slow mail server takes for a claim's mails; a process that died with it is waited for so long."""


@dataclass(frozen=True)
class Claimed:
    """Notifications that are ours for a while, each with what to do."""

    plans: Sequence[tuple[Notification, Plan]]
    until: datetime

    @property
    def to_send(self) -> list[tuple[Notification, str]]:
        """Those to be carried now, with their addresses."""
        return [(notification, found.address) for notification, found in self.plans if isinstance(found, Send)]


@dataclass(frozen=True)
class NotNow:
    """An attempt failed and may succeed later."""


Attempt = Failure | NotNow | None
"""What became of an attempt; None: delivered."""


async def claim(tx: Transaction, *, real_now: datetime, now: datetime) -> Claimed:
    """Claim what is due and decide what to do with each."""
    until = real_now + CLAIM
    due = await store.claim_due(tx, limit=AT_ONCE, now=real_now, until=until)
    if not due:
        return Claimed((), until)
    addresses = await customers.mail_addresses(tx, {notification.customer_id for notification in due})
    sent = {address: list(times) for address, times in (await store.sent_to(tx, set(addresses.values()), now - REMEMBERED)).items()}
    return Claimed([(notification, _plan(notification, addresses, sent, now)) for notification in due], until)


def _plan(notification: Notification, addresses: Mapping[UUID, str], sent: dict[str, list[datetime]], now: datetime) -> Plan:
    """What is sent now counts for those behind it."""
    address = addresses.get(notification.customer_id)
    found = plan(notification, address, sent.get(address or "", ()), now)
    if isinstance(found, Send) and notification.is_automatic:
        sent.setdefault(found.address, []).append(now)
    return found


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
    finished: list[Finished] = []
    again: list[Again] = []
    for notification, found in claimed.plans:
        match found:
            case Send(address=address):
                _sort_attempt(notification, address, attempts[notification.event_id], real_now, finished, again)
            case Postpone():
                at = real_now + real_delay[notification.event_id]
                again.append(Again(notification.event_id, notification.attempts, notification.first_attempt_at, at))
            case Failure():
                finished.append(Finished(notification.event_id, None, found))
    if again:
        await store.try_again(tx, again, claimed.until)
    ended = await store.finish(tx, finished, now) if finished else set()
    outcomes = {item.event_id: item.failure for item in finished if item.event_id in ended}
    await outbox.append(tx, [_event(n, outcomes[n.event_id], now) for n, _ in claimed.plans if n.event_id in outcomes])
    return outcomes


def _sort_attempt(
    notification: Notification, address: str, attempt: Attempt, real_now: datetime, finished: list[Finished], again: list[Again]
) -> None:
    if not isinstance(attempt, NotNow):
        finished.append(Finished(notification.event_id, address, attempt))
        return
    attempts, first = notification.attempts + 1, notification.first_attempt_at or real_now
    at = retry_at(attempts, first, real_now)
    if at is None:
        finished.append(Finished(notification.event_id, address, Failure.UNDELIVERABLE))
    else:
        again.append(Again(notification.event_id, attempts, first, at))


def _event(notification: Notification, failure: Failure | None, now: datetime) -> Event:
    if failure is None:
        return NotificationDelivered(
            occurred_at=now,
            notification_id=notification.notification_id,
            customer_id=notification.customer_id,
            kind=notification.kind,
            channel=CHANNEL,
            ticket_number=notification.ticket_number,
        )
    return NotificationFailed(
        occurred_at=now,
        notification_id=notification.notification_id,
        customer_id=notification.customer_id,
        kind=notification.kind,
        channel=None if failure is Failure.NO_ADDRESS else CHANNEL,
        reason=failure.value,
        ticket_number=notification.ticket_number,
    )
