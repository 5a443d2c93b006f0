"""What operators see of messages to customers, read from the database now and then; and what is forgotten after a time."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final

from prometheus_client import Counter, Gauge

from services.intake.handlers.surveys import KEPT
from services.intake.sending import KINDS, REMEMBERED, Notification
from services.intake.settings import IntakeSettings
from services.intake.store import budget, notifications, surveys
from shared import clock, telemetry
from shared.backoff import pause
from shared.database import is_transient
from shared.runtime import Runtime

log = telemetry.logger()

EVERY: Final = 5.0
HOURLY: Final = 3600.0
RESENDABLE_FOR: Final = timedelta(days=7)
"""How long the text and link of a failed message are kept, so that it can be sent again."""

ENDED: Final = Counter("intake_notifications", "Messages to customers that ended", ["kind", "outcome"])
PENDING: Final = Gauge("intake_notifications_pending", "Messages to customers that wait", ["kind"])
OVERDUE: Final = Gauge("intake_notifications_overdue", "Messages to customers that could be sent now and are not yet")
OLDEST: Final = Gauge("intake_notifications_oldest_seconds", "Real age of the oldest message to a customer that waits", ["kind"])


def kind_label(notification: Notification) -> str:
    """A closed set, whatever producers ask for."""
    return notification.kind if notification.kind in KINDS else "unknown"


async def watch(runtime: Runtime[IntakeSettings], stop: asyncio.Event) -> None:
    """Show the figures until told to stop."""
    while not stop.is_set():
        try:
            await show(runtime)
        except Exception as error:
            if not is_transient(error):
                raise
            log.info("figures_wait", error=type(error).__name__)
        await pause(stop, EVERY)


async def show(runtime: Runtime[IntakeSettings]) -> None:
    """Set the gauges to what the database says now."""
    now = clock.real_now()
    async with runtime.database.transaction() as tx:
        waiting = await notifications.waiting(tx, now)
    for kind in KINDS:
        found = waiting.get(kind)
        PENDING.labels(kind).set(0 if found is None else found.count)
        OLDEST.labels(kind).set(0 if found is None else max(0.0, (now - found.oldest).total_seconds()))
    OVERDUE.set(sum(found.due for found in waiting.values()))


async def tidy(runtime: Runtime[IntakeSettings], stop: asyncio.Event) -> None:
    """Every hour, forget what is no use any more."""
    while not stop.is_set():
        try:
            await forget(runtime)
        except Exception as error:
            if not is_transient(error):
                raise
            log.info("tidying_waits", error=type(error).__name__)
        await pause(stop, HOURLY)


async def forget(runtime: Runtime[IntakeSettings]) -> None:
    """Texts of messages that failed long ago, uses of addresses that no limit looks at, and surveys that ended long ago."""
    now = clock.now()
    async with runtime.database.transaction() as tx:
        texts = await notifications.forget_texts(tx, now - RESENDABLE_FOR)
        uses = await budget.forget(tx, now - REMEMBERED)
        voids = await surveys.forget(tx, now - KEPT)
    if texts or uses or voids:
        log.info("notifications_tidied", texts=texts, uses=uses, voids=voids)
