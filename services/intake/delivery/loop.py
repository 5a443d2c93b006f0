"""A loop that claims what is due, has it carried and writes down what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from services.intake.carriers import Carried, Carrier, Delivered, Letter, NotTried, TryAgain, carriers_of
from services.intake.delivery import figures
from services.intake.handlers import notifications
from services.intake.handlers.notifications import AT_ONCE, LEASE, Attempt, Claimed, NotNow
from services.intake.mail import locale_of
from services.intake.sending import Failure, Notification, Postpone
from services.intake.settings import IntakeSettings
from services.intake.store import notifications as store
from shared import clock, telemetry
from shared.backoff import pause
from shared.database import is_transient
from shared.runtime import Runtime

log = telemetry.logger()

POLL: Final = 0.5
"""Seconds between two looks for what is due."""
PATIENCE: Final = 5.0
"""Seconds to wait when the database is away."""
MARGIN: Final = 30.0
"""Seconds before the end of a claim from which on no mail is begun."""
TRIES: Final = 5
"""Attempts to write down what was carried: if it stays unwritten, all of it is carried once more."""
SHORT_PAUSE: Final = 1.0


async def deliver(runtime: Runtime[IntakeSettings], stop: asyncio.Event) -> None:
    """Deliver until told to stop."""
    carriers = carriers_of(runtime.settings)
    while not stop.is_set():
        try:
            claimed = await deliver_due(runtime, carriers) if await _is_due(runtime) else 0
        except Exception as error:
            if not is_transient(error):
                raise
            log.warning("delivery_postponed", exc_info=error)
            await pause(stop, PATIENCE)
            continue
        if claimed < AT_ONCE:
            await pause(stop, POLL)


async def _is_due(runtime: Runtime[IntakeSettings]) -> bool:
    async with runtime.database.single_statements() as tx:
        return await store.is_due(tx)


async def deliver_due(runtime: Runtime[IntakeSettings], carriers: Sequence[Carrier]) -> int:
    """One round; how many were due."""
    until = clock.monotonic() + LEASE.total_seconds() - MARGIN
    async with runtime.database.transaction() as tx:
        claimed = await notifications.claim(
            tx,
            channels=[carrier.channel for carrier in carriers],
            zone=runtime.settings.timezone,
            real_now=await store.moment(tx),
            now=clock.now(),
        )
    if not claimed.plans:
        return 0
    attempts = await _carry(claimed, carriers, until)
    ended = await _write_down(runtime, claimed, attempts)
    runtime.wakeup()
    for notification, _ in claimed.plans:
        if notification.event_id in ended:
            _report(notification, ended[notification.event_id])
    return len(claimed.plans)


# --- carrying ------------------------------------------------------------------------------------------------------------------------


async def _carry(claimed: Claimed, carriers: Sequence[Carrier], until: float) -> dict[UUID, Attempt]:
    attempts: dict[UUID, Attempt] = {}
    for carrier in carriers:
        letters = [_letter(notification, to.address, claimed) for notification, to in claimed.to_send if to.channel == carrier.channel]
        carried = await carrier.carry(letters, until=until) if letters else []
        for letter, outcome in zip(letters, carried, strict=True):
            attempts[letter.event_id] = _attempt(letter, outcome, carrier)
    return attempts


def _letter(notification: Notification, address: str, claimed: Claimed) -> Letter:
    return Letter(notification, address, claimed.wordings.get((notification.kind, locale_of(notification))))


def _attempt(letter: Letter, outcome: Carried, carrier: Carrier) -> Attempt:
    match outcome:
        case Delivered():
            return None
        case TryAgain(reason=reason, may_have_left=may_have_left):
            log.warning("message_not_carried", event_id=letter.event_id, reason=reason, carrier=carrier.name)
            return NotNow(may_have_left)
        case NotTried(rest=rest):
            return notifications.NotTried(timedelta(seconds=rest))
        case Failure():
            return outcome


# --- writing down --------------------------------------------------------------------------------------------------------------------


async def _write_down(
    runtime: Runtime[IntakeSettings], claimed: Claimed, attempts: Mapping[UUID, Attempt]
) -> Mapping[UUID, Failure | None]:
    for left in reversed(range(TRIES)):
        try:
            async with runtime.database.transaction() as tx:
                return await notifications.conclude(
                    tx, claimed, attempts, real_now=await store.moment(tx), now=clock.now(), real_delay=_real_delays(claimed)
                )
        except Exception as error:
            if not left or not is_transient(error):
                raise
            log.warning("outcome_not_written", exc_info=error)
            await asyncio.sleep(SHORT_PAUSE)
    raise AssertionError("the last try either returns or raises")


def _real_delays(claimed: Claimed) -> dict[UUID, timedelta]:
    now, business = clock.now(), clock.business_clock()
    delays = {}
    for notification, found in claimed.plans:
        if isinstance(found, Postpone):
            span = max(found.until - now, timedelta())
            delays[notification.event_id] = span if business is None else business.real_delay(span)
    return delays


def _report(notification: Notification, failure: Failure | None) -> None:
    """One line per message that ended; never with its address."""
    outcome = "delivered" if failure is None else failure.value
    figures.ENDED.labels(figures.kind_label(notification), outcome).inc()
    log.info(
        "notification_ended",
        notification_id=notification.notification_id,
        event_id=notification.event_id,
        kind=notification.kind,
        ticket=notification.ticket_number,
        outcome=outcome,
    )
