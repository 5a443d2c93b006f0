"""Staff have a failed message sent again, after they mended what was wrong: as a message of its own, so that each ends once."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import ClassVar
from uuid import UUID, uuid5

from services.intake.sending import Failure, Notification
from services.intake.store import circumstances, surveys
from services.intake.store import notification_views as views
from services.intake.store import notifications as store
from services.intake.store.notification_views import Seen
from shared.database import Transaction
from shared.errors import Conflict, NotFound


class NoNotification(NotFound):
    """There is no message of this id."""

    code = "notification_not_found"


class NotFailed(Conflict):
    """Only a message that failed can be sent again."""

    code = "notification_not_failed"


class NotResendable(Conflict):
    """Sending it again would be no use: a newer message says more, it has lost its point, or its words were forgotten."""

    code: ClassVar[str] = "notification_not_resendable"


async def resend(tx: Transaction, notification_id: UUID, *, by: str, now: datetime, real_now: datetime) -> Seen:
    """The message that is sent instead; the same one whenever this is repeated.

    Raises:
        NoNotification, NotFailed, NotResendable: see there.
    """
    await views.lock(tx, notification_id)
    failed = await views.find(tx, notification_id)
    if failed is None:
        raise NoNotification("There is no such message.")
    if failed.resent_as is None:
        await _check(tx, failed, now)
        await store.request_again(tx, failed.notification.event_id, _again(failed, now), by, real_now)
    again = await views.find(tx, failed.resent_as or _again(failed, now).notification_id)
    assert again is not None
    return again


async def _check(tx: Transaction, failed: Seen, now: datetime) -> None:
    notification = failed.notification
    if failed.failure is None:
        raise NotFailed(f"The message is {failed.state}; only one that failed can be sent again.")
    if Failure(failed.failure) not in store.RESENDABLE:
        raise NotResendable(f"The message ended as {failed.failure}; sending it again would be no use.")
    if notification.says_nothing:
        raise NotResendable("The words of the message were forgotten a week after it failed.")
    if notification.expires_at is not None and notification.expires_at <= now:
        raise NotResendable("What the message says has lost its point.")
    if notification.kind == "ticket_status" and await circumstances.overtaken(tx, [notification]):
        raise NotResendable("The customer was told something newer about this ticket.")
    if (await surveys.useless(tx, [notification.event_id])).void:
        raise NotResendable("The survey was answered or called off.")


def _again(failed: Seen, now: datetime) -> Notification:
    notification = failed.notification
    return replace(
        notification,
        event_id=uuid5(notification.event_id, "again"),
        notification_id=uuid5(notification.notification_id, "again"),
        requested_at=now,
        attempts=0,
        first_attempt_at=None,
    )
