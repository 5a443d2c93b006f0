"""Messages to customers for staff: what was sent and what became of it, and another try."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Query
from starlette.responses import Response

from services.intake.api.callers import Desk
from services.intake.handlers import resending
from services.intake.handlers.resending import NoNotification
from services.intake.schemas.notifications import NotificationView, State
from services.intake.sending import Failure, masked
from services.intake.settings import IntakeSettings
from services.intake.store import notification_views as views
from services.intake.store.notification_views import Filter, Position, Seen
from shared import clock, http, idempotency
from shared.auth import Scope
from shared.idempotency import Replay
from shared.runtime import Runtime

NOTIFICATIONS: Final = "/v1/notifications"
RESEND: Final = NOTIFICATIONS + "/{notification_id}/resend"
TAKEN: Final = 202

OfCustomer = Annotated[UUID | None, Query(description="a customer, with the files that were merged into his")]
OnTicket = Annotated[http.Code | None, Query(description="a ticket, by its number or another reference that answers as it")]
InState = Annotated[State | None, Query(description="only those that stand so now")]


def create_router(runtime: Runtime[IntakeSettings], _desk: Desk) -> http.Router:
    """The routes of messages to customers."""
    router = http.Router(tags=["notifications"])

    @router.get(
        NOTIFICATIONS, scope=Scope.CUSTOMER_READ, operation_id="listNotifications", summary="Messages to customers, the latest first"
    )
    async def list_notifications(
        customer_id: OfCustomer = None,
        ticket: OnTicket = None,
        state: InState = None,
        limit: http.Limit = 50,
        cursor: http.Cursor = None,
    ) -> http.Page[NotificationView]:
        """What was said, when and by which channel, and why it failed. Filters combine; addresses are masked, words are not kept."""
        named = {"list": NOTIFICATIONS, "customer_id": None if customer_id is None else str(customer_id), "ticket": ticket, "state": state}
        before = None if cursor is None else _position(runtime.cursors.decode(cursor, named, length=2))
        async with runtime.database.transaction() as tx:
            found = await views.newest(tx, Filter(customer_id, ticket, state), before=before, limit=limit + 1)
        following = None
        if len(found) > limit:
            requested_at, event_id = found[limit - 1].position
            following = runtime.cursors.encode([requested_at.isoformat(), str(event_id)], named)
        return http.Page(items=[_view(seen) for seen in found[:limit]], next_cursor=following)

    @router.get(
        NOTIFICATIONS + "/{notification_id}",
        scope=Scope.CUSTOMER_READ,
        operation_id="getNotification",
        summary="One message and what became of it",
    )
    async def get_notification(notification_id: UUID) -> NotificationView:
        """By the id that `notification.delivered` and `notification.failed` name."""
        async with runtime.database.transaction() as tx:
            seen = await views.find(tx, notification_id)
        if seen is None:
            raise NoNotification("There is no such message.")
        return _view(seen)

    @router.post(
        RESEND,
        scope=Scope.CUSTOMER_WRITE,
        operation_id="createResend",
        summary="Send a failed message again",
        status_code=TAKEN,
        response_model=NotificationView,
        problems=[409],
    )
    async def resend_notification(notification_id: UUID, by: http.CurrentPrincipal, key: http.IdempotencyKey) -> Response:
        """After what was wrong is mended: an address, a consent, a server. A message of its own goes out, under the rules of its kind;
        asking again for the same one changes nothing and answers with that message."""
        route, asked = f"POST {RESEND}", idempotency.fingerprint(str(notification_id))
        async with (
            runtime.database.transaction() as tx,
            idempotency.once(tx, by.id, route, key, asked) as first,
        ):
            if isinstance(first, Replay):
                return http.replay(first)
            again = await resending.resend(tx, notification_id, by=by.id, now=clock.now(), real_now=clock.real_now())
            body = _view(again).model_dump_json().encode()
            await first.store(TAKEN, body)
        return Response(body, status_code=TAKEN, media_type="application/json")

    return router


def _position(parts: list[Any]) -> Position:
    requested_at, event_id = parts
    return datetime.fromisoformat(str(requested_at)), UUID(str(event_id))


def _view(seen: Seen) -> NotificationView:
    notification, address = seen.notification, seen.address or seen.notification.given_address
    return NotificationView(
        notification_id=notification.notification_id,
        kind=notification.kind,
        state=State(seen.state),
        reason=None if seen.failure is None else Failure(seen.failure),
        customer_id=notification.customer_id,
        ticket_number=notification.ticket_number,
        locale=notification.locale,
        channel=seen.channel,
        address=None if address is None else masked(address),
        requested_at=notification.requested_at,
        expires_at=notification.expires_at,
        finished_at=seen.finished_at,
        attempts=notification.attempts,
        next_attempt_at=seen.next_attempt_at if seen.state == State.PENDING else None,
        requested_by=seen.requested_by,
        resend_of=seen.resend_of,
        resent_as=seen.resent_as,
    )
