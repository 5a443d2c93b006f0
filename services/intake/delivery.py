"""The door through which messages to customers leave: a loop that claims what is due, has it carried and writes down what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from prometheus_client import Counter

from services.intake import mail
from services.intake.carriers import Carrier, Delivered, Mail, TryAgain, carrier_of
from services.intake.handlers import notifications
from services.intake.handlers.notifications import AT_ONCE, Attempt, Claimed, NotNow
from services.intake.sending import Failure, Notification, Postpone
from services.intake.settings import IntakeSettings
from shared import clock, telemetry
from shared.backoff import pause
from shared.database import is_transient
from shared.runtime import Runtime

log = telemetry.logger()

POLL: Final = 0.5
"""Seconds between two looks for what is due."""
PATIENCE: Final = 5.0
"""Seconds to wait when the database is away."""

_ENDED: Final = Counter("intake_notifications", "Messages to customers that ended", ["kind", "outcome"])


async def deliver(runtime: Runtime[IntakeSettings], stop: asyncio.Event) -> None:
    """Deliver until told to stop."""
    carrier = carrier_of(runtime.settings)
    while not stop.is_set():
        try:
            claimed = await deliver_due(runtime, carrier)
        except Exception as error:
            if not is_transient(error):
                raise
            log.warning("delivery_postponed", exc_info=error)
            await pause(stop, PATIENCE)
            continue
        if claimed < AT_ONCE:
            await pause(stop, POLL)


async def deliver_due(runtime: Runtime[IntakeSettings], carrier: Carrier) -> int:
    """One round; how many were due."""
    async with runtime.database.transaction() as tx:
        claimed = await notifications.claim(tx, real_now=clock.real_now(), now=clock.now())
    if not claimed.plans:
        return 0
    attempts = await _carry(runtime.settings, carrier, claimed.to_send)
    async with runtime.database.transaction() as tx:
        ended = await notifications.conclude(
            tx, claimed, attempts, real_now=clock.real_now(), now=clock.now(), real_delay=_real_delays(claimed)
        )
    runtime.wakeup()
    for notification, _ in claimed.plans:
        if notification.event_id in ended:
            _report(notification, ended[notification.event_id], carrier)
    return len(claimed.plans)


async def _carry(settings: IntakeSettings, carrier: Carrier, to_send: Sequence[tuple[Notification, str]]) -> dict[UUID, Attempt]:
    attempts: dict[UUID, Attempt] = {}
    mails: list[Mail] = []
    for notification, address in to_send:
        try:
            message = mail.compose(notification, address, sender=settings.mail_from, zone=settings.timezone)
        except Exception as error:
            # a fault in one template or text must not hold up everybody else's mail; it is tried again, a new release may mend it
            log.error("mail_not_composed", notification_id=notification.notification_id, kind=notification.kind, exc_info=error)
            attempts[notification.event_id] = NotNow()
        else:
            mails.append(Mail(notification.event_id, address, message))
    carried = await carrier.carry(mails) if mails else []
    for sent, outcome in zip(mails, carried, strict=True):
        match outcome:
            case Delivered():
                attempts[sent.event_id] = None
            case TryAgain(reason=reason):
                log.warning("mail_not_carried", event_id=sent.event_id, reason=reason)
                attempts[sent.event_id] = NotNow()
            case Failure():
                attempts[sent.event_id] = outcome
    return attempts


def _real_delays(claimed: Claimed) -> dict[UUID, timedelta]:
    now, business = clock.now(), clock.business_clock()
    delays = {}
    for notification, found in claimed.plans:
        if isinstance(found, Postpone):
            span = max(found.until - now, timedelta())
            delays[notification.event_id] = span if business is None else business.real_delay(span)
    return delays


def _report(notification: Notification, failure: Failure | None, carrier: Carrier) -> None:
    """One line per message that ended; never with its address."""
    outcome = "delivered" if failure is None else failure.value
    _ENDED.labels(notification.kind, outcome).inc()
    log.info(
        "notification_ended",
        notification_id=notification.notification_id,
        event_id=notification.event_id,
        kind=notification.kind,
        ticket=notification.ticket_number,
        outcome=outcome,
        source=carrier.name,
    )
